"""The live table of watch: as many columns as fit, a sparkline per row, problems below. Drawn by rich."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Self, TextIO

from capcli.domain.market import MarketStatus
from capcli.domain.money import short
from capcli.domain.stream import Quiet, StreamEvent, Tick
from capcli.marketdata.live_book import LiveBook, LivePosition
from capcli.marketdata.streams import Watch
from capcli.render.blocks import NOTHING, Block, Cell, Column, Table, Terminal, Tone, line, strong
from capcli.render.numbers import gain, places, price
from capcli.render.text import Subject, paint
from capcli.render.watch_lines import Clockface, sentence

if TYPE_CHECKING:
    from rich.live import Live

_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=*#"
_SAMPLES = 120
_WIDEST, _NARROWEST = 40, 8
_FRAME_LINES = 7
_UNLIMITED = 10_000
# What goes first where there is no room for everything.
_LEAST_NEEDED = ("Received", "Spread", "Moved", "At", "Deal", "Trend", "Opened", "Offer", "Size")


def sparkline(values: Sequence[Decimal], width: int, *, unicode: bool) -> str:
    """Draw the latest values as bars between their least and their greatest."""
    recent = list(values)[-width:]
    if not recent:
        return ""
    bars, low = _BARS if unicode else _ASCII_BARS, min(recent)
    span = max(recent) - low
    if span == 0:
        return bars[0] * len(recent)
    return "".join(bars[int((value - low) * (len(bars) - 1) / span)] for value in recent)


@dataclass(slots=True)
class Row:
    """The last state of a market; without a tick until it has a price."""

    epic: str
    tick: Tick | None
    first: Decimal | None
    status: MarketStatus
    trend: deque[Decimal] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    quiet_since: int | None = None


class Board:
    """The rows of a watch. `take` is cheap; `blocks` is called a few times a second."""

    def __init__(self, watch: Watch) -> None:
        self.rows = {
            epic: Row(epic, one.first, one.market.quote.bid, one.market.quote.status)
            for epic, one in watch.markets.items()
        }
        self.notice = ""

    def take(self, events: Sequence[StreamEvent | Quiet]) -> None:
        """Process events."""
        for event in events:
            if isinstance(event, Tick):
                row = self.rows.get(event.epic)
                if row is not None:
                    row.tick, row.quiet_since, row.status = event, None, MarketStatus.TRADEABLE
            elif isinstance(event, Quiet):
                if event.epic in self.rows:
                    self.rows[event.epic].quiet_since = event.since_ms
                    self.rows[event.epic].status = event.status
            else:
                self.notice = sentence(event)

    def sample(self) -> None:
        """Advance the sparklines by one step."""
        for row in self.rows.values():
            if row.tick is not None:
                row.trend.append(row.tick.bid)

    def blocks(self, screen: Terminal, height: int, now_ms: int) -> list[Block]:
        """Return the table that fits."""
        rows = list(self.rows.values())[: max(1, height - _FRAME_LINES)]
        titles = ("Epic", "Bid", "Offer", "Spread", "Moved", "Trend", "At", "Received", "State")
        cells = [_market_cells(row, now_ms) for row in rows]
        fitted = _fitted(titles, cells, [row.trend for row in rows], screen)
        return [fitted, *_below(len(self.rows) - len(rows), self.notice)]


class BookBoard:
    """The open positions and their totals."""

    def __init__(self) -> None:
        self.book: LiveBook | None = None
        self.notice = ""
        self._trends: dict[str, deque[Decimal]] = {}
        self._quiet: dict[str, Quiet] = {}

    def take(self, events: Sequence[StreamEvent | Quiet]) -> None:
        """Process events."""
        for event in events:
            if isinstance(event, Tick):
                self._quiet.pop(event.epic, None)
            elif isinstance(event, Quiet):
                self._quiet[event.epic] = event
            else:
                self.notice = sentence(event)

    def sample(self) -> None:
        for row in self.book.positions if self.book else ():
            self._trends.setdefault(row.deal_id, deque(maxlen=_SAMPLES)).append(row.pl)

    def blocks(self, screen: Terminal, height: int, now_ms: int) -> list[Block]:
        """Return the table that fits, with its totals."""
        book = self.book
        if book is None or not (book.positions or book.unreadable):
            return [line("No open positions. One that opens will be shown here.", Tone.DIM)]
        rows = book.positions[: max(1, height - _FRAME_LINES - 1 - len(book.unreadable))]
        titles = ("Market", "Size", "Opened", "Now", "P&L", "Trend", "State", "Deal")
        cells = [self._position_cells(row, now_ms, is_reread=row.epic in book.reread) for row in rows]
        trends = [self._trends.get(row.deal_id, deque()) for row in rows]
        total = NOTHING if book.totals.pl is None else gain(book.totals.pl, book.totals.currency)
        count = "1 market is" if len(book.reread) == 1 else f"{len(book.reread)} markets are"
        reread = f"{count} beyond the 40 of a stream and priced every 15 s: {', '.join(book.reread)}"
        unread = (f"Open, but it cannot be read: {row.words}: {row.why}." for row in book.unreadable)
        return [
            _fitted(titles, cells, trends, screen),
            line(f"Total {total.text}, {book.totals.count} open", total.tone),
            *(line(text, Tone.WARN) for text in (*[reread] * bool(book.reread), *unread)),
            *_below(len(book.positions) - len(rows), self.notice),
        ]

    def _position_cells(self, row: LivePosition, now_ms: int, *, is_reread: bool) -> dict[str, Cell]:
        digits, quiet = places(row.price, row.level), self._quiet.get(row.epic)
        state = _state(quiet.status if quiet else MarketStatus.TRADEABLE, quiet and quiet.since_ms, now_ms)
        return {
            "Market": strong(row.epic),
            "Size": Cell(f"{row.side.value} {short(row.size)}"),
            "Opened": Cell(price(row.level, digits)),
            "Now": Cell(price(row.price, digits)),
            "P&L": gain(row.pl, row.currency),
            "State": Cell("every 15 s", Tone.WARN) if is_reread else state,
            "Deal": Cell(row.deal_id),
        }


class Screen:
    """Draws a board's table on a terminal in place. A context manager."""

    def __init__(
        self, stream: TextIO, screen: Callable[[], Terminal], subject: Subject, board: "Board | BookBoard"
    ) -> None:
        self._stream = stream
        self._subject = subject
        self._screen = screen
        self._board = board
        self._live: Live | None = None
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        screen = self._screen()
        console = Console(
            file=self._stream,
            force_terminal=True,
            color_system="standard" if screen.colour else None,
            legacy_windows=False,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        return self

    def draw(self, now_ms: int) -> None:
        """Draw the board for the current size of the terminal."""
        from rich.text import Text

        if self._live is None:
            return
        screen, size = self._screen(), self._live.console.size
        if self._size not in {None, size}:
            # After a resize the old table is rewrapped; drawing over it would leave pieces.
            self._live.console.clear()
        self._size = size
        painted = drawn(self._board, self._subject, screen, now_ms, height=size.height)
        self._live.update(Text.from_ansi(painted, no_wrap=True, overflow="crop"), refresh=True)

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()


def drawn(
    board: "Board | BookBoard", subject: Subject, screen: Terminal, now_ms: int, *, height: int = _UNLIMITED
) -> str:
    """Return the board with the environment and the account on top."""
    return paint([*subject.lines(), *board.blocks(screen, height, now_ms)], screen)


def _market_cells(row: Row, now_ms: int) -> dict[str, Cell]:
    tick, at = row.tick, Clockface()
    named = {"Epic": strong(row.epic), "State": _state(row.status, row.quiet_since, now_ms)}
    if tick is None:
        return dict.fromkeys(("Bid", "Offer", "Spread", "Moved", "At", "Received"), NOTHING) | named
    digits = places(tick.bid, tick.offer)
    move = tick.bid - (tick.bid if row.first is None else row.first)
    tone = Tone.GOOD if move > 0 else Tone.BAD if move < 0 else Tone.PLAIN
    return named | {
        "Bid": Cell(price(tick.bid, digits), tone),
        "Offer": Cell(price(tick.offer, digits)),
        "Spread": Cell(price(tick.offer - tick.bid, digits)),
        "Moved": Cell(f"{move:+f}", tone),
        "At": Cell(at(tick.at_ms)[11:19] + "Z"),
        "Received": Cell(at(tick.received_ms)[11:19] + "Z"),
    }


def _state(status: MarketStatus, quiet_since: int | None, now_ms: int) -> Cell:
    if status is not MarketStatus.TRADEABLE:
        return Cell(status.lower(), Tone.WARN)
    if quiet_since is not None:
        return Cell(f"silent {(now_ms - quiet_since) // 1000} s", Tone.BAD)
    return Cell("live", Tone.GOOD)


def _fitted(
    titles: Sequence[str],
    rows: Sequence[dict[str, Cell]],
    trends: Sequence[Sequence[Decimal]],
    screen: Terminal,
) -> Table:
    """Keep the columns that fit; the sparkline gets the rest."""
    width, kept = screen.width or 80, list(titles)
    widths = {
        title: max([len(title), *(len(row[title].text) for row in rows if title in row)]) for title in titles
    }

    def used() -> int:
        return sum(widths[title] + 2 for title in kept if title != "Trend") - 2

    for title in filter(kept.__contains__, _LEAST_NEEDED):
        if used() + (_NARROWEST + 2 if "Trend" in kept else 0) <= width:
            break
        kept.remove(title)
    room = min(_WIDEST, max(_NARROWEST, width - used() - 2))
    cells = []
    for row, trend in zip(rows, trends, strict=True):
        drawn = {**row, "Trend": Cell(sparkline(trend, room, unicode=screen.unicode).ljust(room))}
        cells.append(tuple(drawn[title] for title in kept))
    words = {"Epic", "Market", "Trend", "State", "Deal"}
    return Table(tuple(Column(title, right=title not in words) for title in kept), tuple(cells))


def _below(hidden: int, notice: str) -> list[Block]:
    more = [line(f"{hidden} more do not fit on this screen.", Tone.DIM)] if hidden > 0 else []
    return [*more, *([line(notice, Tone.WARN)] if notice else [])]
