"""Paints blocks with rich, for a person at a terminal. Loaded only there."""

from collections.abc import Iterable, Iterator
from io import StringIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from capcli.render.blocks import Block, Cell, Line, Look, Page, Pairs, Table, Tone, shown

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.WARN: "yellow",
    Tone.DIM: "dim",
    Tone.STRONG: "bold",
}
_UNLIMITED = 10_000
_FRAME = 4


def paint(blocks: Iterable[Block], look: Look) -> str:
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
    for block in blocks:
        for part in _parts(block, look):
            console.print(part, overflow="fold", soft_wrap=False)
    return "\n".join(line.rstrip() for line in target.getvalue().split("\n"))


def _parts(block: Block, look: Look) -> Iterator[RenderableType]:
    if isinstance(block, Line):
        yield _text(block.cell, look)
    elif isinstance(block, Page):
        yield from (_text(Cell(line), look) for line in block.text.splitlines())
    elif isinstance(block, Pairs):
        yield from _pairs(block, look)
    elif look.width is not None and _natural_width(block, look) > look.width:
        for row in block.rows:
            yield from _pairs(_as_pairs(block, row), look)
    else:
        yield _table(block, look)


def _text(cell: Cell, look: Look) -> Text:
    return Text(shown(cell.text, look), style=_STYLES[cell.tone], overflow="fold")


def _pairs(block: Pairs, look: Look) -> Iterator[RenderableType]:
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in block.rows:
        grid.add_row(Text(name, style="dim"), _text(cell, look))
    title = _text(Cell(block.title, block.tone), look)
    if block.framed:
        border = box.ROUNDED if look.unicode else box.ASCII
        yield Panel(grid, title=title, title_align="left", box=border, expand=False)
        return
    if block.title:
        yield title
    yield grid


def _table(block: Table, look: Look) -> RichTable:
    table = RichTable(box=box.SIMPLE_HEAD if look.unicode else box.ASCII, pad_edge=False)
    for column in block.columns:
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
    for row in block.rows:
        table.add_row(*(_text(cell, look) for cell in row))
    return table


def _natural_width(block: Table, look: Look) -> int:
    texts = [[column.title for column in block.columns]]
    texts += [[shown(cell.text, look) for cell in row] for row in block.rows]
    widths = [max(cell_len(row[place]) for row in texts) for place in range(len(block.columns))]
    return sum(widths) + 3 * len(widths) + (_FRAME if not look.unicode else 0)


def _as_pairs(block: Table, row: tuple[Cell, ...]) -> Pairs:
    named = [(column.title, cell) for column, cell in zip(block.columns, row, strict=True)]
    (_, first), *rest = [(title, cell) for title, cell in named if cell.text]
    return Pairs(tuple(rest), title=first.text, tone=Tone.STRONG)
