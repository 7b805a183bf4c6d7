"""The guide's day with an assistant, and orders that cross between the two faces."""

import json

import pytest

from capcli.domain.attempt import PreviewState
from capcli.mcp.tool_runner import ToolRunner
from tests.mcp.conftest import Assistant
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio

SILVER = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.50}


def orders(seat: Seat) -> int:
    """Count the order requests that reached the broker."""
    paths = [request.url.path for request in seat.tap.requests if request.method == "POST"]
    return sum(path.endswith(("/positions", "/workingorders")) for path in paths)


async def test_the_day_of_the_guide(ask: Assistant, seat: Seat) -> None:
    assert (await ask.works("cap_session_login"))["logged_in"]
    accounts = (await ask.works("cap_account_list"))["accounts"]
    assert [row["active"] for row in accounts] == [True, False]
    found = (await ask.works("cap_market_search", search_term="bitcoin"))["markets"]
    assert "BTCUSD" in {row["epic"] for row in found}

    preview = await ask.works("cap_trade_preview_position", **SILVER)
    assert (preview["executable"], preview["size"], preview["stop"]["level"]) == (True, 1.5, 24.5)
    sent = await ask.works("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)
    assert (sent["state"], sent["protected"], sent["replayed"]) == ("LANDED", "yes", False)

    again = await ask.works("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)
    assert (again["replayed"], again["attempt_id"]) == (True, sent["attempt_id"])
    assert orders(seat) == 1

    (position,) = (await ask.works("cap_trade_positions_list"))["positions"]
    assert (position["deal_id"], position["stop_level"]) == (sent["deal_id"], 24.5)
    closed = await ask.works("cap_trade_positions_close", deal_id=sent["deal_id"], confirm=True)
    assert (closed["state"], closed["deal_id"]) == ("LANDED", sent["deal_id"])
    assert (await ask.works("cap_trade_positions_list"))["positions"] == []


async def test_without_confirm_nothing_is_sent_and_the_preview_stays_ready(
    ask: Assistant, seat: Seat
) -> None:
    preview = await ask.works("cap_trade_preview_position", **SILVER)

    refused = await ask("cap_trade_execute_position", preview_id=preview["preview_id"])

    assert (refused.is_error, refused.code) == (True, "NOT_CONFIRMED")
    assert refused.text.startswith("NOT_CONFIRMED: ")
    assert refused.text.endswith("with confirm=true")
    assert orders(seat) == 0
    record = seat.app.journal.preview(preview["preview_id"])
    assert record is not None
    assert record.state is PreviewState.READY


async def test_a_close_without_confirm_is_refused(ask: Assistant, seat: Seat) -> None:
    deal = seat.open().deal_id

    refused = await ask("cap_trade_positions_close", deal_id=deal)

    assert (refused.is_error, refused.code) == (True, "NOT_CONFIRMED")
    assert seat.book() == [deal]


async def test_paper_may_do_without_confirmation(seats, era: str) -> None:
    from fastmcp import Client

    from capcli.mcp.server import build_server

    seat = seats(CAP_REQUIRE_EXPLICIT_CONFIRM="false")
    async with Client(build_server(ToolRunner(lambda: seat.app)), mode=era) as client:
        ask = Assistant(client)
        preview = await ask.works("cap_trade_preview_position", **SILVER)
        sent = await ask.works("cap_trade_execute_position", preview_id=preview["preview_id"])
    assert sent["state"] == "LANDED"


async def test_a_preview_from_the_terminal_executes_here_once(ask: Assistant, seats) -> None:
    terminal = seats()
    preview = terminal.preview()

    sent = await ask.works("cap_trade_execute_position", preview_id=preview.preview_id, confirm=True)
    replay = terminal.execute(preview.preview_id)

    assert (sent["replayed"], replay.data.replayed) == (False, True)
    assert replay.data.attempt_id == sent["attempt_id"]
    assert terminal.book() == [sent["deal_id"]]


async def test_a_preview_from_here_executes_on_the_terminal_once(ask: Assistant, seats) -> None:
    terminal = seats()
    preview = await ask.works("cap_trade_preview_position", **SILVER)

    sent = terminal.execute(preview["preview_id"])
    replay = await ask.works("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)

    assert (sent.data.replayed, replay["replayed"]) == (False, True)
    assert terminal.book() == [sent.data.deal_id]


async def test_a_limit_orders_preview_never_runs_as_a_market_order(ask: Assistant, seat: Seat) -> None:
    working = await ask.works(
        "cap_trade_preview_working_order", epic="SILVER", direction="BUY", type="LIMIT", level=20, size=1
    )
    market = await ask.works("cap_trade_preview_position", **SILVER)

    for tool, preview in (
        ("cap_trade_execute_position", working),
        ("cap_trade_execute_working_order", market),
    ):
        refused = await ask(tool, preview_id=preview["preview_id"], confirm=True)
        assert (refused.is_error, refused.code) == (True, "PREVIEW_ELSEWHERE")
        other = {"cap_trade_execute_position", "cap_trade_execute_working_order"} - {tool}
        assert refused.data["error"]["next"] == f"{other.pop()} preview_id={preview['preview_id']}"
    assert orders(seat) == 0


async def test_an_update_sent_as_an_order_is_refused_with_the_call_that_sends_it(ask: Assistant) -> None:
    order = {"epic": "SILVER", "direction": "BUY", "type": "LIMIT", "level": 20, "size": 1}
    working = await ask.works("cap_trade_preview_working_order", **order)
    sent = await ask.works("cap_trade_execute_working_order", preview_id=working["preview_id"], confirm=True)
    update = await ask.works("cap_trade_preview_working_order_update", deal_id=sent["deal_id"], level="20.25")

    refused = await ask("cap_trade_execute_position", preview_id=update["preview_id"], confirm=True)

    assert (refused.is_error, refused.code) == (True, "PREVIEW_ELSEWHERE")
    tool, argument = refused.data["error"]["next"].split()
    assert argument == f"preview_id={update['preview_id']}"
    done = await ask.works(tool, preview_id=update["preview_id"], confirm=True)
    assert done["level"] == 20.25


async def test_a_working_order_waits_at_its_level(ask: Assistant) -> None:
    preview = await ask.works(
        "cap_trade_preview_working_order",
        epic="SILVER",
        direction="BUY",
        type="LIMIT",
        level="20.50",
        size=1,
        stop_distance=2,
        good_till_date="2026-03-09T12:00:00Z",
    )
    sent = await ask.works("cap_trade_execute_working_order", preview_id=preview["preview_id"], confirm=True)

    (order,) = (await ask.works("cap_trade_orders_list"))["orders"]

    assert (order["deal_id"], order["level"], order["type"]) == (sent["deal_id"], 20.5, "LIMIT")
    assert order["good_till"] == "2026-03-09T12:00:00Z"


async def test_the_same_order_twice_in_a_minute_needs_again(ask: Assistant) -> None:
    for number in (1, 2):
        preview = await ask.works("cap_trade_preview_position", **SILVER)
        call = {"preview_id": preview["preview_id"], "confirm": True}
        sent = await ask("cap_trade_execute_position", **call)
        assert (number, sent.code) in {(1, None), (2, "DUPLICATE")}
    assert (await ask.works("cap_trade_execute_position", **call, again=True))["state"] == "LANDED"


async def test_accounts_switch_and_sessions_end(ask: Assistant) -> None:
    first, second = (row["account_id"] for row in (await ask.works("cap_account_list"))["accounts"])

    moved = await ask.works("cap_session_switch_account", account_id=second)
    status = await ask.works("cap_session_status")
    back = await ask.works("cap_session_login", force=True, account_id=first)

    assert (moved["account_id"], status["account_id"], back["account_id"]) == (second, second, first)
    assert (await ask.works("cap_session_ping"))["alive"]
    assert (await ask.works("cap_session_logout"))["ended"]
    assert not (await ask.works("cap_session_status"))["logged_in"]


async def test_market_data(ask: Assistant) -> None:
    quotes = (await ask.works("cap_market_quote", epics=["SILVER", "GOLD"]))["quotes"]
    rows = (await ask.works("cap_market_search", epics=["SILVER"]))["markets"]
    market = (await ask.works("cap_market_get", epic="SILVER"))["market"]
    candles = await ask.works("cap_market_prices", epic="SILVER", resolution="HOUR", max=5)
    window = await ask.works(
        "cap_market_prices", epic="SILVER", resolution="HOUR", from_date="2026-03-01", to_date="2026-03-02"
    )
    clock = await ask.works("cap_market_time")

    assert [row["epic"] for row in quotes] == ["SILVER", "GOLD"]
    assert [row["epic"] for row in rows] == ["SILVER"]
    assert market["rules"]["min_size"] > 0
    assert len(candles["candles"]["rows"]) == 5
    assert [window["candles"]["rows"][end][0] for end in (0, -1)] == [
        "2026-03-01T00:00:00Z",
        "2026-03-02T00:00:00Z",
    ]
    assert clock["broker_time"].startswith("2026-03-02T12:00:")


async def test_health_tells_every_check(ask: Assistant) -> None:
    report = await ask.works("cap_health")

    assert report["healthy"]
    assert {check["status"] for check in report["checks"]} == {"ok"}


async def test_resources_tell_status_and_limits(ask: Assistant) -> None:
    read = {}
    for name in ("status", "risk-policy", "allowed-epics"):
        (content,) = await ask.client.read_resource(f"cap://{name}")
        read[name] = json.loads(content.text)

    assert {found["env"] for found in read.values()} == {"paper"}
    assert read["status"]["logged_in"] is False
    assert (read["risk-policy"]["max_position_size"], read["risk-policy"]["confirm_needed"]) == (None, True)
    assert read["allowed-epics"]["all"]
