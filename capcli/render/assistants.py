"""The MCP server's tools, and what was done to the clients that start it."""

from functools import singledispatch
from typing import Any

from capcli.render.blocks import Block, Cell, Column, Line, Page, Pairs, Table, Tone
from capcli.render.results import (
    BundleWritten,
    ClientAction,
    ClientChanged,
    CommandsFound,
    Parameter,
    ToolRow,
    ToolsFound,
)

_TOOLS = (
    Column("Tool"),
    Column("Toolset"),
    Column("Does"),
    Column("Asks you"),
    Column("Bytes", right=True),
    Column("Same as", prose=True),
)


_ASKS = (
    "Asks you: with CAP_APPROVAL=human, the default on live, you are asked before these do anything (except "
    "within a mandate). Without it the assistant's own confirm=true is enough."
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
        Line(Cell(_ASKS)),
    ]


def _tool(row: ToolRow) -> tuple[Cell, ...]:
    return (
        Cell(row.name, Tone.STRONG),
        Cell(row.toolset),
        Cell("changes", Tone.WARN) if row.changes else Cell("reads"),
        Cell("if human" if row.asks else "no"),
        Cell(str(row.bytes)),
        Cell(row.command or row.description),
    )


_COMMANDS = (Column("Command"), Column("Changes"), Column("About", prose=True))
_OPTIONS = (Column("Name"), Column("Type"), Column("About", prose=True))
_CODES = (Column("Exit", right=True), Column("Means", prose=True))


@view.register
def _(data: CommandsFound) -> list[Block]:
    if len(data.commands) > 1:
        rows = tuple(
            (Cell(row.command, Tone.STRONG), Cell(row.changes), Cell(row.about)) for row in data.commands
        )
        return [Table(_COMMANDS, rows), Line(Cell("capcli schema COMMAND --json shows one in full."))]
    (row,) = data.commands
    given = tuple(_parameter(each) for each in (*row.arguments, *row.options))
    return [
        Line(Cell(f"capcli {row.command}", Tone.STRONG)),
        Line(Cell(row.about)),
        Line(Cell(f"Changes {row.changes}.")),
        *([Table(_OPTIONS, given)] if given else []),
        Table(_CODES, tuple((Cell(str(each.code)), Cell(each.meaning)) for each in row.exit_codes)),
        Line(Cell(f"JSON schema of its data: capcli schema {row.command} --json")),
    ]


def _parameter(one: Parameter) -> tuple[Cell, ...]:
    kind = "flag" if one.type == "boolean" else " | ".join(one.allowed) or one.type
    return Cell(", ".join(one.names), Tone.STRONG), Cell(kind), Cell(one.about)


_DONE = {
    ClientAction.ADDED: "Added capcli to {}'s config.",
    ClientAction.UPDATED: "Brought capcli's entry in {}'s config up to date.",
    ClientAction.REMOVED: "Removed capcli from {}'s config.",
    ClientAction.UNCHANGED: "{}'s config starts this capcli already. Nothing was written.",
    ClientAction.ABSENT: "{}'s config has no server capcli. Nothing was written.",
}
_PLANNED = {
    ClientAction.ADDED: "This would add capcli to {}'s config. Nothing was written.",
    ClientAction.UPDATED: "This would bring capcli's entry in {}'s config up to date. Nothing was written.",
    ClientAction.REMOVED: "This would take capcli out of {}'s config. Nothing was written.",
}


@view.register
def _(data: ClientChanged) -> list[Block]:
    said = (_PLANNED if data.dry_run else {}).get(data.action) or _DONE[data.action]
    facts = [("File", str(data.file))]
    facts += [("Backup", str(data.backup))] if data.backup else []
    facts += [("Starts", " ".join(data.command))] if data.command else []
    todo = _steps(data.todo)
    return [
        *([Page(data.diff.rstrip("\n"))] if data.dry_run and data.diff else []),
        Line(Cell(said.format(data.title), Tone.STRONG)),
        Pairs(tuple((name, Cell(text)) for name, text in facts)),
        *(Line(Cell(note, Tone.WARN)) for note in data.notes),
        *([Page(todo)] if todo else []),
    ]


@view.register
def _(data: BundleWritten) -> list[Block]:
    facts = (
        ("File", str(data.file)),
        ("Holds", f"capcli {data.version}, {data.files} files, {data.size_bytes // 1024} KiB, no secret"),
        ("Asks for", ", ".join(data.asks)),
        ("Needs", data.needs),
    )
    return [Pairs(tuple((name, Cell(text)) for name, text in facts)), Page(_steps(data.todo))]


def _steps(todo: tuple[str, ...]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(todo, 1))
