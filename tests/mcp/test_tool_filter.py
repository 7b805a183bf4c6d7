"""What a server offers that was told to look only, or to keep to some toolsets."""

from pathlib import Path

import pytest
from fastmcp import Client

from capcli.errors import UsageError
from capcli.mcp.server import build_server, listed
from capcli.mcp.tool_filter import ToolFilter, read_tool_filter
from capcli.mcp.tool_runner import ToolRunner
from tests.cli.conftest import Cli
from tests.mcp.conftest import Assistant
from tests.support.paths import tool_count
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio

SENDS = {
    "cap_trade_execute_position",
    "cap_trade_execute_working_order",
    "cap_trade_positions_close",
    "cap_trade_positions_amend",
    "cap_trade_orders_cancel",
    "cap_account_preferences_set",
    "cap_account_demo_topup",
    "cap_session_switch_account",
    "cap_watchlists_create",
    "cap_watchlists_add_market",
    "cap_watchlists_remove_market",
    "cap_watchlists_delete",
}


def names(offer: ToolFilter) -> set[str]:
    return {row["name"] for row in listed(offer)}


def test_read_only_leaves_out_whatever_changes_something_at_the_broker() -> None:
    kept, everything = names(ToolFilter(read_only=True)), names(ToolFilter())
    assert everything - kept >= SENDS
    assert {"cap_trade_preview_position", "cap_trade_positions_list", "cap_halt", "cap_health"} <= kept


def test_toolsets_are_the_tags_of_the_tools_and_typed_either_way() -> None:
    rows = listed(read_tool_filter(" market,trading_read ,", read_only=False))
    assert {row["toolset"] for row in rows} == {"market", "trading-read"}
    assert len(listed(ToolFilter())) == tool_count()


def test_an_unknown_toolset_is_told_with_those_that_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"no toolset bogus\. There are: session, market, account"
    ) as stopped:
        listed(read_tool_filter("market,bogus", read_only=False))
    assert stopped.value.next == "capcli mcp tools"
    for text in ("", " , "):
        with pytest.raises(UsageError, match="needs names"):
            read_tool_filter(text, read_only=False)
    with pytest.raises(UsageError, match="leaves no tool"):
        listed(read_tool_filter("trading-execute", read_only=True))


async def test_what_is_withheld_cannot_be_called_by_name(seat: Seat) -> None:
    preview = seat.preview()
    before = len(seat.tap.requests)
    async with Client(
        build_server(ToolRunner(lambda: seat.app), ToolFilter(read_only=True)), mode="legacy"
    ) as client:
        ask = Assistant(client)
        assert SENDS.isdisjoint(tool.name for tool in await client.list_tools())
        said = await ask("cap_trade_execute_position", preview_id=preview.preview_id, confirm=True)
        unknown = await ask("cap_trade_execute_everything")
        told = client.initialize_result.instructions
    assert (said.is_error, said.code) == (True, "TOOL_WITHHELD")
    assert "--read-only" in said.text
    assert unknown.code == "TOOL_UNKNOWN"
    assert len(seat.tap.requests) == before
    assert "confirm=true" not in told


def test_the_command_lists_tools_while_the_settings_are_broken(tmp_path: Path) -> None:
    capcli = Cli(tmp_path)
    found = capcli("mcp", "tools", "--json", env={"CAP_ENV": "prod"})
    assert found.code == 0
    rows = {row["name"]: row for row in found.data["tools"]}
    assert found.data["count"] == len(rows) == tool_count()
    assert rows["cap_trade_execute_position"] | {"bytes": 0, "bytes_without_output": 0} == {
        "name": "cap_trade_execute_position",
        "toolset": "trading-execute",
        "asks": True,
        "changes": True,
        "command": "capcli execute",
        "bytes": 0,
        "bytes_without_output": 0,
        "description": "Send a previewed market order, once. confirm=true after a yes.",
    }
    assert 0 < found.data["mean_bytes_without_output"] < found.data["mean_bytes"]
    assert capcli("mcp", "tools", "--toolsets", "bogus").code == 2
    shown = capcli("mcp", "tools", "--toolsets", "stream").out
    assert "cap_stream_prices" in shown
    assert "4 tools, 0 of them change something" in shown
