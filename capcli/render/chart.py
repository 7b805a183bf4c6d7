"""Candles drawn with characters: price to the right, volume and time below."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from capcli.domain.market import Candle
from capcli.render.blocks import Cell, Terminal, Tone
from capcli.render.numbers import places, price

NARROWEST = 40
_PIPED = 80
_WIDE = 120
_ROWS, _ROWS_WIDE = 16, 24
_VOLUME_ROWS = 3
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_DAY = timedelta(days=1)
_TIME_GAP = 3
_PRICE_EVERY = 4
_LEAST_FOR_VOLUMES = 14
_PIECES = re.compile(r" +|[^ ]+")


class _Bar(Struct, frozen=True):
    """One column: a candle, or several in a row drawn as one; bid prices."""

    time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @classmethod
    def of(cls, group: Sequence[Candle]) -> "_Bar":
        return cls(
            group[0].time,
            group[0].bid_open,
            max(candle.bid_high for candle in group),
            min(candle.bid_low for candle in group),
            group[-1].bid_close,
            sum((candle.volume or Decimal(0) for candle in group), Decimal(0)),
        )

    @property
    def rises(self) -> bool:
        return self.close >= self.open


class Mark(Struct, frozen=True):
    """One of the trader's levels across the candles: an entry, a stop, a limit or an order."""

    name: str
    level: Decimal


class _Glyphs(Struct, frozen=True):
    """The characters of a candle. Without colour, rising and falling bodies use different ones."""

    rising: str
    falling: str
    wick: str
    axis: str


_COLOURED = _Glyphs("█", "█", "│", "┤")
_MONOCHROME = _Glyphs("█", "░", "│", "┤")
_ASCII = _Glyphs("#", "o", "|", "|")


def lines(
    candles: Sequence[Candle], screen: Terminal, *, rows: int | None = None, marks: Sequence[Mark] = ()
) -> list[list[Cell]]:
    """Return the chart as lines of toned cells, or one line if it does not fit.

    `rows`: at most so many lines. Marks far from the candles are left out: `beyond` names them.
    """
    width = screen.width or screen.columns or _PIPED
    if width < NARROWEST:
        return [[Cell(f"A chart needs {NARROWEST} columns; here are {width}.")]]
    digits = places(*(candle.bid_close for candle in candles))
    scale = _span(candles)
    marks = [mark for mark in marks if _is_near(mark, scale)]
    levels = [mark.level for mark in marks]
    low, high = min([scale.low, *levels]), max([scale.high, *levels])
    label = max(len(price(low, digits)), len(price(high, digits)))
    each = -(-len(candles) // (width - label - 2))
    groups = [candles[at : at + each] for at in range(0, len(candles), each)]
    stride = min(3, max(1, (width - label - 2) // len(groups)))
    glyphs = (_COLOURED if screen.colour else _MONOCHROME) if screen.unicode else _ASCII
    chart = _Chart([_Bar.of(group) for group in groups], stride, glyphs, digits, label, screen)
    below = [chart.times(candles[-1].time - candles[0].time)]
    if rows is not None:
        volumes = chart.volumes() if rows >= _LEAST_FOR_VOLUMES else []
        scale = Scale(low, high, max(2, rows - len(volumes) - 1))
        return [*chart.prices(scale, marks), *volumes, *below]
    scale = Scale(low, high, _ROWS_WIDE if width >= _WIDE else _ROWS)
    note = [[Cell(f"Each column is {each} candles.", Tone.DIM)]] if each > 1 else []
    if not screen.colour:
        note.append([Cell(f"{glyphs.rising} closed higher  {glyphs.falling} closed lower", Tone.DIM)])
    return [*chart.prices(scale, marks), *chart.volumes(), *below, *note]


def beyond(candles: Sequence[Candle], marks: Sequence[Mark]) -> list[Cell]:
    """Name the marks that are too far from the candles to be drawn."""
    if not candles:
        return []
    scale, digits = _span(candles), places(*(candle.bid_close for candle in candles))
    far = (mark for mark in marks if not _is_near(mark, scale))
    return [
        Cell(
            f"  {mark.name} {price(mark.level, digits)} {'above' if mark.level > scale.high else 'below'}",
            Tone.WARN,
        )
        for mark in far
    ]


def _span(candles: Sequence[Candle]) -> "Scale":
    return Scale(min(one.bid_low for one in candles), max(one.bid_high for one in candles), 2)


def _is_near(mark: Mark, scale: "Scale") -> bool:
    room = scale.high - scale.low
    return scale.low - room <= mark.level <= scale.high + room


class Scale(Struct, frozen=True):
    """Prices on rows; row 0 is the top one."""

    low: Decimal
    high: Decimal
    rows: int

    def row(self, level: Decimal) -> int:
        if self.high == self.low:
            return self.rows // 2
        share = (self.high - level) / (self.high - self.low)
        return int((share * (self.rows - 1)).to_integral_value(ROUND_HALF_UP))

    def level(self, row: int) -> Decimal:
        return self.high - (self.high - self.low) * row / (self.rows - 1)


class _Chart(Struct, frozen=True):
    bars: list[_Bar]
    stride: int
    glyphs: _Glyphs
    digits: int
    label: int
    screen: Terminal

    @property
    def plot(self) -> int:
        return (len(self.bars) - 1) * self.stride + 1

    def prices(self, scale: Scale, marks: Sequence[Mark]) -> list[list[Cell]]:
        last = scale.row(self.bars[-1].close)
        marked = {scale.row(mark.level): mark for mark in reversed(marks)}
        return [self._price_line(row, scale, last, marked.get(row)) for row in range(scale.rows)]

    def _price_line(self, row: int, scale: Scale, last: int, mark: Mark | None) -> list[Cell]:
        cells = self._spread(self._candle(bar, row, scale) for bar in self.bars)
        if mark is not None:
            cells = self._crossed(cells, mark.name)
        if row == last:
            return [*cells, *self._axis(self.bars[-1].close, Tone.STRONG)]
        if mark is not None:
            return [*cells, *self._axis(mark.level, Tone.WARN)]
        near_last = abs(row - last) < 2  # noqa: PLR2004  its label is the closing price's place
        if row % _PRICE_EVERY == 0 and not near_last:
            return [*cells, *self._axis(scale.level(row), Tone.DIM)]
        return [*cells, Cell(f" {'│' if self.screen.unicode else '|'}", Tone.DIM)]

    def _crossed(self, cells: Sequence[Cell], name: str) -> list[Cell]:
        """Draw a named level between the candles."""
        dash, found = "┄" if self.screen.unicode else "-", list[Cell]()
        for cell in cells:
            # Candles of one tone are separated by blanks, too.
            for piece in _PIECES.findall(cell.text):
                blank = not piece.strip()
                found.append(Cell(dash * len(piece), Tone.WARN) if blank else Cell(piece, cell.tone))
        for at, one in enumerate(found):
            if one.text[0] == dash and len(one.text) > len(name):
                found[at] = Cell(name + one.text[len(name) :], Tone.WARN)
                break
        return found

    def _axis(self, level: Decimal, tone: Tone) -> list[Cell]:
        text = price(round(level, self.digits), self.digits)
        return [Cell(f" {self.glyphs.axis}", Tone.DIM), Cell(f"{text:>{self.label}}"[: self.label], tone)]

    def _candle(self, bar: _Bar, row: int, scale: Scale) -> Cell:
        tone = Tone.GOOD if bar.rises else Tone.BAD
        top, bottom = sorted((scale.row(bar.open), scale.row(bar.close)))
        if top <= row <= bottom:
            return Cell(self.glyphs.rising if bar.rises else self.glyphs.falling, tone)
        if scale.row(bar.high) <= row <= scale.row(bar.low):
            return Cell(self.glyphs.wick, tone)
        return Cell(" ")

    def _spread(self, cells: Iterable[Cell]) -> list[Cell]:
        """Space the columns, and join neighbours of one tone."""
        joined: list[Cell] = []
        for place, cell in enumerate(cells):
            gap = " " * (self.stride - 1) if place else ""
            for piece in (Cell(gap), cell):
                if joined and (joined[-1].tone is piece.tone or not piece.text.strip()):
                    joined[-1] = Cell(joined[-1].text + piece.text, joined[-1].tone)
                elif piece.text:
                    joined.append(piece)
        return joined

    def volumes(self) -> list[list[Cell]]:
        most = max(bar.volume for bar in self.bars)
        if not most:
            return []
        found, axis = [], Cell(f" {'│' if self.screen.unicode else '|'}", Tone.DIM)
        for row in range(_VOLUME_ROWS - 1, -1, -1):
            letters = (Cell(self._volume_letter(bar, row, most), Tone.DIM) for bar in self.bars)
            found.append([*self._spread(letters), axis])
        found[0].append(Cell(f"{_short(most):>{self.label}}", Tone.DIM))
        return found

    def _volume_letter(self, bar: _Bar, row: int, most: Decimal) -> str:
        eighths = int((bar.volume / most * _VOLUME_ROWS * 8).to_integral_value(ROUND_HALF_UP)) - row * 8
        if not self.screen.unicode:
            return ":" if eighths >= 4 else " "  # noqa: PLR2004  half of the letter
        return _EIGHTHS[max(0, min(eighths, 8))]

    def times(self, span: timedelta) -> list[Cell]:
        """Return the line of times, each beginning under its candle."""
        text = ""
        before: datetime | None = None
        for place, bar in enumerate(self.bars):
            at = place * self.stride
            word = _when(bar.time, before, span)
            if (at == 0 or at >= len(text) + _TIME_GAP) and at + len(word) <= self.plot + self.label + 2:
                text = f"{text:<{at}}{word}"
                before = bar.time
        return [Cell(text, Tone.DIM)]


def _when(at: datetime, before: datetime | None, span: timedelta) -> str:
    if span > 300 * _DAY:
        return f"{at:%Y-%m-%d}"
    if span > 5 * _DAY:
        return f"{at:%m-%d}"
    new_day = before is None or before.date() != at.date()
    return f"{at:%m-%d %H:%M}" if new_day and span > timedelta(0) else f"{at:%H:%M}"


def _short(volume: Decimal) -> str:
    """Format a volume with at most five characters."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if volume >= 10 * size:
            return f"{volume / size:.0f}{unit}"
    return f"{volume:.0f}"
