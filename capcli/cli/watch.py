"""`capcli watch`: what the stream tells, until it is ended."""

import os
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.call import Call
from capcli.cli.inputs import above_zero, listed, span
from capcli.cli.tree import command, new_app
from capcli.domain.stream import Quiet, Tick, Told
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.marketdata.live_book import Book
    from capcli.marketdata.streams import Watch
    from capcli.render.live import Board, BookBoard
    from capcli.render.stream import CsvLines, JsonLines

watch_app = new_app()
LOOK_S = 0.2
_FRAME_S = 1.0
ForSeconds = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="Stop after seconds, or 5m, 2h.")
]


@dataclass(slots=True)
class Ending:
    """Whether somebody asked the stream to end: Ctrl-C, or SIGTERM.

    Before it has begun both stop the command as they stop any other.
    """

    begun: bool = False
    asked: bool = False

    def __call__(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and (self.asked or not self.begun):
            raise KeyboardInterrupt
        if not self.begun:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.asked = True


@contextmanager
def ending() -> Iterator[Ending]:
    """Let the first Ctrl-C or SIGTERM end a stream in order; the second Ctrl-C ends it at once."""
    asked = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, asked) for number in wanted}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@command(
    watch_app,
    "watch",
    example="capcli watch SILVER GOLD\ncapcli watch SILVER --every 0 --for 60 --json\n"
    "capcli watch SILVER GOLD --once\ncapcli watch --positions",
)
def watch(
    ctx: typer.Context,
    epics: Annotated[list[str] | None, typer.Argument(metavar="[EPIC...]", help="1 to 40 markets.")] = None,
    *,
    positions: Annotated[
        bool, typer.Option("--positions", help="The open positions: P&L from every tick.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="The first tick of each market, then end.")] = False,
    lasts: ForSeconds = None,
    every: Annotated[
        str, typer.Option("--every", metavar="S", help="At most one line in S seconds each; 0 is every tick.")
    ] = "1",
) -> None:
    """Prices or positions, live from the stream.

    A table on a terminal, JSON lines elsewhere and with --json, rows with --csv. It runs until Ctrl-C,
    SIGTERM, the end of --for, or until the reader goes away: all of these exit 0. After a break it
    connects again and says which ticks may be missing ("gap"). A market that stops ticking is shown as
    closed, or as silent. Times: "at" is the broker's, "received_at" is this computer's.
    """
    call: Call = ctx.find_root().obj
    if bool(epics) == positions:
        raise UsageError("Name the epics to watch, or --positions.", next="capcli watch --help")
    if once and lasts is not None:
        raise UsageError("--once and --for cannot be used together.", next="capcli watch --help")
    plan = Plan(call, once=once, lasts=seconds("--for", lasts), every=_interval(every))
    plan.check(book=positions)
    app = call.build()
    call.note_default(app)
    with ending() as asked:
        plan.ending = asked
        (_watch_book if positions else _watch_prices)(plan, app, listed(epics))
    raise typer.Exit(0)


@dataclass(slots=True)
class Plan:
    """How long a stream goes on, and in which form it is written. Seconds."""

    call: Call
    once: bool
    lasts: float | None
    every: float
    ending: Ending = None  # type: ignore[assignment]  # set before anything is streamed

    @property
    def on_screen(self) -> bool:
        given = self.call.options
        return not (self.call.json or given.csv or given.fields) and self.look.width is not None

    @property
    def look(self) -> Any:
        return self.call.streams.look(no_colour=self.call.options.no_colour)

    def check(self, *, book: bool) -> None:
        """Refuse unknown fields before anything is asked. Raises UsageError."""
        from capcli.render.stream import BOOK_FIELDS, TICK_FIELDS, check_names

        check_names(self.call.options.fields, BOOK_FIELDS if book else TICK_FIELDS)

    def goes_on(self, app: "App", began: float) -> bool:
        """Say whether nobody ended it yet."""
        if self.ending.asked or self.call.streams.gone or self.call.streams.lost:
            return False
        return self.lasts is None or app.monotonic() - began < self.lasts


def _watch_prices(plan: Plan, app: "App", epics: Sequence[str]) -> None:
    watched = app.watching.watch(epics)
    plan.ending.begun = True
    try:
        if plan.on_screen:
            from capcli.render.live import Board

            (_once if plan.once else _on_screen)(plan, app, watched, Board(watched))
            return
        _as_lines(plan, app, watched)
    finally:
        watched.close()


def _on_screen(plan: Plan, app: "App", source: "Watch | Book", board: "Board | BookBoard") -> None:
    from capcli.render.live import Screen
    from capcli.render.text import Subject

    look = lambda: plan.look  # noqa: E731  the terminal may be resized at any time
    began, drawn_at = app.monotonic(), -_FRAME_S
    subject = Subject(app.env, source.account_id)
    with Screen(plan.call.streams.stdout, look, subject, board) as screen:
        while plan.goes_on(app, began):
            board.take(source.receive(LOOK_S))
            if app.monotonic() - drawn_at >= max(LOOK_S, min(plan.every, _FRAME_S)):
                drawn_at = app.monotonic()
                _refresh(source, board)
                screen.draw(_now_ms(app))
        _refresh(source, board)
        screen.draw(_now_ms(app))


def _once(plan: Plan, app: "App", source: "Watch | Book", board: "Board | BookBoard") -> None:
    """Wait for the first tick of each market that is open, and write the table once."""
    from capcli.render.live import drawn
    from capcli.render.text import Subject

    left = set(getattr(source, "markets", ()))
    while left and plan.goes_on(app, 0):
        told = source.receive(LOOK_S)
        board.take(told)
        left -= {event.epic for event in told if isinstance(event, Tick | Quiet)}
    _refresh(source, board)
    subject = Subject(app.env, source.account_id)
    plan.call.streams.result(drawn(board, subject, plan.look, _now_ms(app)))


def _refresh(source: Any, board: Any) -> None:
    if hasattr(source, "snapshot"):
        board.book = source.snapshot()
    board.sample()


def _as_lines(plan: Plan, app: "App", watched: "Watch") -> None:
    from capcli.marketdata.streams import Throttle

    call, began = plan.call, app.monotonic()
    lines = _Lines(call, _writer(call, app, watched.account_id))
    throttle = Throttle(0 if plan.once else int(plan.every * 1000))
    left = set(watched.markets)
    while plan.goes_on(app, began) and (left or not plan.once):
        told = throttle.pass_on(watched.receive(LOOK_S), _now_ms(app))
        if plan.once:
            told = _firsts(told, left)
            lines.take(told)
            lines.shut(watched, left)
        else:
            lines.take(told)
    if not plan.once:
        rest: list[Told | Quiet] = [*watched.close()]
        lines.take(throttle.pass_on(rest, _now_ms(app) + int(plan.every * 1000)))


def _firsts(told: Sequence[Told | Quiet], left: set[str]) -> list[Told | Quiet]:
    """Keep the first tick of each market that has not had one."""
    kept: list[Told | Quiet] = []
    for event in told:
        if isinstance(event, Tick) and event.epic in left:
            left.discard(event.epic)
            kept.append(event)
    return kept


class _Lines:
    """Writes events in the form that was asked for; what CSV has no row for goes to stderr."""

    def __init__(self, call: Call, writer: "JsonLines | CsvLines") -> None:
        self._call = call
        self._writer = writer
        if header := getattr(writer, "header", ""):
            call.streams.lines(header)

    def take(self, told: Sequence[Told | Quiet]) -> None:
        """Write everything of one read at once."""
        text, ticks = "", [event for event in told if type(event) is Tick]
        if len(ticks) < len(told):
            others = [event for event in told if type(event) is not Tick]
            text = "".join(self._other(event) for event in others)
        self._call.streams.lines(text + self._writer.ticks(ticks))

    def _other(self, event: Told | Quiet) -> str:
        from capcli.render.stream import JsonLines, sentence

        if isinstance(self._writer, JsonLines):
            return self._writer.told(event)
        self._call.talk(sentence(event) + "\n")
        return ""

    def shut(self, watched: "Watch", left: set[str]) -> None:
        """Write the last known price of markets from which no tick is to be expected."""
        from capcli.render.stream import Clockface, JsonLines, tick_row

        for epic in sorted(left):
            since = watched.since_ms(epic)
            if since is None:
                continue
            left.discard(epic)
            first = watched.markets[epic].first
            if first is None:
                self.take([Quiet(epic, watched.status[epic].value, since)])
            elif isinstance(self._writer, JsonLines):
                row = tick_row(first, Clockface()) | {"market_status": watched.status[epic]}
                self._call.streams.lines(self._writer.event("last", row))
            else:
                self._call.talk(f"{epic} is {watched.status[epic].lower()}: this is its last price.\n")
                self._call.streams.lines(self._writer.ticks([first]))


def _writer(call: Call, app: "App", account_id: str | None, *, book: bool = False) -> "JsonLines | CsvLines":
    from capcli.render.stream import BOOK_FIELDS, TICK_FIELDS, CsvLines, JsonLines

    if call.options.csv:
        return CsvLines(BOOK_FIELDS if book else TICK_FIELDS, call.options.fields)
    return JsonLines(call.command, app.env, account_id, call.options.fields)


def _watch_book(plan: Plan, app: "App", _epics: Sequence[str]) -> None:
    book = app.live_portfolio.open()
    plan.ending.begun = True
    try:
        if plan.on_screen:
            from capcli.render.live import BookBoard

            (_once if plan.once else _on_screen)(plan, app, book, BookBoard())
            return
        _book_lines(plan, app, book)
    finally:
        book.close()


def _book_lines(plan: Plan, app: "App", book: "Book") -> None:
    call, began, written = plan.call, app.monotonic(), -plan.every
    writer = _writer(call, app, book.account_id, book=True)
    lines = _Lines(call, writer)
    call.streams.lines(writer.book(book.snapshot()))
    while not plan.once and plan.goes_on(app, began):
        told = book.receive(LOOK_S)
        lines.take([event for event in told if type(event) is not Tick])
        due = app.monotonic() - written >= plan.every
        if due and (plan.every or any(type(event) is Tick for event in told)):
            written = app.monotonic()
            call.streams.lines(writer.book(book.snapshot()))


def program(command: str, text: str | None) -> list[str]:
    """Read the program of --exec as its words. Raises UsageError."""
    if text is None:
        return []
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        words, why = [], f": {error}"
    else:
        why = ""
    if not words:
        raise UsageError(f"--exec holds no command{why}. Nothing was run.", next=f"capcli {command} --help")
    return words


def seconds(option: str, text: str | None) -> float | None:
    """Read a length of time: a number is seconds, else as `--last` takes it."""
    if text is None:
        return None
    word = text.strip().removesuffix("s")
    if word[-1:].isalpha() and (length := span(option, word)):
        return length.total_seconds()
    return _float(above_zero(option, word))


def _interval(text: str) -> float:
    return 0.0 if not text.strip("0.") and text.strip(".") else _float(above_zero("--every", text))


def _float(seconds: Decimal) -> float:
    return float(seconds)


def _now_ms(app: "App") -> int:
    return int(app.clock().timestamp() * 1000)
