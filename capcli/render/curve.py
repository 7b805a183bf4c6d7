"""A line over time drawn with letters: the booked sum of trading. Ours, so that it is small."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from msgspec import Struct

from capcli.domain.numbers import result
from capcli.domain.performance import CurvePoint
from capcli.render.blocks import Cell, Terminal, Tone
from capcli.render.chart import NARROWEST

_PIPED = 80
_ROWS = 12
_LABEL_EVERY = 4
_ASCII = str.maketrans("─│╮╯╰╭", "-|++++")


def lines(points: Sequence[CurvePoint], start: datetime, end: datetime, look: Terminal) -> list[list[Cell]]:
    """Return the curve as lines of toned cells; one line that says so where it cannot fit."""
    width = look.width or look.columns or _PIPED
    if width < NARROWEST:
        return [[Cell(f"A chart needs {NARROWEST} columns; here are {width}.")]]
    low = min(Decimal(0), *(point.sum for point in points))
    high = max(Decimal(0), *(point.sum for point in points))
    label = max(len(result(low)), len(result(high)))
    sums = _columns(points, start, end, width - label - 2)
    rows = [_row(level, low, high) for level in sums]
    zero = _row(Decimal(0), low, high)
    scale = _Axis(low, high, zero, label)
    drawn = [[*_line(row, rows, zero, look), *scale.cells(row, look)] for row in range(_ROWS)]
    return [*drawn, [Cell(_times(start, end, len(rows)), Tone.DIM)]]


def _columns(points: Sequence[CurvePoint], start: datetime, end: datetime, count: int) -> list[Decimal]:
    """Return the sum at the end of each of `count` equal stretches of time."""
    sums, so_far, place, whole = [], Decimal(0), 0, end - start
    for column in range(1, count + 1):
        until = start + whole * column / count
        while place < len(points) and (points[place].at <= until or column == count):
            so_far = points[place].sum
            place += 1
        sums.append(so_far)
    return sums


def _row(level: Decimal, low: Decimal, high: Decimal) -> int:
    """Return the row of a level; row 0 is the top one."""
    if high == low:
        return _ROWS // 2
    share = (high - level) / (high - low)
    return int((share * (_ROWS - 1)).to_integral_value(ROUND_HALF_UP))


def _line(row: int, rows: Sequence[int], zero: int, look: Terminal) -> list[Cell]:
    """Draw one row: the curve, joined where it steps, and the line of zero behind it."""
    cells, ground = [], ("·" if look.unicode else ".")
    for before, own in pairwise((rows[0], *rows)):
        letter = _letter(row, before, own)
        if letter:
            tone = Tone.GOOD if row <= zero else Tone.BAD
            cells.append(Cell(letter if look.unicode else letter.translate(_ASCII), tone))
        else:
            cells.append(Cell(ground if row == zero else " ", Tone.DIM))
    return _joined(cells)


def _letter(row: int, before: int, own: int) -> str:
    """Return what the curve has in a row of a column where it goes from one row to another."""
    if not min(before, own) <= row <= max(before, own):
        return ""
    if before == own:
        return "─"
    if row == before:
        return "╮" if own > before else "╯"
    if row == own:
        return "╰" if own > before else "╭"
    return "│"


def _joined(cells: Sequence[Cell]) -> list[Cell]:
    found: list[Cell] = []
    for cell in cells:
        if found and found[-1].tone is cell.tone:
            found[-1] = Cell(found[-1].text + cell.text, cell.tone)
        else:
            found.append(cell)
    return found


class _Axis(Struct, frozen=True):
    """The amounts to the right: that of row `zero`, and of some rows that are not beside it."""

    low: Decimal
    high: Decimal
    zero: int
    label: int

    def cells(self, row: int, look: Terminal) -> list[Cell]:
        place = row - self.zero
        is_labelled = row % _LABEL_EVERY == 0 or row == _ROWS - 1
        if place and (abs(place) == 1 or not is_labelled or self.high == self.low):
            return [Cell(" │" if look.unicode else " |", Tone.DIM)]
        level = self.high - (self.high - self.low) * row / (_ROWS - 1) if place else Decimal(0)
        mark = " ┤" if look.unicode else " |"
        return [Cell(mark, Tone.DIM), Cell(f"{result(level):>{self.label}}", Tone.DIM)]


def _times(start: datetime, end: datetime, width: int) -> str:
    first, last = (f"{at:%Y-%m-%d}" for at in (start, end))
    return f"{first}{last:>{width - len(first)}}"
