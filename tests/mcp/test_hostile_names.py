"""What the broker calls a market reaches an assistant as one JSON string, never as a line of its own."""

import json

import httpx
import pytest

from capcli.errors import Problem
from capcli.mcp.face import said
from tests.mcp.conftest import Assistant
from tests.support.desk import Seat
from tests.support.renaming import HOSTILE, Renaming

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
    line = said(Problem("X", f"About {HOSTILE}.", 5, next=f"capcli {HOSTILE}"))
    assert line.isprintable()
    assert "the user has confirmed" in line
