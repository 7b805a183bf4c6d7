"""Trading tools that only look: positions, working orders, and the broker's verdict on a request."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.mcp.arguments import Id, Limit, MaybeText, Seconds
from capcli.mcp.face import Face
from capcli.mcp.flights import LONGEST_S
from capcli.mcp.toolset import READS, SETTLES, tool
from capcli.services.confirms import ConfirmShown
from capcli.services.executions_log import ExecutionsFound
from capcli.services.exposure import ExposureFound
from capcli.services.portfolio import OrdersFound, PositionsFound
from capcli.services.settling import Reconciliation

_SET = "trading_read"
# The last look takes its time too.
_LONGEST_WAIT_S = LONGEST_S - 1


class TradingReadTools:
    def __init__(self, face: Face) -> None:
        self._face = face

    def cap_trade_positions_list(self) -> ToolResult:
        return self._face.answer(lambda app: app.portfolio.positions())

    def cap_trade_positions_get(self, deal_id: Id) -> ToolResult:
        return self._face.answer(lambda app: app.portfolio.positions(deal_id))

    def cap_trade_orders_list(self) -> ToolResult:
        return self._face.answer(lambda app: app.portfolio.orders())

    def cap_trade_confirm_get(self, deal_reference: Id) -> ToolResult:
        return self._face.answer(lambda app: app.confirms.get(deal_reference))

    def cap_trade_confirm_wait(
        self, deal_reference: Id, timeout_s: Seconds = 15.0, poll_interval_ms: int = 500
    ) -> ToolResult:
        wait_s, pause_s = min(timeout_s, _LONGEST_WAIT_S), poll_interval_ms / 1000
        return self._face.answer(
            lambda app: app.confirms.wait(deal_reference, wait_s=wait_s, pause_s=pause_s)
        )

    def cap_trade_reconcile(self, attempt_id: MaybeText = None) -> ToolResult:
        return self._face.answer(lambda app: app.settlements.reconcile(attempt_id))

    def cap_trade_exposure(self) -> ToolResult:
        return self._face.answer(lambda app: app.exposures.show())

    def cap_trade_executions(self, last: Limit = 20) -> ToolResult:
        return self._face.answer(lambda app: app.executions_log.latest(last))


def tools(face: Face) -> list[FunctionTool]:
    """Return the tools that read positions, orders and confirmations."""
    do = TradingReadTools(face)
    return [
        tool(
            do.cap_trade_positions_list,
            "Open positions with P&L, margin and totals. Same as: capcli positions",
            PositionsFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_trade_positions_get,
            "One open position. Same as: capcli positions DEAL",
            PositionsFound,
            READS,
            _SET,
        ),
        tool(do.cap_trade_orders_list, "Working orders. Same as: capcli orders", OrdersFound, READS, _SET),
        tool(
            do.cap_trade_exposure,
            "Notional, margin and loss at the stops, in total. Same as: capcli exposure",
            ExposureFound,
            READS,
            _SET,
        ),
        tool(do.cap_trade_confirm_get, "The broker's verdict on a request", ConfirmShown, READS, _SET),
        tool(
            do.cap_trade_confirm_wait,
            "Wait for the broker's verdict, 45 s at most",
            ConfirmShown,
            READS,
            _SET,
        ),
        tool(
            do.cap_trade_reconcile,
            "Settle lost orders. Same as: capcli reconcile",
            Reconciliation,
            SETTLES,
            _SET,
            warns=True,
        ),
        tool(
            do.cap_trade_executions,
            "What was sent. Same as: capcli history executions",
            ExecutionsFound,
            READS,
            _SET,
        ),
    ]
