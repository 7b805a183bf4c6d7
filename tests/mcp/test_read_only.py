"""`--read-only` by the requests that it can cause: it reads, it logs in, and it leaves the session alone."""

from typing import Any

import httpx
import pytest
from fastmcp import Client

from capcli.mcp.server import build_server
from capcli.mcp.tool_filter import EVERYTHING, ToolFilter
from capcli.mcp.tool_runner import ToolRunner
from capcli.runtime import Caller, Options
from tests.mcp.conftest import Assistant
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, stop_at
from tests.support.stakes import Stakes
from tests.support.tap import PREFIX

pytestmark = pytest.mark.anyio

READER = Caller(reads_only=True)
ARGUMENTS: dict[str, Any] = {
    "account_id": SECOND_ACCOUNT,
    "confirm": True,
    "force": True,
    "epic": "SILVER",
    "epics": ["SILVER"],
    "direction": "BUY",
    "type": "LIMIT",
    "size": 1,
    "level": 20,
    "stop_level": 24.5,
    "search_term": "silver",
    "name": "mine",
    "amount": 10,
    "hedging": True,
    "resolution": "HOUR",
    "from_date": "2026-03-01",
    "to_date": "2026-03-02",
    "duration_s": 0,
    "alerts": {"SILVER": {"above": 99}},
    "risk_pct": 1,
    "node_id": "hierarchy_v1",
    "deal_reference": "o_1",
    "market_ids": ["SILVER"],
}
# Switches on what the others then meet.
LAST = {"cap_halt"}


def lost_elsewhere(seats: Seats) -> str:
    """Leave an order on the other account whose answer was lost; return its attempt."""
    there = seats(options=Options(account=SECOND_ACCOUNT))
    preview = there.preview(stop=stop_at("24.50"))
    there.tap.breaks("POST", "/positions", after=httpx.ReadError("cut"))
    return str(there.execute(preview.preview_id).data.attempt_id)


async def requests_of(reader: Seat, offer: ToolFilter, ids: dict[str, Any]) -> dict[str, set[str]]:
    """Call every tool with all that it takes; return what each made the broker hear."""
    heard: dict[str, set[str]] = {}
    async with Client(build_server(ToolRunner(lambda: reader.app), offer)) as client:
        ask = Assistant(client)
        tools = sorted(await client.list_tools(), key=lambda tool: tool.name in LAST)
        for tool in tools:
            known = ARGUMENTS | ids | {"preview_id": ids[_preview_for(tool.name)]}
            properties = tool.input_schema["properties"]
            reader.tap.requests.clear()
            await ask(tool.name, **{name: known[name] for name in properties if name in known})
            lines = (f"{each.method} {each.url.path.removeprefix(PREFIX)}" for each in reader.tap.requests)
            heard[tool.name] = set(lines)
    return heard


def _preview_for(tool: str) -> str:
    return "working" if "working" in tool else "ready"


def beyond_reading(heard: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return what is neither a read nor the login of a process that has no session yet."""
    odd = {
        tool: {line for line in lines if not line.startswith("GET ") and line != "POST /session"}
        for tool, lines in heard.items()
    }
    return {tool: lines for tool, lines in odd.items() if lines}


async def test_no_tool_that_is_offered_moves_or_ends_what_the_terminal_shares(seats: Seats) -> None:
    terminal = seats()
    stakes = Stakes.laid(terminal)
    ids = {**_ids(stakes), "attempt_id": lost_elsewhere(seats)}
    before = stakes.seen()

    heard = await requests_of(seats(caller=READER), ToolFilter(read_only=True), ids)

    assert beyond_reading(heard) == {}
    assert len([tool for tool, lines in heard.items() if lines]) > 25
    terminal.tap.requests.clear()
    assert terminal.app.accounts.session().account_id == FIRST_ACCOUNT
    assert stakes.seen() == before
    assert {request.method for request in terminal.tap.requests} == {"GET"}


async def test_a_read_only_server_sends_nothing_else_even_by_tools_that_it_does_not_offer(
    seats: Seats,
) -> None:
    stakes = Stakes.laid(seats())
    ids = {**_ids(stakes), "attempt_id": lost_elsewhere(seats)}
    before = stakes.seen()

    heard = await requests_of(seats(caller=READER), EVERYTHING, ids)

    assert beyond_reading(heard) == {}
    assert stakes.seen() == before


async def test_the_same_calls_of_a_full_server_do_change_something(seats: Seats) -> None:
    stakes = Stakes.laid(seats())
    ids = {**_ids(stakes), "attempt_id": lost_elsewhere(seats)}

    heard = beyond_reading(await requests_of(seats(), EVERYTHING, ids))

    assert {"cap_session_login", "cap_session_logout", "cap_watchlists_delete"} <= heard.keys()


async def test_a_lost_order_of_another_account_is_not_looked_for_by_moving_there(seats: Seats) -> None:
    seats().app.accounts.list()
    attempt_id, reader = lost_elsewhere(seats), seats(caller=READER)

    async with Client(build_server(ToolRunner(lambda: reader.app), ToolFilter(read_only=True))) as client:
        said = await Assistant(client)("cap_trade_reconcile", attempt_id=attempt_id)

    assert (said.code, said.data["attempts"][0]["state"]) == ("MAY_BE_LIVE", "UNKNOWN")
    assert "PUT" not in {request.method for request in reader.tap.requests}


def _ids(stakes: Stakes) -> dict[str, Any]:
    return {"watchlist_id": stakes.ids["list"], "deal_id": stakes.ids["deal"], **stakes.ids}
