"""A curve over time drawn with characters: the booked sum of trading."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise

from capcli.domain.numbers import result
from capcli.domain.performance import CurvePoint
from capcli.render import chart
from capcli.render.blocks import Cell, Chart, Curve, Terminal, Tone
from capcli.render.chart import NARROWEST, Scale

_PIPED = 80
_ROWS = 12
_LABEL_EVERY = 4
_ASCII = str.maketrans("─│╮╯╰╭", "-|++++")


def drawn(block: Chart | Curve, screen: Terminal) -> list[list[Cell]]:
    """Return a picture as lines of toned cells."""
    if isinstance(block, Chart):
        return chart.lines(block.candles, screen, marks=block.marks)
    return lines(block.points, block.start, block.end, screen)


def lines(points: Sequence[CurvePoint], start: datetime, end: datetime, screen: Terminal) -> list[list[Cell]]:
    """Return the curve as lines of toned cells, or one line if it does not fit."""
    width = screen.width or screen.columns or _PIPED
    if width < NARROWEST:
        return [[Cell(f"A chart needs {NARROWEST} columns; here are {width}.")]]
    low = min(Decimal(0), *(point.sum for point in points))
    high = max(Decimal(0), *(point.sum for point in points))
    label = max(len(result(low)), len(result(high)))
    sums = _columns(points, start, end, width - label - 2)
    scale = Scale(low, high, _ROWS)
    rows, zero = [scale.row(level) for level in sums], scale.row(Decimal(0))
    drawn = [
        [*_line(row, rows, zero, screen), *_axis(row, scale, zero, label, screen)] for row in range(_ROWS)
    ]
    first, last = (f"{at:%Y-%m-%d}" for at in (start, end))
    return [*drawn, [Cell(f"{first}{last:>{len(rows) - len(first)}}", Tone.DIM)]]


def _columns(points: Sequence[CurvePoint], start: datetime, end: datetime, count: int) -> list[Decimal]:
    """Return the sum at the end of each of `count` equal intervals."""
    sums, so_far, place, whole = [], Decimal(0), 0, end - start
    for column in range(1, count + 1):
        until = start + whole * column / count
        while place < len(points) and (points[place].at <= until or column == count):
            so_far = points[place].sum
            place += 1
        sums.append(so_far)
    return sums


def _line(row: int, rows: Sequence[int], zero: int, screen: Terminal) -> list[Cell]:
    """Draw one row: the curve, joined at steps, and the zero line."""
    cells, ground = [], ("·" if screen.unicode else ".")
    for before, own in pairwise((rows[0], *rows)):
        letter = _letter(row, before, own)
        if letter:
            tone = Tone.GOOD if row <= zero else Tone.BAD
            cells.append(Cell(letter if screen.unicode else letter.translate(_ASCII), tone))
        else:
            cells.append(Cell(ground if row == zero else " ", Tone.DIM))
    runs = (list(run) for _, run in groupby(cells, lambda cell: cell.tone))
    return [Cell("".join(cell.text for cell in run), run[0].tone) for run in runs]


def _letter(row: int, before: int, own: int) -> str:
    """Return the curve's character in a cell of a column that spans rows."""
    if not min(before, own) <= row <= max(before, own):
        return ""
    if before == own:
        return "─"
    if row == before:
        return "╮" if own > before else "╯"
    if row == own:
        return "╰" if own > before else "╭"
    return "│"


def _axis(row: int, scale: Scale, zero: int, label: int, screen: Terminal) -> list[Cell]:
    """Return the amounts on the axis: at zero, and at some rows not next to it."""
    place = row - zero
    is_labelled = row % _LABEL_EVERY == 0 or row == _ROWS - 1
    if place and (abs(place) == 1 or not is_labelled or scale.high == scale.low):
        return [Cell(" │" if screen.unicode else " |", Tone.DIM)]
    level = scale.level(row) if place else Decimal(0)
    mark = " ┤" if screen.unicode else " |"
    return [Cell(mark, Tone.DIM), Cell(f"{result(level):>{label}}", Tone.DIM)]
