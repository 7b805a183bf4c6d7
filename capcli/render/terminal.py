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
    printable,
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


def paint(blocks: Iterable[Block], screen: Terminal) -> str:
    """Return the blocks as text with the escape codes of the reader's terminal."""
    target = StringIO()
    console = Console(
        file=target,
        width=screen.width or _UNLIMITED,
        force_terminal=screen.colour,
        color_system="standard" if screen.colour else None,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    for place, block in enumerate(blocks):
        for part_place, part in enumerate(_parts(block, screen)):
            if place or part_place:
                console.print()
            console.print(part, overflow="fold")
    return "\n".join(line.rstrip() for line in target.getvalue().split("\n"))


def _parts(block: Block, screen: Terminal) -> Iterator[RenderableType]:
    if isinstance(block, Line):
        yield _text(block.cell, screen)
    elif isinstance(block, Page):
        yield Group(*(_text(Cell(line), screen) for line in block.text.splitlines()))
    elif isinstance(block, Pairs):
        yield _pairs(block, screen)
    elif isinstance(block, Chart | Curve):
        from capcli.render.curve import drawn

        toned = ([(cell.text, _STYLES[cell.tone]) for cell in line] for line in drawn(block, screen))
        yield Group(*(Text.assemble(*line) for line in toned))
    else:
        yield from _fitted(block, screen)


def _fitted(block: Table, screen: Terminal) -> Iterator[RenderableType]:
    """Fit a table: whole, with its ids below, or one block of pairs per row."""
    whole = _numbered(block, screen, _WHOLE)
    shorter = [_numbered(block, screen, form) for form in _SHORTER if whole != block]
    if shorter and len({row[-1].text.partition("…")[2] for row in shorter[0].rows}) < len(block.rows):
        # Shortened ids must still differ.
        del shorter[0]
    small = shorter[-1] if shorter and len(block.rows) > 1 else None if block.ids_last else block
    if (found := next((table for table in (whole, *shorter) if _fits(table, screen)), None)) is not None:
        yield _table(found, screen)
        if found != whole and len(block.rows) == 1:
            yield _pairs(pairs((block.columns[-1].title, whole.rows[0][-1])), screen)
    elif small is not None and (narrow := _narrowed(small, screen)) is not None:
        hidden = [one.title for one in block.columns if one not in narrow.columns]
        yield _table(narrow, screen)
        yield _text(Cell(f"Hidden in this narrow window: {', '.join(hidden)}.", Tone.DIM), screen)
    else:
        rows = tuple((Cell(str(place)), *row[:-1]) for place, row in enumerate(block.rows, 1))
        short = Table((Column("#"), *block.columns[:-1]), rows)
        if block.ids_last and _fits(short, screen):
            yield _table(short, screen)
            ids = ((str(place), row[-1]) for place, row in enumerate(block.rows, 1))
            yield _pairs(pairs(*ids, title=block.columns[-1].title), screen)
        else:
            for row in whole.rows:
                named = ((column.title, cell) for column, cell in zip(block.columns, row, strict=True))
                (_, first), *rest = [(title, cell) for title, cell in named if cell.text]
                yield _pairs(pairs(*rest, title=first.text), screen)


def _narrowed(block: Table, screen: Terminal) -> Table | None:
    """Drop spare columns until the table fits; None if it cannot."""
    kept = block
    for spared in sorted((one for one in block.columns if one.spare), key=lambda one: -one.spare):
        kept = kept.only([at for at, column in enumerate(kept.columns) if column != spared])
        if _fits(kept, screen):
            return kept
    return None


def _numbered(block: Table, screen: Terminal, form: str) -> Table:
    """Add numbers to deals that have one; only the middle of an id differs between deals."""
    return replace(block, rows=tuple(tuple(_named(cell, screen, form) for cell in row) for row in block.rows))


def _named(cell: Cell, screen: Terminal, form: str) -> Cell:
    if not cell.deal or cell.text not in screen.numbers:
        return cell
    parts = cell.text.split("-")
    middle = "-".join(parts[1:3]) if len(parts) == _UUID_PARTS else cell.text
    return replace(cell, text=form.format(number=screen.numbers[cell.text], deal=cell.text, middle=middle))


def _text(cell: Cell, screen: Terminal) -> Text:
    return Text(written(cell, screen), style=_STYLES[cell.tone], overflow="fold")


def _pairs(block: Pairs, screen: Terminal) -> RenderableType:
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in block.rows:
        grid.add_row(Text(printable(name, screen), style="dim"), _text(_named(cell, screen, _WHOLE), screen))
    title = _text(Cell(block.title, block.tone), screen)
    if block.framed:
        border = box.ROUNDED if screen.unicode else box.ASCII
        return Panel(grid, title=title, title_align="left", box=border, expand=False)
    return Group(title, grid) if block.title else grid


def _table(block: Table, screen: Terminal) -> RichTable:
    border = box.SIMPLE_HEAD if screen.unicode else box.ASCII_DOUBLE_HEAD
    table = RichTable(box=border, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in block.columns:
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, no_wrap=not column.prose, overflow="fold")
    for row in block.rows:
        table.add_row(*(_text(cell, screen) for cell in row))
    return table


def _fits(block: Table, screen: Terminal) -> bool:
    if screen.width is None:
        return True
    texts = [[column.title for column in block.columns]]
    texts += [[written(cell, screen) for cell in row] for row in block.rows]
    widths = [
        min(max(cell_len(row[place]) for row in texts), _NARROWEST_PROSE if column.prose else _UNLIMITED)
        for place, column in enumerate(block.columns)
    ]
    return sum(widths) + _GAP * (len(widths) - 1) <= screen.width
