"""What a stopped command is: its exit code, what both faces print, and the error that kinds derive from."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar, Self, cast

from msgspec import Struct, field


class Exit(IntEnum):
    """Exit codes of the command line (product contract, one place for both faces)."""

    DONE = 0
    BUG = 1
    USAGE = 2
    CONFIG = 3
    LOGIN = 4
    REFUSED = 5
    BROKER_REFUSED = 6
    UNREACHABLE = 7
    MAY_BE_LIVE = 8
    NO_STOP = 9
    BUSY = 10
    RATE_LIMITED = 11
    INTERRUPTED = 130


class Problem(Struct, frozen=True):
    """Why a reply is not `ok`: what both faces print beside the data.

    `then` is the end of the message, where that leads to `next`: what is said besides stands before it.
    `assistant_error` is false where an assistant must not retry (an order may be live or lack its stop):
    there it is a result, so that no retry loop starts. `account_id` and `data` stand in for a missing result.
    """

    code: str
    why: str
    exit_code: int
    next: str | None = None
    retry_safe: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    assistant_error: bool = True
    account_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    then: str = ""

    @property
    def message(self) -> str:
        return f"{self.why} {self.then}" if self.then else self.why


class CapcliError(Exception):
    """A command was stopped. `next` is a command that helps, `details` are machine-readable facts.

    `why` is the message without `then`: what was not done, or what to do instead.

    `capcli help error CODE` shows the first line of the docstring and `cure`, what to do.
    """

    code: ClassVar[str] = "BUG"
    cure: ClassVar[str] = "Run it again with -vv for the traceback, and report it."
    exit_code: ClassVar[Exit] = Exit.BUG
    retry_safe: ClassVar[bool] = False
    assistant_error: ClassVar[bool] = True

    @classmethod
    def kind(cls, code: str, happened: str, cure: str, **facts: bool) -> type[Self]:
        """Make a kind of this error with a code and a page of its own; the rest it has from this one."""
        name = code.title().replace("_", "")
        texts = {"code": code, "__doc__": happened, "cure": cure, "__module__": cls.__module__}
        return cast("type[Self]", type(name, (cls,), texts | facts))

    def __init__(
        self,
        message: str,
        then: str = "",
        /,
        *,
        next: str | None = None,  # noqa: A002
        **details: Any,
    ) -> None:
        self.why = message
        self.message = f"{message} {then}" if then else message
        super().__init__(self.message)
        self.next = next
        self.details = details
        self.account_id: str | None = None
        self.data: dict[str, Any] = {}

    def about(self, account_id: str | None, **known: Any) -> Self:
        """Name the account, and the preview and the attempt that it concerns; what was named before stays."""
        self.account_id = self.account_id or account_id
        self.data = known | self.data
        return self

    def problem(self) -> Problem:
        """Return the error as the value that both faces render."""
        return Problem(
            self.code,
            self.message,
            int(self.exit_code),
            self.next,
            self.retry_safe,
            dict(self.details),
            self.assistant_error,
            self.account_id,
            dict(self.data),
        )
