"""`capcli watch`: what the stream sends, until it is ended."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.call import Call
from capcli.cli.inputs import above_zero, listed
from capcli.cli.options import ForSeconds, argument, flag, option
from capcli.cli.streaming import POLL_S, Plan, seconds
from capcli.cli.tree import command
from capcli.domain.stream import Quiet, StreamEvent, Tick
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.marketdata.live_book import LivePortfolio
    from capcli.marketdata.streams import Watch
    from capcli.render.watch import Board, BookBoard

_FRAME_S = 1.0


@command(
    example="capcli watch SILVER GOLD\ncapcli watch SILVER --every 0 --for 60 --json\n"
    "capcli watch SILVER GOLD --once\ncapcli watch --positions"
)
def watch(
    call: Call,
    epics: Annotated[list[str] | None, argument("[EPIC...]", "1 to 40 markets.")] = None,
    *,
    positions: Annotated[bool, flag("--positions", "The open positions: P&L from every tick.")] = False,
    once: Annotated[bool, flag("--once", "The first tick of each market, then end.")] = False,
    lasts: ForSeconds = None,
    every: Annotated[str, option("At most one line in S seconds each; 0 is every tick.", "S")] = "1",
) -> None:
    """A table on a terminal, JSON lines elsewhere and with --json, rows with --csv. It runs until Ctrl-C,
    SIGTERM, the end of --for, or until the reader goes away: all of these exit 0. After a break it
    connects again and says which ticks may be missing ("gap"). A market that stops ticking is shown as
    closed, or as silent. Times: "at" is the broker's, "received_at" is this computer's.
    """
    from capcli.marketdata.live_book import LivePortfolio
    from capcli.render.watch_lines import BOOK_FIELDS, TICK_FIELDS, check_names

    if bool(epics) == positions:
        raise UsageError("Name the epics to watch, or --positions.")
    if once and lasts is not None:
        raise UsageError("--once and --for cannot be used together.")
    every_tick = not every.strip("0.") and every.strip(".")
    plan = Plan(call, seconds("--for", lasts), 0 if every_tick else float(above_zero("--every", every)), once)
    check_names(call.options.fields, BOOK_FIELDS if positions else TICK_FIELDS)
    app = call.build()
    call.note_default(app)
    with plan.signals():
        source: Any = (
            LivePortfolio(app.reads, app.streams) if positions else app.watching.watch(listed(epics))
        )
        plan.ending.begun = True
        try:
            if plan.on_screen:
                from capcli.render.watch import Board, BookBoard

                board = BookBoard() if positions else Board(source)
                (_once if once else _on_screen)(plan, app, source, board)
            else:
                (_book_lines if positions else _tick_lines)(plan, app, source)
        finally:
            source.close()
    raise typer.Exit(0)


def _on_screen(plan: Plan, app: "App", source: "Watch | LivePortfolio", board: "Board | BookBoard") -> None:
    from capcli.render.text import Subject
    from capcli.render.watch import Screen

    terminal = lambda: plan.call.terminal  # noqa: E731  it may be resized at any time
    began, drawn_at = app.monotonic(), -_FRAME_S
    subject = Subject(app.env, source.account_id)
    with Screen(plan.call.streams.stdout, terminal, subject, board) as screen:
        while plan.goes_on(app, began):
            board.take(source.receive(POLL_S))
            if app.monotonic() - drawn_at >= max(POLL_S, min(plan.every, _FRAME_S)):
                drawn_at = app.monotonic()
                _refresh(source, board)
                screen.draw(_now_ms(app))
        _refresh(source, board)
        screen.draw(_now_ms(app))


def _once(plan: Plan, app: "App", source: "Watch | LivePortfolio", board: "Board | BookBoard") -> None:
    """Wait for the first tick of each market that is open, and write the table once."""
    from capcli.render.text import Subject
    from capcli.render.watch import drawn

    left = set(getattr(source, "markets", ()))
    while left and plan.goes_on(app, 0):
        events = source.receive(POLL_S)
        board.take(events)
        left -= {event.epic for event in events if isinstance(event, Tick | Quiet)}
    _refresh(source, board)
    subject = Subject(app.env, source.account_id)
    plan.call.streams.result(drawn(board, subject, plan.call.terminal, _now_ms(app)))


def _refresh(source: Any, board: Any) -> None:
    if hasattr(source, "snapshot"):
        board.book = source.snapshot()
    board.sample()


def _tick_lines(plan: Plan, app: "App", watched: "Watch") -> None:
    from capcli.marketdata.streams import Throttle
    from capcli.render.watch_lines import TICK_FIELDS

    lines, began = _Lines(plan.call, app, watched.account_id, TICK_FIELDS), app.monotonic()
    throttle = Throttle(0 if plan.once else int(plan.every * 1000))
    left = set(watched.markets)
    while plan.goes_on(app, began) and (left or not plan.once):
        events = throttle.pass_on(watched.receive(POLL_S), _now_ms(app))
        if not plan.once:
            lines.take(events)
            continue
        # The first tick of each market, or its last price if no tick will come.
        firsts: list[StreamEvent | Quiet] = []
        for event in events:
            if isinstance(event, Tick) and event.epic in left:
                left.discard(event.epic)
                firsts.append(event)
        lines.take(firsts)
        for epic in sorted(left):
            if (since := watched.since_ms(epic)) is not None:
                left.discard(epic)
                lines.shut(watched, epic, since)
    if not plan.once:
        rest: list[StreamEvent | Quiet] = [*watched.close()]
        lines.take(throttle.pass_on(rest, _now_ms(app) + int(plan.every * 1000)))


def _book_lines(plan: Plan, app: "App", book: "LivePortfolio") -> None:
    from capcli.render.watch_lines import BOOK_FIELDS

    lines = _Lines(plan.call, app, book.account_id, BOOK_FIELDS)
    began, written = app.monotonic(), -plan.every
    lines.write(lines.writer.book(book.snapshot()))
    while not plan.once and plan.goes_on(app, began):
        events = book.receive(POLL_S)
        lines.take([event for event in events if type(event) is not Tick])
        due = app.monotonic() - written >= plan.every
        if due and (plan.every or any(type(event) is Tick for event in events)):
            written = app.monotonic()
            lines.write(lines.writer.book(book.snapshot()))


class _Lines:
    """Writes events in the chosen form; events without a CSV row go to stderr."""

    def __init__(self, call: Call, app: "App", account_id: str | None, fields: Sequence[str]) -> None:
        from capcli.render.watch_lines import CsvLines, JsonLines

        self._call = call
        self._json = JsonLines(call.command, app.env, account_id, call.options.fields)
        self.write = call.streams.lines
        self.writer: JsonLines | CsvLines = self._json
        if call.options.csv:
            self.writer = CsvLines(fields, call.options.fields)
            self.write(self.writer.header)

    def take(self, events: Sequence[StreamEvent | Quiet]) -> None:
        """Write all events of one read at once."""
        from capcli.render.watch_lines import sentence

        text, ticks = "", [event for event in events if type(event) is Tick]
        for event in events if len(ticks) < len(events) else ():
            if type(event) is Tick:
                continue
            if self.writer is self._json:
                text += self._json.told(event)
            else:
                self._call.talk(sentence(event) + "\n")
        self.write(text + self.writer.ticks(ticks))

    def shut(self, watched: "Watch", epic: str, since_ms: int) -> None:
        """Write the last known price of a market that is closed."""
        from capcli.render.watch_lines import Clockface, tick_row

        first, status = watched.markets[epic].first, watched.status[epic]
        if first is None:
            self.take([Quiet(epic, status, since_ms)])
        elif self.writer is self._json:
            self.write(self._json.event("last", tick_row(first, Clockface()) | {"market_status": status}))
        else:
            self._call.talk(f"{epic} is {status.lower()}: this is its last price.\n")
            self.write(self.writer.ticks([first]))


def _now_ms(app: "App") -> int:
    return int(app.clock().timestamp() * 1000)
