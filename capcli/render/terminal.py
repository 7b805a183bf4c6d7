"""Paints blocks with rich, for a person at a terminal. Loaded only there."""

from collections.abc import Iterable, Iterator
from io import StringIO

from msgspec.structs import replace
from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from capcli.render.blocks import (
    Block,
    Cell,
    Chart,
    Column,
    Curve,
    Line,
    Page,
    Pairs,
    Table,
    Terminal,
    Tone,
    pairs,
    shown,
    written,
)

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.WARN: "yellow",
    Tone.DIM: "dim",
    Tone.STRONG: "bold",
}
_UNLIMITED = 10_000
_GAP = 2
_NARROWEST_PROSE = 16
_UUID_PARTS = 5
_WHOLE = "{number}  {deal}"
_SHORTER = ("{number}  …{middle}…", "{number}")


def paint(blocks: Iterable[Block], look: Terminal) -> str:
    """Return the blocks as text with the escape codes of the reader's terminal."""
    target = StringIO()
    console = Console(
        file=target,
        width=look.width or _UNLIMITED,
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    for place, block in enumerate(blocks):
        for part_place, part in enumerate(_parts(block, look)):
            if place or part_place:
                console.print()
            console.print(part, overflow="fold")
    return "\n".join(line.rstrip() for line in target.getvalue().split("\n"))


def _parts(block: Block, look: Terminal) -> Iterator[RenderableType]:
    if isinstance(block, Line):
        yield _text(block.cell, look)
    elif isinstance(block, Page):
        yield Group(*(_text(Cell(line), look) for line in block.text.splitlines()))
    elif isinstance(block, Pairs):
        yield _pairs(block, look)
    elif isinstance(block, Chart | Curve):
        from capcli.render.curve import drawn

        toned = ([(cell.text, _STYLES[cell.tone]) for cell in line] for line in drawn(block, look))
        yield Group(*(Text.assemble(*line) for line in toned))
    else:
        yield from _fitted(block, look)


def _fitted(block: Table, look: Terminal) -> Iterator[RenderableType]:
    """Give a table the form that fits: whole, with its ids below it, or one block of pairs a row."""
    whole = _numbered(block, look, _WHOLE)
    shorter = [_numbered(block, look, form) for form in _SHORTER if whole != block]
    if shorter and len({row[-1].text.partition("…")[2] for row in shorter[0].rows}) < len(block.rows):
        # Middles that are alike tell no deal from another.
        del shorter[0]
    small = shorter[-1] if shorter and len(block.rows) > 1 else None if block.ids_last else block
    if (found := next((table for table in (whole, *shorter) if _fits(table, look)), None)) is not None:
        yield _table(found, look)
        if found != whole and len(block.rows) == 1:
            yield _pairs(pairs((block.columns[-1].title, whole.rows[0][-1])), look)
    elif small is not None and (narrow := _narrowed(small, look)) is not None:
        hidden = [one.title for one in block.columns if one not in narrow.columns]
        yield _table(narrow, look)
        yield _text(Cell(f"Hidden in this narrow window: {', '.join(hidden)}.", Tone.DIM), look)
    else:
        rows = tuple((Cell(str(place)), *row[:-1]) for place, row in enumerate(block.rows, 1))
        short = Table((Column("#"), *block.columns[:-1]), rows)
        if block.ids_last and _fits(short, look):
            yield _table(short, look)
            ids = ((str(place), row[-1]) for place, row in enumerate(block.rows, 1))
            yield _pairs(pairs(*ids, title=block.columns[-1].title), look)
        else:
            yield from (_pairs(_as_pairs(block, row), look) for row in whole.rows)


def _narrowed(block: Table, look: Terminal) -> Table | None:
    """Leave out columns that can be spared until the table fits; None where it cannot."""
    kept = block
    for spared in sorted((one for one in block.columns if one.spare), key=lambda one: -one.spare):
        kept = kept.only([at for at, column in enumerate(kept.columns) if column != spared])
        if _fits(kept, look):
            return kept
    return None


def _numbered(block: Table, look: Terminal, form: str) -> Table:
    """Write each deal that has a number with it; only the middle of an id differs between deals."""
    return replace(block, rows=tuple(tuple(_named(cell, look, form) for cell in row) for row in block.rows))


def _named(cell: Cell, look: Terminal, form: str) -> Cell:
    if not cell.deal or cell.text not in look.numbers:
        return cell
    parts = cell.text.split("-")
    middle = "-".join(parts[1:3]) if len(parts) == _UUID_PARTS else cell.text
    return replace(cell, text=form.format(number=look.numbers[cell.text], deal=cell.text, middle=middle))


def _text(cell: Cell, look: Terminal) -> Text:
    return Text(written(cell, look), style=_STYLES[cell.tone], overflow="fold")


def _pairs(block: Pairs, look: Terminal) -> RenderableType:
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in block.rows:
        grid.add_row(Text(shown(name, look), style="dim"), _text(_named(cell, look, _WHOLE), look))
    title = _text(Cell(block.title, block.tone), look)
    if block.framed:
        border = box.ROUNDED if look.unicode else box.ASCII
        return Panel(grid, title=title, title_align="left", box=border, expand=False)
    return Group(title, grid) if block.title else grid


def _table(block: Table, look: Terminal) -> RichTable:
    border = box.SIMPLE_HEAD if look.unicode else box.ASCII_DOUBLE_HEAD
    table = RichTable(box=border, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in block.columns:
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, no_wrap=not column.prose, overflow="fold")
    for row in block.rows:
        table.add_row(*(_text(cell, look) for cell in row))
    return table


def _fits(block: Table, look: Terminal) -> bool:
    if look.width is None:
        return True
    texts = [[column.title for column in block.columns]]
    texts += [[written(cell, look) for cell in row] for row in block.rows]
    widths = [
        min(max(cell_len(row[place]) for row in texts), _NARROWEST_PROSE if column.prose else _UNLIMITED)
        for place, column in enumerate(block.columns)
    ]
    return sum(widths) + _GAP * (len(widths) - 1) <= look.width


def _as_pairs(block: Table, row: tuple[Cell, ...]) -> Pairs:
    named = [(column.title, cell) for column, cell in zip(block.columns, row, strict=True)]
    (_, first), *rest = [(title, cell) for title, cell in named if cell.text]
    return pairs(*rest, title=first.text)
