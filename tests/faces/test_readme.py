"""The table of commands and tools in `capcli help mcp` says what the tree and the server say.

`SNAPSHOTS=write python -m pytest tests/faces/test_readme.py` writes it anew.
"""

import os
from collections.abc import Iterable

import typer

from capcli.cli.main import app
from tests.faces.test_parity import tools
from tests.support.leaves import leaves
from tests.support.paths import ROOT

PAGE = ROOT / "capcli" / "cli" / "pages" / "mcp.md"
BEGIN = "<!-- commands and tools: generated -->"
END = "<!-- end of commands and tools -->"


def table() -> str:
    """Return the table: every command with its tools, then what only one face has."""
    named = tools()
    same = {
        line: [tool for tool, command in named.items() if command == line]
        for line in leaves(typer.main.get_command(app))
    }
    rows = [(listed([line]), listed(found)) for line, found in same.items() if found]
    rows.append((listed(line for line, found in same.items() if not found), "only in a terminal"))
    rows.append(("only for an assistant", listed(tool for tool, command in named.items() if not command)))
    lines = [f"| {command} | {found} |" for command, found in rows]
    return "\n".join(("| `capcli …` | Tool |", "|---|---|", *lines))


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def test_the_table_of_commands_and_tools_is_true() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, "pages/mcp.md lost the marks of its table"
    written = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    if os.environ.get("SNAPSHOTS") == "write":
        PAGE.write_text(written, encoding="utf-8", newline="\n")
    assert PAGE.read_text(encoding="utf-8") == written, "SNAPSHOTS=write writes it anew"
