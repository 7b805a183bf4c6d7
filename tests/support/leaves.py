"""One line for every command: how it is run on the paper broker, in an order that makes sense."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

KEPT = {
    "preview": re.compile(r"\bp_[0-9a-z]{12}\b"),
    "attempt": re.compile(r"\ba_[0-9a-z]{12}\b"),
    "deal": re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    "account": re.compile(r"\b[0-9]{18}\b"),
}


@dataclass(frozen=True)
class Line:
    """A line as typed after `capcli`; `{deal}` and the like stand for the last of its kind that was shown.

    `rows`: it can be written as CSV. `code`: how it ends, where that is not 0. `stream`: many documents.
    """

    typed: str
    rows: bool = False
    code: int = 0
    stream: bool = False


# A new command gets a line where it fits, or a reason below.
LINES = (
    Line("accounts", rows=True),
    Line("accounts use {account}"),
    Line("accounts preferences", rows=True),
    Line("accounts preferences --leverage SHARES=3 --confirm", rows=True),
    Line("accounts topup 100 --confirm"),
    Line("markets search silver", rows=True),
    Line("markets show SILVER"),
    Line("markets browse", rows=True),
    Line("markets browse commodities/metals", rows=True),
    Line("markets sentiment SILVER GOLD", rows=True),
    Line("quote SILVER GOLD", rows=True),
    Line("prices GOLD --last 3", rows=True),
    Line("prices GOLD --last 30 --chart", rows=True),
    Line("watch SILVER --once", rows=True, stream=True),
    Line("alert SILVER --above 1", stream=True),
    Line("alert add SILVER --above 1 --moves 50%", rows=True),
    Line("alert list", rows=True),
    Line("alert remove 2", rows=True),
    Line("propose SILVER --risk 1%"),
    Line("propose SILVER --risk 1% --buy"),
    Line("preview SILVER --risk 1% --stop 24.50"),
    Line("buy SILVER 1 --stop 24.50", code=5),
    Line("sell SILVER 1 --stop 45", code=5),
    Line("watchlists create Metals GOLD"),
    Line("watchlists add Metals SILVER"),
    Line("watchlists", rows=True),
    Line("watchlists list", rows=True),
    Line("watchlists show Metals", rows=True),
    Line("watchlists remove Metals GOLD"),
    Line("watchlists delete Metals --confirm"),
    Line("preview SILVER --size 2 --at 20.5"),
    Line("execute {preview} --confirm"),
    Line("orders", rows=True),
    Line("orders amend {deal} --at 20.25 --confirm"),
    Line("orders cancel {deal} --confirm"),
    Line("preview SILVER --size 1.5 --stop 24.50 --limit 40"),
    Line("execute {preview} --confirm"),
    Line("positions", rows=True),
    Line("positions {deal}", rows=True),
    Line("exposure", rows=True),
    Line("status", rows=True),
    Line("events", rows=True),
    Line("watch --positions --once", rows=True, stream=True),
    Line("positions amend {deal} --stop 24.75 --confirm"),
    Line("positions breakeven {deal} --confirm", code=5),
    Line("close {deal} --confirm"),
    Line("preview SILVER --size 1 --stop 40", code=5),
    Line("execute {preview} --confirm", code=5),
    Line("preview SILVER --size 2.5"),
    Line("execute {preview} --confirm"),
    Line("close --all --confirm", rows=True),
    Line("paper faults set drop-after --times 1", rows=True),
    Line("paper faults", rows=True),
    Line("preview SILVER --size 3 --stop 24.50"),
    Line("execute {preview} --confirm", code=8),
    Line("reconcile", rows=True),
    Line("reconcile {attempt}", rows=True),
    Line("resolve {attempt}"),
    Line("paper faults clear", rows=True),
    Line("history activity", rows=True),
    Line("history transactions", rows=True),
    Line("history report", rows=True),
    Line("history stats", rows=True),
    Line("history stats --by tag --chart", rows=True),
    Line("history executions", rows=True),
    Line("history verify", rows=True),
    Line("halt --reason lunch"),
    Line("resume --confirm"),
    Line("approve", rows=True),
    Line("mandate list", rows=True),
    Line("mandate revoke nobody", code=5),
    Line("live checklist", rows=True, code=5),
    Line("flatten --confirm", rows=True),
    Line("resume --confirm"),
    Line("health", rows=True),
    Line("health --report"),
    Line("login", rows=True),
    Line("login --status"),
    Line("logout"),
    Line("config", rows=True),
    Line("config get CAP_ENV"),
    Line("config set CAP_ALLOWED_EPICS SILVER,GOLD"),
    Line("config unset CAP_ALLOWED_EPICS"),
    Line("config path"),
    Line("help exit-codes"),
    Line("schema positions amend", rows=True),
    Line("mcp tools", rows=True),
    Line("paper status", rows=True),
    Line("paper reset --confirm", rows=True),
)
LEFT_OUT = {
    "desk": "a full screen, until a person leaves: tests/desk runs it",
    "record": "a person looks through it at a terminal: tests/cli/test_record.py runs it",
    "paper check": "reads what `record` wrote: tests/cli/test_record.py runs it",
    "mandate grant": "a person is asked at a terminal: tests/cli/test_mandate.py runs it",
    "history accept": "a person says why, at a terminal: tests/cli/test_verify.py runs it",
    "paper serve": "runs until it is stopped: tests/cli/test_process.py starts it",
    "mcp install": "writes into another program's files: tests/cli/test_mcp.py runs it",
    "mcp bundle": "writes a file into the current folder: tests/cli/test_mcp.py runs it",
    "mcp serve": "speaks with an assistant over stdin: tests/mcp starts it",
}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Walk the command tree; a group that works without a subcommand counts as one too."""
    context = typer.Context(command)
    if not hasattr(command, "list_commands"):
        yield " ".join(path)
        return
    if path and command.invoke_without_command:
        yield " ".join(path)
    for name in command.list_commands(context):
        _, child, _ = command.resolve_command(context, [name])
        yield from leaves(child, (*path, name))


def command_of(typed: str, known: set[str]) -> str:
    """Return the command that a line runs."""
    words = typed.split()
    return next(line for size in range(len(words), 0, -1) if (line := " ".join(words[:size])) in known)


def shape(value: Any) -> Any:
    """Return the keys of a document, without its values; of rows only the first."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None
