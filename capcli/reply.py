"""The result of a use case for both faces: the data, its account, and the problem, if any."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from msgspec import Struct

from capcli.errors import CapcliError, Problem

T = TypeVar("T")


class Reply(Struct, Generic[T], frozen=True):
    """A result that both faces render alike. `problem` is set exactly when the exit code is not 0."""

    data: T
    account_id: str | None = None
    problem: Problem | None = None

    @property
    def exit_code(self) -> int:
        return self.problem.exit_code if self.problem else 0


@contextmanager
def about(account_id: str | None, known: Callable[[], Mapping[str, Any]] = dict) -> Iterator[None]:
    """Add the account, and the known preview and attempt, to an error."""
    try:
        yield
    except CapcliError as error:
        error.about(account_id, **known())
        raise
