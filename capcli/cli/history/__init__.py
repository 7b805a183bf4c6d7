"""`capcli history`: the broker's history of the account, and what was sent from here."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Struct

from capcli.cli.call import Call
from capcli.cli.inputs import instant, listed, span
from capcli.cli.options import From, Last, To, option
from capcli.cli.pin import recognise
from capcli.cli.run import run
from capcli.cli.tree import command, group
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.account.history import History, Span
    from capcli.app import App
    from capcli.reply import Reply

history = group(
    no_args_is_help=True,
    example="capcli history report --last 30d\ncapcli history executions --last 5",
)
READ, CHECKED = "Read {} of {} parts of the history.\n", "Checked {} of {} entries.\n"


class SpanOptions(Struct, frozen=True):
    """Of which time, as typed."""

    last: Last = None
    start: From = None
    end: To = None

    def read(self, call: Call) -> "Span":
        """Return the time that is meant. Raises UsageError."""
        from capcli.account.history import Span

        if self.last is not None and (self.start is not None or self.end is not None):
            raise UsageError("--last and --from/--to cannot be used together.")
        since = instant("--from", self.start, call.clock, local=call.options.local)
        until = instant("--to", self.end, call.clock, local=call.options.local)
        return Span(since, until, span("--last", self.last))


class RowOptions(SpanOptions, frozen=True):
    """Of which time, and which rows of it."""

    epics: Annotated[list[str] | None, option("Only this market; repeatable.", "EPIC", "--epic")] = None
    types: Annotated[list[str] | None, option("As the broker writes it; repeatable.", "TYPE", "--type")] = (
        None
    )
    statuses: Annotated[
        list[str] | None, option("As the broker writes it; repeatable.", "STATUS", "--status")
    ] = None


_Sources = Annotated[list[str] | None, option("USER, SYSTEM, SL, TP...", "SOURCE", "--source")]
_Deal = Annotated[str | None, option("Only rows of this deal.", "DEAL")]


@command(
    history, example="capcli history executions --last 5\ncapcli history executions --csv > executions.csv"
)
def executions(
    call: Call,
    last: Annotated[int, option("Number of attempts, newest first.", None, min=1, max=1000)] = 20,
) -> None:
    """What was ordered, sent and answered, what happened to it, and when.

    From this computer's journal only: no request is made, and what was sent elsewhere is not in it.
    """
    run(call, lambda app: app.executions_log.latest(last))


@command(history, example="capcli history verify\ncapcli history verify --json")
def verify(call: Call) -> None:
    """Find changed, removed, added or cut-off rows in the journal.

    Each change is stored as an event with a hash of itself, the one before and the rows that it changed.
    With credentials in the keychain (demo, live) the hash is sealed with a key that is stored there; on
    paper it is a plain hash. The journal's length is also stored outside its folder, and in the keychain.
    After a finding no new risk is sent; closing is still possible.
    """
    run(call, lambda app: app.verification.verify(progress=progress(call, app, CHECKED)))


@command(history, example='capcli history accept\ncapcli history accept --reason "restored Monday\'s backup"')
def accept(
    call: Call,
    reason: Annotated[str | None, option("The reason, stored in the journal.", "TEXT")] = None,
) -> None:
    """Continue with the journal although it is older or changed.

    A person does this on a terminal, after comparing it with the broker's own history: orders that are
    not in it may be live. Earlier previews and approvals end. On live it asks for the PIN.
    """

    def use(app: "App") -> "Reply[Any]":
        service, keychain = app.verification, app.credentials.in_keychain
        found = service.verify(ask_keychain=keychain, progress=progress(call, app, CHECKED))
        if found.problem is None:
            return found
        again = "capcli history accept"
        call.require_person(
            f"{found.problem.message} Only a person on a terminal can accept it: not a pipe, a script"
            " or --json. Nothing was changed.",
            again,
        )
        recognise(call, app, "what the journal holds counts there too", "Nothing was changed.")
        call.talk(f"{found.problem.message}\n")
        why = reason or call.streams.ask("What happened to the journal? ")
        call.ask("From now on it counts as correct. Accept it?", again)
        return service.accept(reason=why, ask_keychain=keychain, progress=progress(call, app, CHECKED))

    run(call, use)


@command(
    history,
    example="capcli history activity --last 24h\n"
    "capcli history activity --from 2026-01-01 --to 2026-02-01 --epic GOLD --status REJECTED --csv",
)
def activity(call: Call, *, given: RowOptions, sources: _Sources = None, deal: _Deal = None) -> None:
    """What happened on the account: orders, fills, closes, stops, rejections.

    The last 7 days unless you give a span, newest first. Longer spans are read one day at a time, which
    is all that the broker gives at once. A row can appear up to two minutes late, and at first without
    its level.
    """
    from capcli.account.history import Wanted

    wanted = Wanted(listed(given.epics), listed(given.types), listed(given.statuses), listed(sources), deal)
    when = given.read(call)
    run(call, lambda app: _telling(call, app).activity(when, wanted))


@command(
    history,
    example="capcli history transactions --last 90d --type SWAP\n"
    "capcli history transactions --from 2026-01-01 --to 2026-02-01 --csv",
)
def transactions(call: Call, *, given: RowOptions, deal: _Deal = None) -> None:
    """What was booked: realised P&L, overnight fees, commissions, deposits.

    The last 30 days unless you give a span, newest first. Amounts are in the account's currency; charges
    are negative.
    """
    from capcli.account.history import Wanted

    wanted = Wanted(listed(given.epics), listed(given.types), listed(given.statuses), deal_id=deal)
    when = given.read(call)
    run(call, lambda app: _telling(call, app).transactions(when, wanted))


@command(
    history,
    example="capcli history report --last 90d\ncapcli history report --from 2026-01-01 --by month --csv",
)
def report(
    call: Call,
    *,
    given: SpanOptions,
    by: Annotated[str, option("market, day or month (UTC).", "WHAT")] = "market",
) -> None:
    """Realised P&L, costs and deposits of a span, in the account's currency.

    The last 30 days unless you give a span. It uses the broker's bookings only; open positions count once
    they are closed. The closing balance is the cash now, without what was booked after the span.
    """
    when = given.read(call)
    run(call, lambda app: _telling(call, app).report(when, by=by))


def _telling(call: Call, app: "App") -> "History":
    """Return the history that says how far it is."""
    return app.history.telling(progress(call, app, READ))


def progress(call: Call, app: "App", text: str) -> Callable[[int, int], None]:
    """Return what says how far something is, once a second after the first one."""
    last = app.clock()

    def tell(done: int, of: int) -> None:
        nonlocal last
        now = app.clock()
        if done < of and now - last > timedelta(seconds=1):
            last = now
            call.talk(text.format(done, of))

    return tell
