"""Every command has a tool that says so, or a reason to exist on a terminal only."""

import re

import anyio
import typer

from capcli.app import App
from capcli.cli.main import app
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from tests.support.leaves import leaves

TERMINAL_ONLY = {
    "buy": "preview and execute in one sitting; an assistant has the two, with an answer between",
    "sell": "the same",
    "positions breakeven": "an amendment to the entry: cap_trade_positions_amend takes that level",
    "alert add": "what a person is told is theirs to set; cap_events tells what fired",
    "alert list": "the same",
    "alert remove": "the same",
    "mandate grant": "what a client may send without a person is a person's to say",
    "mandate revoke": "the same; cap_halt ends every mandate",
    "resolve": "a person's word, given where a person types",
    "resume": "a halt ends when a person says so",
    "desk": "a full screen for a person's eyes and keys",
    "live checklist": "a person reads, types a PIN and a phrase; cap_health tells whether live is unlocked",
    "config": "settings are the user's; cap_health names a wrong one, a preview's checks name the limits",
    "config get": "the same",
    "config set": "the same",
    "config unset": "the same",
    "config path": "files of the user's machine",
    "watchlists": "the same as watchlists list",
    "history verify": "a look at the files and the keychain of the user's machine; cap_health has it too",
    "history accept": "a person's word, given where a person types, with the reason",
    "record": "a person looks through it before it is written",
    "paper check": "reads a file of the user's machine",
    "paper status": "the simulator is the user's bench; its accounts show up in cap_account_list",
    "paper reset": "forgets every deal",
    "paper serve": "runs until it is stopped",
    "paper faults": "a bad day is set by the person who tries a script against it",
    "paper faults set": "the same",
    "paper faults clear": "the same",
    "mcp serve": "it is this server",
    "mcp tools": "the same as tools/list",
    "mcp install": "writes the config of the client itself, on the user's machine",
    "mcp bundle": "the same, as a file to open in it",
    "schema": "tools/list says the same of the tools",
    "help": "pages to read; every tool carries its own description",
}
# What an assistant needs and a person gets on the way: no command of its own.
TOOL_ONLY = {
    "cap_session_ping",
    "cap_market_time",
    "cap_trade_confirm_get",
    "cap_trade_confirm_wait",
    "cap_stream_candles",
}
COMMAND = re.compile(r"Same as: capcli ((?:[a-z]+ ?)+)")


def tools() -> dict[str, str]:
    """Return each tool's name and the command that its description names."""
    found = anyio.run(build_server(ToolRunner(App.build)).list_tools)
    named = {tool.name: COMMAND.search(tool.description or "") for tool in found}
    return {name: match[1].strip() if match else "" for name, match in named.items()}


def test_every_command_has_a_tool_or_a_reason() -> None:
    commands = set(leaves(typer.main.get_command(app)))
    covered = set(tools().values()) - {""}

    assert covered - commands == set(), "a tool names a command that does not exist"
    assert commands - covered == set(TERMINAL_ONLY)


def test_every_tool_names_its_command() -> None:
    assert {name for name, command in tools().items() if not command} == TOOL_ONLY
