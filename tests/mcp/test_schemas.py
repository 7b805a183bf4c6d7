"""What every tool looks like from outside: snapshot, size, hints, and the official server's arguments."""

import json
import os
from typing import Any

import pytest
from fastmcp import Client, FastMCP

from capcli.mcp.schema import number
from tests.mcp.conftest import ERAS, SNAPSHOT

pytestmark = pytest.mark.anyio

TRADES = {
    "cap_trade_execute_position",
    "cap_trade_execute_working_order",
    "cap_trade_execute_working_order_update",
    "cap_trade_positions_close",
    "cap_trade_positions_amend",
    "cap_trade_orders_cancel",
    "cap_trade_flatten",
    "cap_account_preferences_set",
}

LEGS = [f"{leg}_{form}" for leg in ("stop", "profit") for form in ("level", "distance", "amount")]
OFFICIAL: dict[str, list[str]] = {
    "cap_session_status": [],
    "cap_session_login": ["force", "account_id"],
    "cap_session_ping": [],
    "cap_session_logout": [],
    "cap_market_search": ["search_term", "epics", "limit"],
    "cap_market_get": ["epic"],
    "cap_market_prices": ["epic", "resolution", "max", "from_date", "to_date"],
    "cap_account_list": [],
    "cap_market_navigation_root": [],
    "cap_market_navigation_node": ["node_id"],
    "cap_market_sentiment": ["market_id"],
    "cap_account_history_activity": ["from_date", "to_date"],
    "cap_account_history_transactions": ["from_date", "to_date", "type"],
    "cap_watchlists_list": [],
    "cap_watchlists_get": ["watchlist_id"],
    "cap_watchlists_create": ["name", "confirm"],
    "cap_watchlists_add_market": ["watchlist_id", "epic", "confirm"],
    "cap_watchlists_delete": ["watchlist_id", "confirm"],
    "cap_watchlists_remove_market": ["watchlist_id", "epic", "confirm"],
    "cap_account_preferences_get": [],
    "cap_account_preferences_set": ["hedging_mode", "leverages", "confirm"],
    "cap_account_demo_topup": ["amount", "confirm"],
    "cap_trade_positions_list": [],
    "cap_trade_positions_get": ["deal_id"],
    "cap_trade_orders_list": [],
    "cap_trade_confirm_get": ["deal_reference"],
    "cap_trade_confirm_wait": ["deal_reference", "timeout_s", "poll_interval_ms"],
    "cap_trade_preview_position": ["epic", "direction", "size", "guaranteed_stop", "trailing_stop", *LEGS],
    "cap_trade_preview_working_order": [
        *("epic", "direction", "type", "level", "size", "guaranteed_stop", "trailing_stop"),
        *LEGS,
        "good_till_date",
    ],
    "cap_trade_preview_working_order_update": [
        *("deal_id", "level"),
        *LEGS,
        *("good_till_date", "time_in_force", "guaranteed_stop", "trailing_stop"),
    ],
    "cap_trade_execute_working_order_update": ["preview_id", "confirm", "wait_for_confirm", "timeout_s"],
    "cap_trade_execute_position": ["preview_id", "confirm", "wait_for_confirm", "timeout_s"],
    "cap_trade_execute_working_order": ["preview_id", "confirm", "wait_for_confirm", "timeout_s"],
    "cap_trade_positions_close": ["deal_id", "confirm", "wait_for_confirm", "timeout_s"],
    "cap_trade_orders_cancel": ["deal_id", "confirm", "wait_for_confirm", "timeout_s"],
    "cap_stream_prices": ["epics", "duration_s", "update_interval_s"],
    "cap_stream_alerts": ["alerts", "duration_s", "auto_close"],
    "cap_stream_portfolio": ["duration_s", "update_interval_s"],
}


async def listed(server: FastMCP[Any], era: str) -> list[dict[str, Any]]:
    async with Client(server, mode=era) as client:
        tools = await client.list_tools()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


async def test_the_tools_are_those_of_the_snapshot(server: FastMCP[Any]) -> None:
    """Run with SNAPSHOTS=write to accept a change."""
    modern, legacy = [await listed(server, era) for era in ERAS]
    assert modern == legacy
    text = json.dumps(modern, indent=1, sort_keys=True) + "\n"
    if os.environ.get("SNAPSHOTS") == "write":
        SNAPSHOT.write_text(text)
    assert json.loads(SNAPSHOT.read_text()) == modern


async def test_the_list_fits_its_budget(server: FastMCP[Any]) -> None:
    tools = await listed(server, ERAS[0])
    bare = [{key: value for key, value in tool.items() if key != "outputSchema"} for tool in tools]
    whole, lean = size(tools) / len(tools), size(bare) / len(tools)
    print(f"{len(tools)} tools, {lean:.0f} bytes each, {whole:.0f} with output schemas")
    assert lean <= 850
    assert whole <= 1500


async def test_the_official_servers_arguments_are_all_there(server: FastMCP[Any]) -> None:
    tools = {tool["name"]: tool["inputSchema"] for tool in await listed(server, ERAS[0])}

    for name, arguments in OFFICIAL.items():
        properties = list(tools[name].get("properties", {}))
        assert properties[: len(arguments)] == arguments, name
        assert all(extra not in tools[name].get("required", []) for extra in properties[len(arguments) :])


async def test_the_defaults_are_the_official_ones(server: FastMCP[Any]) -> None:
    tools = {tool["name"]: tool["inputSchema"]["properties"] for tool in await listed(server, ERAS[0])}

    def default(tool: str, argument: str) -> Any:
        return tools[tool][argument]["default"]

    assert default("cap_market_prices", "resolution") == "MINUTE_15"
    assert default("cap_market_prices", "max") == 200
    assert default("cap_market_search", "limit") == 50
    assert default("cap_trade_confirm_wait", "timeout_s") == 15.0
    assert default("cap_trade_confirm_wait", "poll_interval_ms") == 500
    assert [default("cap_trade_execute_position", name) for name in ("confirm", "wait_for_confirm")] == [
        False,
        True,
    ]


async def test_only_what_trades_or_deletes_is_destructive(server: FastMCP[Any]) -> None:
    tools = await listed(server, ERAS[0])

    assert {tool["name"] for tool in tools if tool["annotations"]["destructiveHint"]} == {
        *TRADES,
        "cap_watchlists_delete",
    }
    assert all(tool["annotations"]["idempotentHint"] for tool in tools if tool["name"] in TRADES)
    reading = {tool["name"] for tool in tools if tool["annotations"]["readOnlyHint"]}
    assert not reading & {name for name in reading if "preview" in name or "execute" in name}


async def test_every_tool_says_in_one_line_what_it_does(server: FastMCP[Any]) -> None:
    for tool in await listed(server, ERAS[0]):
        assert 10 < len(tool["description"]) < 140
        assert "\n" not in tool["description"]
        assert "_meta" not in tool


# What Gemini documents for function declarations, of which every client takes at least this much.
KEYWORDS = frozenset(
    {
        *("type", "description", "enum", "items", "properties", "required", "default"),
        *("minimum", "maximum", "minItems", "maxItems"),
    }
)
# Objects whose keys are the caller's own words: epics.
FREE_FORM = {("cap_stream_alerts", "alerts")}


def nodes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return [schema, *(node for child in inner for node in nodes(child))]


async def test_every_argument_is_in_the_subset_that_all_clients_take(server: FastMCP[Any]) -> None:
    free = set()
    for tool in await listed(server, ERAS[0]):
        schema = tool["inputSchema"]
        for node in nodes(schema):
            assert node.keys() <= KEYWORDS, tool["name"]
            assert isinstance(node["type"], str), "one type each"
            assert "enum" not in node or (node["type"] == "string" and None not in node["enum"])
            assert node["type"] != "array" or "items" in node
            assert node.get("default", 0) is not None
        assert set(schema.get("required", [])) <= schema["properties"].keys()
        free |= {
            (tool["name"], name)
            for name, argument in schema["properties"].items()
            if argument["type"] == "object" and not argument.get("properties")
        }
    assert free == FREE_FORM


async def test_every_tool_and_argument_says_what_it_is(server: FastMCP[Any]) -> None:
    tools = await listed(server, ERAS[0])
    assert len({tool["title"] for tool in tools}) == len(tools)
    for tool in tools:
        assert 5 <= len(tool["title"]) <= 30
        for name, argument in tool["inputSchema"]["properties"].items():
            assert 5 < len(argument["description"]) < 90, (tool["name"], name)
            assert "title" not in argument


async def test_nothing_asks_for_a_secret(server: FastMCP[Any]) -> None:
    names = {name for tool in await listed(server, ERAS[0]) for name in tool["inputSchema"]["properties"]}

    assert not [name for name in names if any(word in name for word in ("key", "password", "secret", "pin"))]


@pytest.mark.parametrize(
    "text", ["0.1", "24.50", "1E+2", "-0.0315", "123456789.012345", "0.00", "1234567890123"]
)
def test_numbers_keep_their_digits(text: str) -> None:
    from decimal import Decimal

    assert Decimal(str(number(Decimal(text)))) == Decimal(text)
