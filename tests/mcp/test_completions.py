"""Completion of epics and lists, progress of long calls, and the market resource, in both eras."""

import json
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

import httpx
import mcp_types as mt
import pytest
from fastmcp import Client, FastMCP

from capcli.account.history import AT_ONCE
from capcli.errors import ConfigError
from capcli.mcp.completions import Completions
from capcli.mcp.progress import Progress, windows_reporter
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from tests.mcp.conftest import Assistant
from tests.mcp.patience import FOR_EVER_S
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio

PROPOSAL = mt.PromptReference(type="ref/prompt", name="trade_proposal")
MARKET = mt.ResourceTemplateReference(type="ref/resource", uri="cap://market-cache/{epic}")


@pytest.fixture
async def one(server: FastMCP[Any]) -> AsyncIterator[Assistant]:
    """A client of one era, where the era makes no difference."""
    async with Client(server) as client:
        yield Assistant(client)


async def completed(client: Client[Any], name: str, value: str, where: Any = PROPOSAL) -> list[str]:
    return (await client.complete(where, {"name": name, "value": value})).values


async def test_epics_come_from_the_search(ask: Assistant) -> None:
    for where in (PROPOSAL, MARKET):
        assert (await completed(ask.client, "epic", "eur", where))[0].startswith("EUR")
    assert "BTCUSD" in await completed(ask.client, "epic", "bitcoin")
    assert "GOLD,EURUSD" in await completed(ask.client, "epics", "GOLD,eurusd")


async def test_words_and_watchlists_are_completed_too(one: Assistant) -> None:
    await one.works("cap_watchlists_create", name="Metals", confirm=True)
    assert await completed(one.client, "watchlist_id", "met") == ["Metals"]
    assert await completed(one.client, "direction", "S") == ["SELL"]
    assert await completed(one.client, "timeframe", "HO") == ["HOUR", "HOUR_4"]
    assert await completed(one.client, "thesis", "up") == []


async def test_typing_asks_the_broker_once_a_term(one: Assistant, seat: Seat) -> None:
    await completed(one.client, "epic", "GOL")
    before = len(seat.tap.requests)
    await completed(one.client, "epic", "gol")
    await completed(one.client, "epic", "g")
    await completed(one.client, "epic", "x" * 500)
    assert len(seat.tap.requests) == before


async def test_trouble_completes_nothing_and_is_asked_again(one: Assistant, seat: Seat) -> None:
    await one.works("cap_session_login")
    seat.tap.breaks("GET", "/markets", before=httpx.ConnectError("secret"), times=1)
    assert await completed(one.client, "epic", "GOL") == []
    assert "GOLD" in await completed(one.client, "epic", "GOL")


async def test_broken_settings_complete_nothing() -> None:
    def broken() -> Any:
        raise ConfigError("CAP_ENV is wrong")

    found = await Completions(ToolRunner(broken))(
        PROPOSAL, mt.CompletionArgument(name="epic", value="GOLD"), None
    )
    assert found == []


async def test_a_market_can_be_read_as_a_resource(ask: Assistant) -> None:
    (content,) = await ask.client.read_resource("cap://market-cache/GOLD")
    found = json.loads(content.text)
    shown = await ask.works("cap_market_get", epic="GOLD")
    assert (found["env"], found["market"]["rules"]) == ("paper", shown["market"]["rules"])
    assert [each.uri_template for each in await ask.client.list_resource_templates()] == [MARKET.uri]


@pytest.mark.parametrize("epic", ["silver", "x" * 300])
async def test_a_resource_of_no_market_tells_why_and_changes_no_path(
    one: Assistant, seat: Seat, epic: str
) -> None:
    (content,) = await one.client.read_resource(f"cap://market-cache/{epic}")
    assert json.loads(content.text)["error"]["code"] in {"USAGE", "EPIC_UNKNOWN"}
    assert not any("/positions" in request.url.path for request in seat.tap.requests)


async def test_a_long_call_reports_how_far_it_is(era: str) -> None:
    server: FastMCP[Any] = FastMCP("slow", middleware=[Progress(every_s=0.01)])
    twice = Event()

    @server.tool(description="Read windows.")
    def read() -> str:
        tell = windows_reporter()
        tell(3, 12)
        assert twice.wait(FOR_EVER_S)
        return "done"

    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, _total: float | None, message: str | None) -> None:
        heard.append((progress, message))
        if [text for _, text in heard].count("3 of 12 windows read") == 2:
            twice.set()

    async with Client(server, mode=era, progress_handler=hear) as client:
        assert (await client.call_tool("read")).data == "done"
    assert [at for at, _ in heard] == sorted(at for at, _ in heard)


async def test_history_says_how_many_windows_are_read(seat: Seat) -> None:
    server, told = build_server(ToolRunner(lambda: seat.app)), Event()
    heard: list[str] = []

    async def hear(_progress: float, _total: float | None, message: str | None) -> None:
        heard.append(message or "")
        if heard[-1].endswith("windows read"):
            told.set()

    def held(_: httpx.Request) -> None:
        # The first windows are read; the others wait until the client heard of them.
        if len([line for line in seat.tap.seen() if line == "GET /history/activity"]) > AT_ONCE:
            assert told.wait(FOR_EVER_S)

    seat.tap.breaks("GET", "/history/activity", before=held, times=99)
    server.middleware[:] = [Progress(every_s=0.01)]
    async with Client(server, progress_handler=hear) as client:
        await client.call_tool("cap_account_history_activity", {"from_date": "2026-02-01"})
    assert told.is_set()
