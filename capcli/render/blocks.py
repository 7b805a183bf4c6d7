"""The form of a result before painting: lines, pairs and tables of toned cells."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct, field

from capcli.domain.market import Candle

if TYPE_CHECKING:
    from capcli.domain.performance import CurvePoint
    from capcli.render.chart import Mark

T = TypeVar("T")


class Tone(StrEnum):
    """The meaning of a cell; the painter may turn it into a colour."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    DIM = "dim"
    STRONG = "strong"


class Cell(Struct, frozen=True):
    """Text and its tone; control characters in broker text are stripped when painted.

    `deal`: a deal id, shown with its number on a terminal. `at` and `form`: a time, for local display.
    """

    text: str
    tone: Tone = Tone.PLAIN
    deal: bool = False
    at: datetime | None = None
    form: str = ""


def strong(text: str) -> Cell:
    return Cell(text, Tone.STRONG)


def deal(deal_id: str | None) -> Cell | None:
    """Return a deal id as a cell; None stays None."""
    return None if deal_id is None else Cell(deal_id, deal=True)


def passed(good: bool) -> Cell:
    """Return the mark of a passed or failed item."""
    return Cell("✓", Tone.GOOD) if good else Cell("✗", Tone.BAD)


def moment(at: datetime, form: str = "%Y-%m-%d %H:%M:%S", mark: str = "Z") -> Cell:
    """Return a time as a cell: UTC, followed by `mark`."""
    return Cell(f"{at:{form}}{mark}", at=at, form=form)


NOTHING = Cell("-", Tone.DIM)
# Text is a plain cell; None is a missing value.
Content = Cell | str | None


def cell_of(content: Content) -> Cell:
    return NOTHING if content is None else content if isinstance(content, Cell) else Cell(content)


class Column(Struct, Generic[T], frozen=True):
    """A column: heading, and content for a row; numbers are right-aligned, prose wraps.

    `spare`: columns left out where a list does not fit, largest first; 0 stays. `if_any`: hidden if empty.
    """

    title: str
    content: Callable[[T], Content] = str
    right: bool = False
    prose: bool = False
    spare: int = 0
    if_any: bool = False


# A person's note and tag of an order.
KEPT: tuple[Column[Any], ...] = (
    Column("Tag", lambda row: row.tag or "", spare=6, if_any=True),
    Column("Note", lambda row: row.note or "", prose=True, spare=7, if_any=True),
)


class Table(Struct, frozen=True):
    """Rows under headings. On a narrow terminal long ids move below the table, or rows become pairs."""

    columns: tuple[Column[Any], ...]
    rows: tuple[tuple[Cell, ...], ...]
    ids_last: bool = False

    def only(self, places: Sequence[int]) -> "Table":
        """Return the columns at these indices."""
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return Table(tuple(self.columns[place] for place in places), rows, self.ids_last)


def table(columns: Sequence[Column[T]], rows: Iterable[T], *, ids_last: bool = False) -> Table:
    """Return a table of rows, without columns that are hidden if empty."""
    cells = tuple(tuple(cell_of(column.content(row)) for column in columns) for row in rows)
    shown_at = [
        place
        for place, column in enumerate(columns)
        if not column.if_any or any(row[place].text for row in cells)
    ]
    return Table(tuple(columns), cells, ids_last).only(shown_at)


class Pairs(Struct, frozen=True):
    """Names and values under a title; `framed` draws a box around them on a terminal."""

    rows: tuple[tuple[str, Cell], ...]
    title: str = ""
    tone: Tone = Tone.STRONG
    framed: bool = False


def pairs(
    *rows: tuple[str, Content], title: str = "", tone: Tone = Tone.STRONG, framed: bool = False
) -> Pairs:
    """Return names and values; None values are left out."""
    known = tuple((name, cell_of(content)) for name, content in rows if content is not None)
    return Pairs(known, title, tone, framed)


class Line(Struct, frozen=True):
    """One line of text."""

    cell: Cell


def line(text: str, tone: Tone = Tone.PLAIN) -> Line:
    return Line(Cell(text, tone))


def between(start: datetime, end: datetime) -> Line:
    return line(f"{start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z", Tone.DIM)


class Page(Struct, frozen=True):
    """Text with its final layout."""

    text: str


class Chart(Struct, frozen=True):
    """Candles to be drawn to the window's width, with levels across them."""

    candles: tuple[Candle, ...]
    marks: "tuple[Mark, ...]" = ()


class Curve(Struct, frozen=True):
    """A sum over time, from `start` to `end`, to be drawn to the window's width."""

    points: "tuple[CurvePoint, ...]"
    start: datetime
    end: datetime


Block = Table | Pairs | Line | Page | Chart | Curve


class Terminal(Struct, frozen=True):
    """What the output can show: `width` is None where nothing is cut or wrapped (pipes and files).

    `columns`: for drawings there. `numbers`: deals that have one. `local`: times in this computer's zone.
    """

    terminal: bool = False
    colour: bool = False
    width: int | None = None
    unicode: bool = True
    columns: int = 80
    numbers: Mapping[str, int] = field(default_factory=dict)
    local: bool = False


_ASCII = str.maketrans({"✓": "ok", "✗": "FAIL", "→": "->", "·": "-", "…": "...", "●": "*"})


def printable(text: str, screen: Terminal) -> str:
    """Return text that is safe on this screen: no control characters or unsupported glyphs."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if screen.unicode else clean.translate(_ASCII)


def written(cell: Cell, screen: Terminal) -> str:
    """Return a cell's text for this screen."""
    if cell.at is None or not screen.local:
        return printable(cell.text, screen)
    here = cell.at.astimezone()
    offset = f"{here:%z}"
    return f"{here:{cell.form}}{offset[:3]}:{offset[3:5]}"
