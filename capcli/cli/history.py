"""`capcli history`: the broker's history of the account, and what was sent from here."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.inputs import instant, span
from capcli.cli.run import finish, run
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.services.history import History, Span

app = new_app("Activity, bookings, realised P&L; what was sent from here.", no_args_is_help=True)

_SECOND = timedelta(seconds=1)
_Last = Annotated[str | None, typer.Option(metavar="SPAN", help="So long back: 90m, 24h, 7d, 2w.")]
_From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="From this time (UTC).")]
_To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="To this time (UTC).")]
_Epics = Annotated[list[str] | None, typer.Option("--epic", metavar="EPIC", help="This market; repeatable.")]
_Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="The broker's word; repeatable.")
]
_Statuses = Annotated[
    list[str] | None, typer.Option("--status", metavar="STATUS", help="The broker's word; repeatable.")
]
_Deal = Annotated[str | None, typer.Option("--deal", metavar="DEAL", help="Rows of this deal alone.")]


@app.callback(epilog=epilog("capcli history report --last 30d\ncapcli history executions --last 5"))
def history() -> None:
    pass


@command(
    app,
    "executions",
    example="capcli history executions --last 5\ncapcli history executions --csv > executions.csv",
)
def executions(
    ctx: typer.Context,
    last: Annotated[int, typer.Option(min=1, max=1000, help="So many, newest first.")] = 20,
) -> None:
    """What was asked, sent and answered, what it became, and when.

    From this machine's journal alone: no request is made, and what was sent elsewhere is not in it.
    """
    from capcli.services.executions_log import ExecutionsFound

    run(ctx, lambda application: application.executions_log.latest(last), ExecutionsFound)


@command(
    app,
    "verify",
    example="capcli history verify --json\ncapcli history verify --accept",
)
def verify(
    ctx: typer.Context,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take the journal as it is now for the one to start from.")
    ] = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Accept without a question.")] = False,
) -> None:
    """Find altered, removed, reordered and cut-off rows in this machine's journal.

    Each event carries a hash over itself and the one before. With credentials in the keychain (demo, live)
    the hash is sealed with a key that rests there, and the keychain remembers how many events there were.
    """
    from capcli.services.verifying import Verified

    call: Call = ctx.find_root().obj
    if not accept:
        run(ctx, lambda application: application.verification.verify(), Verified)
        return
    call.check_form(Verified)
    application = call.build()
    do = application.verification
    reply = call.confirmed(
        lambda yes: do.accept(confirmed=yes),
        given=confirm,
        summary=lambda: "The journal's present end becomes the one that later checks start from.",
        question="Accept it?",
    )
    finish(call, reply, application.env)


@command(
    app,
    "activity",
    example="capcli history activity --last 24h\n"
    "capcli history activity --from 2026-01-01 --to 2026-02-01 --epic GOLD --status REJECTED --csv",
)
def activity(
    ctx: typer.Context,
    *,
    last: _Last = None,
    start: _From = None,
    end: _To = None,
    epics: _Epics = None,
    types: _Types = None,
    statuses: _Statuses = None,
    sources: Annotated[
        list[str] | None, typer.Option("--source", metavar="SOURCE", help="USER, SYSTEM, SL, TP...")
    ] = None,
    deal: _Deal = None,
) -> None:
    """What happened on the account: orders, fills, closes, stops, rejections.

    The last 7 days without a span, newest first. Longer spans are read a day at a time, which is all that
    the broker gives at once. A row can appear up to two minutes late, and at first without its level.
    """
    from capcli.services.history import ActivityFound, Wanted

    wanted = Wanted(_all(epics), _all(types), _all(statuses), _all(sources), deal)
    when = _span("activity", last, start, end)
    run(ctx, lambda application: _told(ctx, application).activity(when, wanted), ActivityFound)


@command(
    app,
    "transactions",
    example="capcli history transactions --last 90d --type SWAP\n"
    "capcli history transactions --from 2026-01-01 --to 2026-02-01 --csv",
)
def transactions(
    ctx: typer.Context,
    *,
    last: _Last = None,
    start: _From = None,
    end: _To = None,
    epics: _Epics = None,
    types: _Types = None,
    statuses: _Statuses = None,
    deal: _Deal = None,
) -> None:
    """What was booked: realised P&L, overnight fees, commissions, deposits.

    The last 30 days without a span, newest first; amounts are in the account's currency, charges below 0.
    """
    from capcli.services.history import TransactionsFound, Wanted

    wanted = Wanted(_all(epics), _all(types), _all(statuses), deal_id=deal)
    when = _span("transactions", last, start, end)
    run(ctx, lambda application: _told(ctx, application).transactions(when, wanted), TransactionsFound)


@command(
    app,
    "report",
    example="capcli history report --last 90d\ncapcli history report --from 2026-01-01 --by month --csv",
)
def report(
    ctx: typer.Context,
    *,
    last: _Last = None,
    start: _From = None,
    end: _To = None,
    by: Annotated[str, typer.Option(metavar="WHAT", help="market, day or month (UTC).")] = "market",
) -> None:
    """Realised P&L, costs and deposits of a span, in the account's currency.

    The last 30 days without a span. It is made of the broker's bookings alone; open positions count once they
    are closed. The closing balance is the cash of now without what was booked after the span.
    """
    from capcli.services.history import Report

    when = _span("report", last, start, end)
    run(ctx, lambda application: _told(ctx, application).report(when, by=by), Report)


def _all(words: list[str] | None) -> tuple[str, ...]:
    """Split repeated options and comma lists alike."""
    return tuple(word for text in words or () for word in text.split(",") if word.strip())


def _span(name: str, last: str | None, start: str | None, end: str | None) -> "Span":
    from capcli.services.history import Span

    if last is not None and (start is not None or end is not None):
        raise UsageError("--last and --from/--to exclude each other.", next=f"capcli history {name} --help")
    return Span(instant("--from", start), instant("--to", end), span("--last", last))


def _told(ctx: typer.Context, application: "App") -> "History":
    """Return the history that says how far it is, once a second after the first one."""
    call: Call = ctx.find_root().obj
    said = application.clock()

    def told(done: int, windows: int) -> None:
        nonlocal said
        now = application.clock()
        if done < windows and now - said > _SECOND:
            said = now
            call.talk(f"Read {done} of {windows} parts of the history.\n")

    return application.history.telling(told)
