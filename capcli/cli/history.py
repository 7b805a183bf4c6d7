"""`capcli history`: the broker's history of the account, and what was sent from here."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.drawing import check_width
from capcli.cli.inputs import instant, listed, span
from capcli.cli.pin import recognise
from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import NotConfirmed, UsageError

if TYPE_CHECKING:
    from capcli.account.history import History, Span
    from capcli.account.statistics import StatsFound
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.safety.audit import Verified

app = new_app("Activity, bookings, realised P&L; what was sent from here.", no_args_is_help=True)

_SECOND = timedelta(seconds=1)
_Last = Annotated[str | None, typer.Option(metavar="SPAN", help="How far back: 90m, 24h, 7d, 2w.")]
_From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="From this time (UTC).")]
_To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="To this time (UTC).")]
_Epics = Annotated[
    list[str] | None, typer.Option("--epic", metavar="EPIC", help="Only this market; repeatable.")
]
_Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="As the broker writes it; repeatable.")
]
_Statuses = Annotated[
    list[str] | None, typer.Option("--status", metavar="STATUS", help="As the broker writes it; repeatable.")
]
_Deal = Annotated[str | None, typer.Option("--deal", metavar="DEAL", help="Only rows of this deal.")]


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
    last: Annotated[int, typer.Option(min=1, max=1000, help="Number of attempts, newest first.")] = 20,
) -> None:
    """What was ordered, sent and answered, what happened to it, and when.

    From this computer's journal only: no request is made, and what was sent elsewhere is not in it.
    """
    from capcli.account.executions import ExecutionsFound

    run(ctx, lambda application: application.executions_log.latest(last), ExecutionsFound)


@command(app, "verify", example="capcli history verify\ncapcli history verify --json")
def verify(ctx: typer.Context) -> None:
    """Find changed, removed, added or cut-off rows in the journal.

    Each change is stored as an event with a hash of itself, the one before and the rows that it changed.
    With credentials in the keychain (demo, live) the hash is sealed with a key that is stored there; on
    paper it is a plain hash. The journal's length is also stored outside its folder, and in the keychain.
    After a finding no new risk is sent; closing is still possible.
    """
    from capcli.safety.audit import Verified

    run(
        ctx,
        lambda application: application.verification.verify(progress=_counted(ctx, application)),
        Verified,
    )


@command(
    app,
    "accept",
    example='capcli history accept\ncapcli history accept --reason "restored Monday\'s backup"',
)
def accept(
    ctx: typer.Context,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The reason, stored in the journal.")
    ] = None,
) -> None:
    """Continue with the journal although it is older or changed.

    A person does this on a terminal, after comparing it with the broker's own history: orders that are
    not in it may be live. Earlier previews and approvals end. On live it asks for the PIN.
    """
    from capcli.safety.audit import Verified

    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[Verified]":
        service, keychain = application.verification, application.credentials.in_keychain
        found = service.verify(ask_keychain=keychain, progress=_counted(ctx, application))
        if found.problem is None:
            return found
        if call.json or not call.streams.interactive:
            raise NotConfirmed(
                f"{found.problem.message} Only a person on a terminal can accept it: not a pipe, a script"
                f" or --json. "
                "Nothing was changed.",
                next="capcli history accept",
            )
        recognise(call, application, "what the journal holds counts there too", "Nothing was changed.")
        call.talk(f"{found.problem.message}\n")
        why = reason or call.streams.ask("What happened to the journal? ")
        call.ask("From now on it counts as correct. Accept it?", "capcli history accept")
        return service.accept(reason=why, ask_keychain=keychain, progress=_counted(ctx, application))

    run(ctx, use, Verified)


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

    The last 7 days unless you give a span, newest first. Longer spans are read one day at a time, which
    is all that the broker gives at once. A row can appear up to two minutes late, and at first without
    its level.
    """
    from capcli.account.history import ActivityFound, Wanted

    wanted = Wanted(listed(epics), listed(types), listed(statuses), listed(sources), deal)
    when = _span(ctx, "activity", last, start, end)
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

    The last 30 days unless you give a span, newest first. Amounts are in the account's currency; charges
    are negative.
    """
    from capcli.account.history import TransactionsFound, Wanted

    wanted = Wanted(listed(epics), listed(types), listed(statuses), deal_id=deal)
    when = _span(ctx, "transactions", last, start, end)
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

    The last 30 days unless you give a span. It uses the broker's bookings only; open positions count once
    they are closed. The closing balance is the cash now, without what was booked after the span.
    """
    from capcli.account.history import Report

    when = _span(ctx, "report", last, start, end)
    run(ctx, lambda application: _told(ctx, application).report(when, by=by), Report)


@command(
    app,
    "stats",
    example="capcli history stats --last 90d --chart\ncapcli history stats --by tag --csv\n"
    "capcli history stats --last 90d --html trades.html",
)
def stats(
    ctx: typer.Context,
    *,
    last: _Last = None,
    start: _From = None,
    end: _To = None,
    by: Annotated[
        str, typer.Option(metavar="WHAT", help="market, tag, side, hour (of opening, UTC) or client.")
    ] = "market",
    chart: Annotated[bool, typer.Option("--chart", help="Draw the equity curve.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with pictures.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --html: overwrite the file.")] = False,
) -> None:
    """Win rate, expectancy, R and drawdown of closed trades, with costs.

    The last 30 days unless you give a span, in the account's currency. Results and costs are the broker's
    bookings, as in `capcli history report`; side, tag, first stop and client come from this computer's
    journal. R is a trade's result over the loss at its first stop. Several closes of one deal are one trade.
    Overnight fees name no deal: they are in the costs and in the expectancy, not in a single trade.
    """
    from capcli.account.statistics import StatsFound
    from capcli.cli.page import checked, write

    when, call = _span(ctx, "stats", last, start, end), ctx.find_root().obj
    checked(html, force=force)
    if chart:
        check_width(call)

    def use(application: "App") -> "Reply[StatsFound]":
        told = _progress(ctx, application, "Read {} of {} parts of the history.\n")
        reply = application.statistics.telling(told).of(when, by=by)
        if html is not None:
            write(call, html, reply, application.env)
        return reply

    run(ctx, use, StatsFound, explain=chart)


def _span(ctx: typer.Context, name: str, last: str | None, start: str | None, end: str | None) -> "Span":
    from capcli.account.history import Span

    if last is not None and (start is not None or end is not None):
        raise UsageError(
            "--last and --from/--to cannot be used together.", next=f"capcli history {name} --help"
        )
    call = ctx.find_root().obj
    since, until = (
        instant(name, text, call.clock, local=call.options.local)
        for name, text in (("--from", start), ("--to", end))
    )
    return Span(since, until, span("--last", last))


def _told(ctx: typer.Context, application: "App") -> "History":
    """Return the history that says how far it is."""
    return application.history.telling(_progress(ctx, application, "Read {} of {} parts of the history.\n"))


def _counted(ctx: typer.Context, application: "App") -> Callable[[int, int], None]:
    """Return what says how far a look through the journal is."""
    return _progress(ctx, application, "Checked {} of {} entries.\n")


def _progress(ctx: typer.Context, application: "App", text: str) -> Callable[[int, int], None]:
    """Return what says how far something is, once a second after the first one."""
    call: Call = ctx.find_root().obj
    said = application.clock()

    def told(done: int, of: int) -> None:
        nonlocal said
        now = application.clock()
        if done < of and now - said > _SECOND:
            said = now
            call.talk(text.format(done, of))

    return told
