"""`capcli history`: the broker's history of the account, and what was sent from here."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from msgspec import Struct

from capcli.cli.call import Call
from capcli.cli.inputs import instant, span
from capcli.cli.options import From, Last, To, option
from capcli.cli.tree import group
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.account.history import History, Span
    from capcli.app import App

history = group(
    no_args_is_help=True,
    example="capcli history report --last 30d\ncapcli history executions --last 5",
)
READ, CHECKED = "Read {} of {} parts of the history.\n", "Checked {} of {} entries.\n"


class SpanOptions(Struct, frozen=True):
    """The time span, as typed."""

    last: Last = None
    start: From = None
    end: To = None

    def read(self, call: Call) -> "Span":
        """Return the span. Raises UsageError."""
        from capcli.account.history import Span

        if self.last is not None and (self.start is not None or self.end is not None):
            raise UsageError("--last and --from/--to cannot be used together.")
        since = instant("--from", self.start, call.clock, local=call.options.local)
        until = instant("--to", self.end, call.clock, local=call.options.local)
        return Span(since, until, span("--last", self.last))


class RowOptions(SpanOptions, frozen=True):
    """The time span, and filters for its rows."""

    epics: Annotated[list[str] | None, option("Only this market; repeatable.", "EPIC", "--epic")] = None
    types: Annotated[list[str] | None, option("As the broker writes it; repeatable.", "TYPE", "--type")] = (
        None
    )
    statuses: Annotated[
        list[str] | None, option("As the broker writes it; repeatable.", "STATUS", "--status")
    ] = None


Deal = Annotated[str | None, option("Only rows of this deal.", "DEAL")]


def with_progress(call: Call, app: "App") -> "History":
    """Return the history, reporting its progress on stderr."""
    return app.history.with_progress(progress(call, app, READ))


def progress(call: Call, app: "App", text: str) -> Callable[[int, int], None]:
    """Return a callback that reports progress on stderr, at most once a second."""
    last = app.clock()

    def tell(done: int, of: int) -> None:
        nonlocal last
        now = app.clock()
        if done < of and now - last > timedelta(seconds=1):
            last = now
            call.talk(text.format(done, of))

    return tell
