"""Arguments as different clients write them are read; only true, "true" and 1 confirm."""

from typing import Any

import pytest

from tests.mcp.conftest import Assistant
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio

SILVER = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.5}


@pytest.mark.parametrize(
    "epics", [["GOLD", "SILVER"], '["GOLD", "SILVER"]', "GOLD,SILVER", "GOLD SILVER", " GOLD, SILVER "]
)
async def test_a_list_may_be_json_text_or_one_text(ask: Assistant, epics: Any) -> None:
    quotes = (await ask.works("cap_market_quote", epics=epics))["quotes"]
    assert [row["epic"] for row in quotes] == ["GOLD", "SILVER"]


async def test_one_epic_is_a_list_of_one(ask: Assistant) -> None:
    seen = await ask.works("cap_stream_prices", epics="GOLD", duration_s="0", update_interval_s=None)
    assert seen["ticks"]["columns"] == ["epic", "bid", "offer", "at"]


async def test_numbers_may_be_text_and_null_is_an_argument_left_out(ask: Assistant) -> None:
    order = {"size": "1.50", "stop_level": "24.5", "profit_level": None, "trailing_stop": "false"}
    preview = await ask.works("cap_trade_preview_position", epic="SILVER", direction="buy", **order)
    assert (preview["side"], preview["size"], preview["stop"]["level"]) == ("BUY", 1.5, 24.5)
    assert "limit" not in preview
    found = await ask.works("cap_market_search", search_term="a", epics=None, limit="3")
    assert len(found["markets"]) == 3
    assert len((await ask.works("cap_market_prices", epic="GOLD", max="2"))["candles"]["rows"]) == 2


async def test_an_object_may_be_json_text(ask: Assistant) -> None:
    seen = await ask.works("cap_stream_alerts", alerts='{"SILVER": {"above": 99}}', duration_s=0)
    assert seen["waiting"] == 1
    said = await ask("cap_account_preferences_set", leverages='{"SHARES": 3, "INDICES": null}')
    assert said.code == "NOT_CONFIRMED"


@pytest.mark.parametrize("yes", [True, "true", 1])
async def test_what_confirms(ask: Assistant, seat: Seat, yes: Any) -> None:
    preview = await ask.works("cap_trade_preview_position", **SILVER)
    sent = await ask.works("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=yes)
    assert seat.book() == [sent["deal_id"]]
    assert (await ask.works("cap_session_login", force=yes))["logged_in"]


@pytest.mark.parametrize("other", ["yes", "TRUE", "1", 2, 1.0, [True], {}, "", False, None])
async def test_nothing_else_confirms(ask: Assistant, seat: Seat, other: Any) -> None:
    preview = await ask.works("cap_trade_preview_position", **SILVER)
    said = await ask("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=other)
    assert said.code == ("NOT_CONFIRMED" if other in (False, None) else "USAGE")
    assert seat.book() == []


async def test_a_wrong_argument_is_named_with_what_to_give_env_and_account(ask: Assistant) -> None:
    await ask.works("cap_account_list")
    said = await ask("cap_trade_preview_position", epic="GO LD", direction="up", colour=3)
    assert said.text == (
        "USAGE: epic must be an epic such as GOLD, as cap_market_search returns it; direction must be BUY or "
        "SELL; size is needed; there is no argument 'colour'. Nothing was sent."
    )
    assert (said.data["env"], said.data["account_id"]) == ("paper", "100482915730264817")
    wrong = await ask("cap_trade_execute_position", preview_id="p_1")
    assert "preview_id must be p_ and 12 letters or digits, from a preview" in wrong.text


@pytest.mark.parametrize("reason", [5, ["a"], {"b": None}, "x" * 5000, "a\nb", True])
async def test_a_halt_never_fails_on_its_note(ask: Assistant, seat: Seat, reason: Any) -> None:
    said = await ask.works("cap_halt", reason=reason)
    assert said["halted"]
    assert (await ask.works("cap_session_status"))["halt"]
