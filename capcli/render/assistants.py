"""The MCP server's tools, and what was done to the clients that start it."""

from functools import singledispatch
from typing import Any

from capcli.render.blocks import Block, Cell, Column, Line, Table, Tone
from capcli.render.results import ToolRow, ToolsFound

_TOOLS = (
    Column("Tool"),
    Column("Toolset"),
    Column("Does"),
    Column("Bytes", right=True),
    Column("Same as", prose=True),
)


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: ToolsFound) -> list[Block]:
    changing = sum(row.changes for row in data.tools)
    mean = f"{data.mean_bytes} bytes each, {data.mean_bytes_without_output} without output schemas"
    return [
        Table(_TOOLS, tuple(_tool(row) for row in data.tools)),
        Line(Cell(f"{data.count} tools, {changing} of them change something at the broker; {mean}.")),
    ]


def _tool(row: ToolRow) -> tuple[Cell, ...]:
    return (
        Cell(row.name, Tone.STRONG),
        Cell(row.toolset),
        Cell("changes", Tone.WARN) if row.changes else Cell("reads"),
        Cell(str(row.bytes)),
        Cell(row.command or row.description),
    )
