"""What an assistant reads on a busy account: 50 positions, 200 candles, 500 activities. None above 20 kB."""

from typing import Any

import pytest
from fastmcp import Client

from capcli.account.history import Span
from capcli.account.preferences import Wanted
from capcli.mcp.compact import BUDGET
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from capcli.paper.state import reset, switches
from tests.mcp.conftest import Assistant
from tests.support.fixtures import Seats
from tests.support.seat import Seat

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

POSITIONS, ACTIVITIES = 50, 500
EPICS = ("SILVER", "GOLD", "EURUSD", "BTCUSD")
SIZES = {"SILVER": "1", "GOLD": "0.1", "EURUSD": "1000", "BTCUSD": "0.01"}
ORDER = {"epic": "SILVER", "direction": "BUY", "size": 1, "stop_level": 24.5}
# Every tool that answers with a list or a page, as it is asked by default.
READS: dict[str, dict[str, Any]] = {
    "cap_session_status": {},
    "cap_account_list": {},
    "cap_account_preferences_get": {},
    "cap_account_history_activity": {},
    "cap_account_history_transactions": {},
    "cap_account_history_report": {"by": "day"},
    "cap_history_stats": {"by": "hour"},
    "cap_market_search": {"search_term": "a"},
    "cap_market_get": {"epic": "GOLD"},
    "cap_market_quote": {"epics": list(EPICS)},
    "cap_market_prices": {"epic": "BTCUSD"},
    "cap_market_navigation_root": {},
    "cap_market_navigation_node": {"node_id": "commodities"},
    "cap_market_sentiment": {"market_id": "GOLD"},
    "cap_watchlists_list": {},
    "cap_trade_positions_list": {},
    "cap_trade_orders_list": {},
    "cap_trade_exposure": {},
    "cap_trade_executions": {},
    "cap_trade_reconcile": {},
    "cap_trade_preview_position": ORDER,
    "cap_trade_preview_working_order": ORDER | {"type": "LIMIT", "level": 20, "stop_level": 18},
    "cap_trade_propose": {"epic": "GOLD"},
    "cap_stream_prices": {"epics": list(EPICS), "duration_s": 0},
    "cap_stream_portfolio": {"duration_s": 0},
    "cap_approvals_list": {},
    "cap_trade_flatten": {"confirm": True},
}


@pytest.fixture
def busy(seats: Seats) -> Seat:
    """A hedging account on which the paper broker itself booked all of it."""
    seat = seats()
    reset(seat.home / "paper.db", limits=False, at=seat.time.now())
    switches(seat.home / "paper.db", at=seat.time.now(), confirm_delay_ms=0)
    seat.app.account_changes.prefer(Wanted(hedging=True), confirmed=True)
    broker = seat.app.broker
    account = broker.session().account_id
    for number in range(ACTIVITIES // 2):
        seat.time.tick(1)
        epic = EPICS[number % len(EPICS)]
        body = f'{{"epic":"{epic}","direction":"BUY","size":{SIZES[epic]}}}'.encode()
        broker.send("POST", "/positions", body, account_id=account)
        if number >= POSITIONS:
            oldest = seat.app.portfolio.positions().data.positions[0].deal_id
            broker.send("DELETE", f"/positions/{oldest}", None, account_id=account)
    return seat


async def test_no_answer_is_above_20_kb_by_default(busy: Seat, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {}
    async with Client(build_server(ToolRunner(lambda: busy.app))) as client:
        ask = Assistant(client)
        for tool, arguments in READS.items():
            sizes[tool] = len((await ask(tool, **arguments)).text.encode())
    with capsys.disabled():
        print(
            "\n" + "\n".join(f"{size:6} {tool}" for tool, size in sorted(sizes.items(), key=lambda x: -x[1]))
        )
    assert {tool: size for tool, size in sizes.items() if size > BUDGET} == {}


async def test_cursors_lead_through_all_of_it(busy: Seat) -> None:
    async with Client(build_server(ToolRunner(lambda: busy.app))) as client:
        ask = Assistant(client)
        told, cursor = [], None
        while cursor or not told:
            answer = await ask.works("cap_account_history_activity", cursor=cursor)
            told += answer["activities"]["rows"]
            cursor = answer.get("cursor")
        found = busy.app.history.activity(Span())
        assert len(told) == len(found.data.activities) >= ACTIVITIES - POSITIONS
        positions = await ask.works("cap_trade_positions_list", max=POSITIONS, fields=["deal_id"])
        assert len({row["deal_id"] for row in positions["positions"]}) == POSITIONS
