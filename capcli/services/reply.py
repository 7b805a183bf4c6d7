"""What a use case hands to a face: the data, the account it is about, and the problem beside it, if any."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from capcli.errors import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A result that both faces render alike. `problem` is set exactly when the exit code is not 0."""

    data: T
    account_id: str | None = None
    problem: Problem | None = None

    @property
    def exit_code(self) -> int:
        return self.problem.exit_code if self.problem else 0
