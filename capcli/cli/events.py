"""`capcli events`: what happened on the account, once or as it comes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.inputs import span
from capcli.cli.options import ForSeconds, option
from capcli.cli.run import run
from capcli.cli.streaming import POLL_S, Plan, program, seconds
from capcli.cli.tree import command
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.account.events import EventRow, Feed
    from capcli.app import App
    from capcli.render.events import EventLines

_NOT_STARTED, _TOO_LONG = 127, 124


@command(
    example="capcli events --last 7d\ncapcli events --follow --exec 'python3 on_event.py'\n"
    "capcli events --since 0123abcd-0000000042 --json"
)
def events(
    call: Call,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep running and show new events.")] = False,
    since: Annotated[str | None, option("Events after this cursor.", "CURSOR")] = None,
    last: Annotated[str | None, option("How far back (default 24h).", "SPAN")] = None,
    every: Annotated[str, option("Seconds between checks with --follow.", "S")] = "5",
    program_line: Annotated[
        str | None, option("Run this for each event: JSON on stdin, no shell.", "CMD", "--exec")
    ] = None,
    lasts: ForSeconds = None,
) -> None:
    """Fills, stops and limits that were hit, closes, rejections, expired orders, low margin, waiting
    approvals, halts, orders whose answer was lost and what happened to them, stored alerts. Oldest first;
    each has a cursor, and --since CURSOR shows everything after it. An event that is shown again, now with
    its price, is a "repeat".

    --follow tells new events until Ctrl-C, SIGTERM or the end of --for, which end with exit code 0: a line
    each on a terminal, JSON lines elsewhere. A broker that does not answer is reported on stderr and asked
    again. --exec runs CMD once for each event, one at a time, for 10 s at most, before its line is written:
    an event whose line is there was handled, and the one after --since may have been.
    """
    argv = program(program_line)
    if not follow:
        if argv or lasts is not None:
            raise UsageError("--exec and --for need --follow.", next="capcli events --follow")
        if since is not None and last is not None:
            raise UsageError("--since and --last cannot be used together.")
        length = span("--last", last) or timedelta(days=1)
        run(call, lambda app: app.events.recent(last=length, since=since))
    if last is not None:
        raise UsageError(
            "--follow shows what happens from now on, or after --since; --last shows the past.",
            next="capcli events --last 24h",
        )
    plan = Plan(call, seconds("--for", lasts), seconds("--every", every) or 0)
    app = call.open()
    with plan.signals():
        _follow(plan, app, since, argv)
    raise typer.Exit(0)


def _follow(plan: Plan, app: "App", since: str | None, argv: Sequence[str]) -> None:
    from capcli.render.events import EventLines, csv_line

    call = plan.call
    feed = app.events.follow(since)
    plan.ending.begun = True
    writer = _Writer(plan, app, argv, EventLines("events", app.env, feed.account_id, call.options.fields))
    if plan.on_screen:
        call.talk(f"Events of account {feed.account_id} on {app.env}. Ctrl-C ends it.\n")
    if call.options.csv:
        call.streams.lines(csv_line(None, call.options.fields))
    began, may_repeat = app.monotonic(), since is not None
    while plan.goes_on(app, began):
        for row in feed.poll():
            if not plan.goes_on(app, app.monotonic()):
                break
            # With --exec it is unknown whether the program ran for the event after the cursor.
            writer.write(replace(row, repeat=True) if argv and may_repeat else row)
            may_repeat = False
        writer.report(feed)
        due = app.monotonic() + plan.every
        while app.monotonic() < due and plan.goes_on(app, began):
            app.sleep(min(POLL_S, plan.every))


class _Writer:
    """Runs the program for an event and writes its line; says on stderr what could not be read."""

    def __init__(self, plan: Plan, app: "App", argv: Sequence[str], lines: "EventLines") -> None:
        self._plan, self._app, self._argv, self._lines = plan, app, argv, lines
        self._last: tuple[str, ...] = ()

    def write(self, row: "EventRow") -> None:
        from capcli.render.events import csv_line, event_line

        call = self._plan.call
        if self._argv:
            self._run(row)
        if self._plan.on_screen:
            call.streams.result(event_line(row, self._plan.call.terminal))
        elif call.options.csv:
            call.streams.lines(csv_line(row, call.options.fields))
        else:
            call.streams.lines(self._lines.written(row))

    def _run(self, row: "EventRow") -> None:
        talk, name = self._plan.call.talk, self._argv[0]
        try:
            code = self._app.programs.run(self._argv, self._lines.whole(row))
        except OSError as error:
            talk(f"--exec failed: it could not be started: {error.strerror}.\n")
            return
        ended = {_NOT_STARTED: "could not be run", _TOO_LONG: "was stopped after 10 s"}
        if code:
            how = ended.get(code, f"ended with exit code {code}")
            talk(f"--exec failed for {row.cursor}: {name} {how}.\n")

    def report(self, feed: "Feed") -> None:
        """Report a trouble once, and when it is over."""
        found: tuple[str, ...] = tuple(feed.problems)
        if feed.failure is not None:
            found += (f"{feed.failure.message} Asking again every {self._plan.every:g} s.",)
        for words in found:
            if words not in self._last:
                self._plan.call.talk(f"{words}\n")
        if self._last and not found:
            self._plan.call.talk("The account can be read again.\n")
        self._last = found
