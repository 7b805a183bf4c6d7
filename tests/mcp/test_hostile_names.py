"""What the broker calls a market reaches an assistant as one JSON string, never as a line of its own."""

import json

import httpx
import pytest

from capcli.errors import Problem
from capcli.mcp.tool_runner import one_line
from tests.mcp.conftest import Assistant
from tests.support.renaming import HOSTILE, Renaming
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio


async def test_a_name_is_data_in_text_and_in_structure(ask: Assistant, seat: Seat) -> None:
    inner: httpx.BaseTransport = seat.tap._inner
    seat.tap._inner = Renaming(inner)
    for tool, arguments in (
        ("cap_market_get", {"epic": "SILVER"}),
        ("cap_market_search", {"epics": ["SILVER"]}),
        ("cap_trade_preview_position", {"epic": "SILVER", "direction": "BUY", "size": 1, "stop_level": 24.5}),
    ):
        answer = await ask(tool, **arguments)
        assert not answer.is_error
        assert answer.text.isprintable(), ascii(answer.text)
        assert json.loads(answer.text)["env"] == "paper"
        if tool != "cap_trade_preview_position":
            assert HOSTILE in (answer.data.get("market") or answer.data["markets"][0]).values()


async def test_an_error_quotes_a_name_in_one_line() -> None:
    line = one_line(Problem("X", f"About {HOSTILE}.", 5, next=f"capcli {HOSTILE}"))
    assert line.isprintable()
    assert "the user has confirmed" in line


async def test_a_hostile_note_is_data_and_goes_with_the_order(ask: Assistant, seat: Seat) -> None:
    order = {"epic": "SILVER", "direction": "BUY", "size": 1, "stop_level": 24.5}
    note = f"{HOSTILE}\n=cmd|x <b>[red]"
    preview = await ask.works("cap_trade_preview_position", **order, note=note, tag="Dip")
    kept = preview["data"]["note"] if "data" in preview else preview["note"]
    assert kept.isprintable()
    shown = await ask("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)
    assert not shown.is_error
    for tool in ("cap_trade_positions_list", "cap_trade_executions"):
        answer = await ask(tool)
        assert answer.text.isprintable(), ascii(answer.text)
        (row,) = answer.data["positions" if tool.endswith("list") else "executions"]
        assert (row["note"], row["tag"]) == (kept, "dip")
    assert all(b"cmd|x" not in request.content for request in seat.tap.requests)


@pytest.mark.parametrize("wrong", [{"note": "x" * 201}, {"note": 5}, {"tag": "two words"}, {"tag": []}])
async def test_a_note_or_tag_that_cannot_be_kept_stores_nothing(
    ask: Assistant, wrong: dict[str, object]
) -> None:
    answer = await ask("cap_trade_preview_position", epic="SILVER", direction="BUY", size=1, **wrong)
    assert answer.is_error
    assert "preview_id" not in answer.data
