"""What a message says to do next is a tool call, or something to ask the user for; never a bare command."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import capcli
from capcli.app import App
from capcli.mcp.next_step import NextSteps
from capcli.mcp.server import tools
from capcli.mcp.tool_runner import ToolRunner
from tests.mcp.conftest import SNAPSHOT

TOOLS = {
    tool["name"]: tool["inputSchema"]["properties"]
    for tool in json.loads(SNAPSHOT.read_text(encoding="utf-8"))
}


@pytest.fixture(scope="module")
def every() -> Any:
    return tools(ToolRunner(App.build))


@pytest.fixture(scope="module")
def steps(every: Any) -> NextSteps:
    return NextSteps(every)


@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("capcli positions", "cap_trade_positions_list"),
        ("capcli positions D1", "cap_trade_positions_get deal_id=D1"),
        ("capcli execute p_0123456789ab --confirm", "cap_trade_execute_position preview_id=p_0123456789ab"),
        ("capcli orders cancel --all --epic SILVER", "cap_trade_orders_cancel all_orders=true epic=SILVER"),
        (
            "capcli preview SILVER --size 1.5 --sell --stop 31",
            "cap_trade_preview_position epic=SILVER size=1.5 direction=SELL stop_level=31",
        ),
        (
            "capcli preview SILVER --size 1 --at 20 --type limit",
            "cap_trade_preview_working_order epic=SILVER size=1 level=20 type=limit direction=BUY",
        ),
        ("capcli propose GOLD --risk 1%", "cap_trade_propose epic=GOLD risk_percent=1"),
        (
            "capcli propose GOLD --risk 1% --buy",
            "cap_trade_propose epic=GOLD risk_percent=1 direction=BUY",
        ),
        ("capcli markets search 'natural gas'", "cap_market_search search_term='natural gas'"),
        ("capcli quote GOLD SILVER", "cap_market_quote epics=GOLD,SILVER"),
        ("capcli preview --help", "cap_trade_preview_position"),
        ("capcli watchlists", "cap_watchlists_list"),
        ("capcli login --status", "cap_session_status"),
        ("capcli login", "ask the user to run `capcli login` in a terminal"),
        # The size of a tool is in units: half a position must not become 50 of them.
        ("capcli close D1 --size 50%", "ask the user to run `capcli close D1 --size 50%` in a terminal"),
        ("capcli close D1 --size 0.5", "cap_trade_positions_close deal_id=D1 size=0.5"),
        (
            "capcli positions amend D1 --stop 2%",
            "ask the user to run `capcli positions amend D1 --stop 2%` in a terminal",
        ),
        # No other command than the one that was meant, and nothing left out of it.
        (
            "capcli positions breakeven D1",
            "ask the user to run `capcli positions breakeven D1` in a terminal",
        ),
        ("capcli orders amend D1", "cap_trade_preview_working_order_update deal_id=D1"),
        (
            "capcli orders amend D1 --no-stop",
            "ask the user to run `capcli orders amend D1 --no-stop` in a terminal",
        ),
        (
            "capcli markets sentiment GOLD SILVER",
            "ask the user to run `capcli markets sentiment GOLD SILVER` in a terminal",
        ),
        ("capcli preview SILVER", "ask the user to run `capcli preview SILVER` in a terminal"),
        (
            "capcli positions D1 --account 12",
            "ask the user to run `capcli positions D1 --account 12` in a terminal",
        ),
        ("unset CAP_ENV", "ask the user to run `unset CAP_ENV` in a terminal"),
        ("make the same call with confirm=true", "make the same call with confirm=true"),
        (None, None),
    ],
)
def test_a_command_as_a_tool_call(steps: NextSteps, command: str | None, call: str | None) -> None:
    assert steps.step(command) == call


def test_a_preview_is_executed_by_the_tool_of_its_kind(steps: NextSteps) -> None:
    executed = {kind: steps.step("capcli execute p_0123456789ab", kind) for kind in ("MARKET", "WORKING")}
    assert executed == {
        "MARKET": "cap_trade_execute_position preview_id=p_0123456789ab",
        "WORKING": "cap_trade_execute_working_order preview_id=p_0123456789ab",
    }


def test_a_tool_that_is_not_offered_is_not_named(every: Any) -> None:
    asked = NextSteps(every, frozenset({"cap_health"})).step("capcli close D1")
    assert asked == "ask the user to run `capcli close D1` in a terminal"


def test_every_next_of_a_document_is_translated(steps: NextSteps) -> None:
    found = steps.translated(
        {"next": "capcli health", "rows": [{"next": "capcli orders", "fix": "capcli login"}]}
    )
    assert found == {"next": "cap_health", "rows": [{"next": "cap_trade_orders_list", "fix": "capcli login"}]}


def test_every_command_that_the_code_proposes_becomes_a_call_that_exists(steps: NextSteps) -> None:
    """Commands as they stand in the code, with a word for what is filled in."""
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(capcli.__file__).parent.rglob("*.py")
    )
    commands = {re.sub(r"\{[^{}]*\}", "X", text) for text in re.findall(r'next=f?"(capcli [^"]+)"', source)}
    assert len(commands) > 60
    for command in commands:
        said = steps.step(command)
        assert said is not None
        if said.startswith("ask the user to run `capcli "):
            continue
        tool, *arguments = said.split()
        named = {argument.partition("=")[0] for argument in arguments if "=" in argument}
        assert named <= set(TOOLS[tool]), f"{command}: {said}"
