"""`capcli events`: what happened on the account, once or as it comes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.inputs import span
from capcli.cli.run import run
from capcli.cli.tree import command, new_app
from capcli.cli.watch import ForSeconds, Plan, ending, program, seconds
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.account.events import EventRow, Feed
    from capcli.app import App
    from capcli.render.events import EventLines

app = new_app()
_DAY = timedelta(days=1)
_SLICE_S = 0.2


@command(
    app,
    "events",
    example="capcli events --last 7d\ncapcli events --follow --exec 'python3 on_event.py'\n"
    "capcli events --since 0123abcd-0000000042 --json",
)
def events(
    ctx: typer.Context,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep running and show new events.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="CURSOR", help="Events after this cursor.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--last", metavar="SPAN", help="How far back (default 24h).")
    ] = None,
    every: Annotated[
        str, typer.Option("--every", metavar="S", help="Seconds between checks with --follow.")
    ] = "5",
    program_line: Annotated[
        str | None,
        typer.Option("--exec", metavar="CMD", help="Run this for each event: JSON on stdin, no shell."),
    ] = None,
    lasts: ForSeconds = None,
) -> None:
    """What happened on the account: fills, stops, closes, halts.

    Fills, stops and limits that were hit, closes, rejections, expired orders, low margin, waiting approvals,
    halts, orders whose answer was lost and what happened to them, stored alerts. Oldest first; each has a
    cursor, and --since CURSOR shows everything after it. An event that is shown again, now with its price,
    is a "repeat".

    --follow tells new events until Ctrl-C, SIGTERM or the end of --for, which end with exit code 0: a line
    each on a terminal, JSON lines elsewhere. A broker that does not answer is reported on stderr and asked
    again. --exec runs CMD once for each event, one at a time, for 10 s at most, before its line is written:
    an event whose line is there was handled, and the one after --since may have been.
    """
    from capcli.account.events import EventsFound

    call: Call = ctx.find_root().obj
    argv = program("events", program_line)
    if not follow:
        if argv or lasts is not None:
            raise UsageError("--exec and --for need --follow.", next="capcli events --follow")
        if since is not None and last is not None:
            raise UsageError("--since and --last cannot be used together.", next="capcli events --help")
        length = span("--last", last) or _DAY
        run(ctx, lambda application: application.events.recent(last=length, since=since), EventsFound)
    if last is not None:
        raise UsageError(
            "--follow shows what happens from now on, or after --since; --last shows the past.",
            next="capcli events --last 24h",
        )
    call.check_form(EventsFound)
    plan = Plan(call, once=False, lasts=seconds("--for", lasts), every=seconds("--every", every) or 0)
    application = call.build()
    call.note_default(application)
    with ending() as asked:
        plan.ending = asked
        _follow(plan, application, since, argv)
    raise typer.Exit(0)


def _follow(plan: Plan, application: "App", since: str | None, argv: Sequence[str]) -> None:
    from msgspec.structs import replace

    from capcli.render.events import EventLines, csv_lines

    feed = application.events.follow(since)
    plan.ending.begun = True
    teller = _Teller(
        plan,
        application,
        argv,
        EventLines("events", application.env, feed.account_id, plan.call.options.fields),
    )
    if plan.on_screen:
        plan.call.talk(f"Events of account {feed.account_id} on {application.env}. Ctrl-C ends it.\n")
    if plan.call.options.csv:
        plan.call.streams.lines(csv_lines((), plan.call.options.fields))
    began, may_repeat = application.monotonic(), since is not None
    while plan.goes_on(application, began):
        for row in feed.poll():
            if not plan.goes_on(application, application.monotonic()):
                break
            # With a program nobody knows whether it ran for the event behind the cursor.
            teller.tell(replace(row, repeat=True) if argv and may_repeat else row)
            may_repeat = False
        teller.hear(feed)
        due = application.monotonic() + plan.every
        while application.monotonic() < due and plan.goes_on(application, began):
            application.sleep(min(_SLICE_S, plan.every))


class _Teller:
    """Runs the program for an event and writes its line; says on stderr what could not be read."""

    def __init__(self, plan: Plan, application: "App", argv: Sequence[str], lines: "EventLines") -> None:
        self._plan = plan
        self._call = plan.call
        self._app = application
        self._argv = argv
        self._lines = lines
        self._last: tuple[str, ...] = ()

    def tell(self, row: "EventRow") -> None:
        from capcli.render.events import csv_lines, event_line

        if self._argv:
            self._run(row)
        if self._plan.on_screen:
            self._call.streams.result(event_line(row, self._plan.look))
        elif self._call.options.csv:
            only = self._call.options.fields
            self._call.streams.lines(csv_lines([row], only).partition("\r\n")[2])
        else:
            self._call.streams.lines(self._lines.written(row))

    def _run(self, row: "EventRow") -> None:
        try:
            code = self._app.programs.run(self._argv, self._lines.whole(row))
        except OSError as error:
            self._call.talk(f"--exec failed: it could not be started: {error.strerror}.\n")
            return
        if code:
            self._call.talk(f"--exec failed for {row.cursor}: {_ended(self._argv[0], code)}.\n")

    def hear(self, feed: "Feed") -> None:
        """Say what is wrong, once, and when it is right again."""
        found: tuple[str, ...] = tuple(feed.problems)
        if feed.failure is not None:
            found += (f"{feed.failure.message} Asking again every {self._plan.every:g} s.",)
        for words in found:
            if words not in self._last:
                self._call.talk(f"{words}\n")
        if self._last and not found:
            self._call.talk("The account can be read again.\n")
        self._last = found


def _ended(name: str, code: int) -> str:
    if code == _NOT_STARTED:
        return f"{name} could not be run"
    return f"{name} was stopped after 10 s" if code == _TOO_LONG else f"{name} ended with exit code {code}"


_NOT_STARTED, _TOO_LONG = 127, 124
