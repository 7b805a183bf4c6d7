"""A watchlist's id never becomes a path, and an assistant changes no list without its user's yes."""

from itertools import product
from typing import Any

import pytest

from tests.mcp.conftest import Assistant
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio

BAD = ["../positions/D1", "..", "1/2", "%2e%2e%2fpositions", "a?b", "a#b", "\\..", "x" * 500, "", "\x00"]


async def test_an_id_that_would_change_a_path_asks_the_broker_for_nothing(ask: Assistant, seat: Seat) -> None:
    deal = seat.open().deal_id
    before = len(seat.tap.requests)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("cap_watchlists_delete", {"confirm": True}),
        ("cap_watchlists_remove_market", {"epic": "GOLD", "confirm": True}),
        ("cap_watchlists_add_market", {"epic": "GOLD", "confirm": True}),
        ("cap_watchlists_get", {}),
    ]
    for bad, (tool, arguments) in product(BAD, calls):
        said = await ask(tool, watchlist_id=bad, **arguments)
        assert (said.is_error, said.code) == (True, "USAGE"), (tool, bad)
    assert len(seat.tap.requests) == before
    assert seat.book() == [deal]


async def test_nothing_changes_without_a_yes(ask: Assistant, seat: Seat) -> None:
    said = await ask("cap_watchlists_create", name="Metals")
    assert (said.is_error, said.code) == (True, "NOT_CONFIRMED")
    assert "confirm=true" in said.data["error"]["next"]
    await ask.works("cap_watchlists_create", name="Metals", confirm=True)
    assert (await ask("cap_watchlists_delete", watchlist_id="Metals", confirm="yes")).code == "USAGE"
    assert [row["name"] for row in (await ask.works("cap_watchlists_list"))["watchlists"]] == ["Metals"]


async def test_a_node_id_that_would_change_a_path_is_refused(ask: Assistant, seat: Seat) -> None:
    for node_id in ("../positions", "a/b", "", "x" * 200, ".."):
        assert (await ask("cap_market_navigation_node", node_id=node_id)).code == "USAGE"
    assert seat.tap.requests == []


async def test_a_span_longer_than_a_call_lasts_is_refused(ask: Assistant) -> None:
    said = await ask("cap_account_history_activity", from_date="2025-01-01")
    assert said.code == "USAGE"
    assert "90 days" in said.text
