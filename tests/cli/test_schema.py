"""`capcli schema` says of every command what it takes, what it changes, and what it writes."""

import json

import pytest
import typer
from jsonschema import Draft202012Validator

from capcli.cli.commands import COMMANDS
from capcli.cli.main import app
from capcli.mcp.server import tools
from tests.faces.test_parity import COMMAND
from tests.support.conforming import conform
from tests.support.leaves import leaves


def shown(capcli, *words):
    (row,) = capcli("schema", *words, "--json").data["commands"]
    return row


def test_every_command_has_a_contract():
    assert set(COMMANDS) == set(leaves(typer.main.get_command(app))), "capcli/cli/commands.py"


def test_one_command_is_described_from_its_declaration(capcli):
    row = shown(capcli, "preview")
    options = {names: each for each in row["options"] for names in each["names"]}
    assert [each["names"] for each in row["arguments"]] == [["EPIC"]]
    assert (options["--type"]["allowed"], options["--sell"]["type"]) == (["limit", "stop"], "boolean")
    assert row["changes"] == "this computer"
    assert [each["code"] for each in row["exit_codes"]] == [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 130]
    assert row["data"]["properties"]["stop"]["properties"]["level"] == {"type": "number"}


def test_a_group_that_takes_a_deal_has_its_argument(capcli):
    assert [each["names"] for each in shown(capcli, "positions")["arguments"]] == [["DEAL"]]


def test_a_group_stands_for_its_commands_and_nothing_for_all(capcli):
    rows = capcli("schema", "history", "--json").data["commands"]
    assert {row["command"] for row in rows} == {name for name in COMMANDS if name.startswith("history ")}
    every = capcli("schema", "--json", "--fields", "command,changes").data
    assert {row["command"] for row in every["commands"]} == set(COMMANDS)
    assert "--json" in {name for each in every["global_options"] for name in each["names"]}


def test_every_schema_is_one(capcli):
    for row in capcli("schema", "--json").data["commands"]:
        Draft202012Validator.check_schema(row["data"])
        assert row["about"], row["command"]
        # The names of these arguments say all there is to say.
        named = [each for each in (*row["arguments"], *row["options"]) if not each["about"]]
        assert {name for each in named for name in each["names"]} <= {"EPIC", "TOPIC"}


@pytest.mark.parametrize(("typed", "meant"), [("quotes", "quote"), ("position", "positions")])
def test_an_unknown_command_is_answered_with_the_one_that_was_meant(capcli, typed, meant):
    said = capcli("schema", typed, "--json")
    assert (said.code, said.error["next"]) == (2, f"capcli schema {meant}")


def test_what_a_command_changes_is_what_its_tool_says(owned):
    from capcli.app import App
    from capcli.mcp.tool_runner import ToolRunner

    for tool in tools(owned(ToolRunner(App.build))):
        named = COMMAND.search(tool.description)
        if named and tool.changes:
            assert COMMANDS[named[1].strip()].changes != "nothing", tool.name


def test_a_document_that_is_not_as_described_is_noticed():
    document = {
        "ok": True,
        "schema": "capcli/1",
        "command": "config path",
        "env": None,
        "data": {"config": 1},
    }
    with pytest.raises(AssertionError, match="config path"):
        conform(json.dumps(document, separators=(",", ":")), (), 0)
    with pytest.raises(AssertionError, match="ends with 9"):
        conform(json.dumps(document, separators=(",", ":")), (), 9)
