"""Trading tools that only look: positions, working orders, and the broker's verdict on a request."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.account.executions import ExecutionsFound
from capcli.account.exposure import ExposureFound
from capcli.account.portfolio import OrdersFound, PositionsFound
from capcli.account.status import StatusFound
from capcli.mcp.arguments import (
    AttemptId,
    Cursor,
    DealId,
    Fields,
    Last,
    Max,
    PollInterval,
    Reference,
    Timeout,
)
from capcli.mcp.compact import Listing
from capcli.mcp.in_flight_calls import LONGEST_S
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, SETTLES, tool
from capcli.reconcile.confirms import ConfirmShown
from capcli.reconcile.reconcile import Reconciliation

_SET = "trading_read"
# The last look takes its time too.
_LONGEST_WAIT_S = LONGEST_S - 1
_POSITIONS = Listing(
    PositionsFound,
    (
        *("deal_id", "epic", "side", "size", "level", "bid", "offer", "pl", "currency", "pl_account"),
        *("margin", "stop_level", "limit_level", "trailing", "guaranteed", "note", "tag"),
    ),
    identity=("deal_id",),
)
_ORDERS = Listing(
    OrdersFound,
    (
        *("deal_id", "epic", "side", "type", "size", "level", "bid", "offer", "currency"),
        *("stop_level", "limit_level", "trailing", "guaranteed", "good_till", "note", "tag"),
    ),
    identity=("deal_id",),
)
_EXPOSURE = Listing(
    ExposureFound,
    (
        *("group", "name", "positions", "net", "notional", "notional_pct", "margin", "loss_at_stops"),
        *("loss_pct", "without_stop"),
    ),
    identity=("group", "name"),
)
_EXECUTIONS = Listing(
    ExecutionsFound,
    (
        *("attempt_id", "kind", "epic", "side", "size", "level", "state", "protected", "deal_id", "deal_ids"),
        *("account_id", "sent_at", "outcome", "mandate", "note", "tag"),
    ),
    identity=("attempt_id",),
)


class TradingReadTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_trade_positions_list(
        self,
        fields: Fields = (),
        max: Max = None,  # noqa: A002 - as cap_market_prices names it
        cursor: Cursor = None,
    ) -> ToolResult:
        return self._face.answer(lambda app: app.portfolio.positions(), _POSITIONS.asked(fields, max, cursor))

    def cap_trade_positions_get(self, deal_id: DealId) -> ToolResult:
        return self._face.answer(lambda app: app.portfolio.positions(deal_id))

    def cap_trade_orders_list(
        self,
        fields: Fields = (),
        max: Max = None,  # noqa: A002 - as cap_market_prices names it
        cursor: Cursor = None,
    ) -> ToolResult:
        return self._face.answer(lambda app: app.portfolio.orders(), _ORDERS.asked(fields, max, cursor))

    def cap_trade_confirm_get(self, deal_reference: Reference) -> ToolResult:
        return self._face.answer(lambda app: app.confirms.get(deal_reference))

    def cap_trade_confirm_wait(
        self, deal_reference: Reference, timeout_s: Timeout = 15.0, poll_interval_ms: PollInterval = 500
    ) -> ToolResult:
        wait_s, pause_s = min(timeout_s, _LONGEST_WAIT_S), poll_interval_ms / 1000
        return self._face.answer(
            lambda app: app.confirms.wait(deal_reference, wait_s=wait_s, pause_s=pause_s)
        )

    def cap_trade_reconcile(self, attempt_id: AttemptId = None) -> ToolResult:
        return self._face.answer(lambda app: app.reconciliations.reconcile(attempt_id))

    def cap_trade_exposure(self, fields: Fields = (), cursor: Cursor = None) -> ToolResult:
        return self._face.answer(lambda app: app.exposures.show(), _EXPOSURE.asked(fields, None, cursor))

    def cap_trade_status(self) -> ToolResult:
        return self._face.answer(lambda app: app.status.show())

    def cap_trade_executions(self, last: Last = 20, fields: Fields = (), cursor: Cursor = None) -> ToolResult:
        rows = _EXECUTIONS.asked(fields, None, cursor)
        return self._face.answer(lambda app: app.executions_log.latest(last), rows)


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the tools that read positions, orders and confirmations."""
    do = TradingReadTools(face)
    return [
        tool(
            do.cap_trade_positions_list,
            "Open positions",
            "Open positions with P&L, margin and totals. Same as: capcli positions",
            PositionsFound,
            READS,
            _SET,
            rows=_POSITIONS,
        ),
        tool(
            do.cap_trade_positions_get,
            "Open position",
            "One open position. Same as: capcli positions DEAL",
            PositionsFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_trade_orders_list,
            "Working orders",
            "Working orders. Same as: capcli orders",
            OrdersFound,
            READS,
            _SET,
            rows=_ORDERS,
        ),
        tool(
            do.cap_trade_status,
            "Account status",
            "The account at a glance: money, risk, limits left. Same as: capcli status",
            StatusFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_trade_exposure,
            "Exposure",
            "Notional, margin and loss at the stops, in total. Same as: capcli exposure",
            ExposureFound,
            READS,
            _SET,
            rows=_EXPOSURE,
        ),
        tool(
            do.cap_trade_confirm_get,
            "Deal confirmation",
            "The broker's confirmation of a request",
            ConfirmShown,
            READS,
            _SET,
        ),
        tool(
            do.cap_trade_confirm_wait,
            "Wait for confirmation",
            "Wait for the broker's confirmation, 45 s at most",
            ConfirmShown,
            READS,
            _SET,
        ),
        tool(
            do.cap_trade_reconcile,
            "Reconcile lost orders",
            "Settle lost orders. Same as: capcli reconcile",
            Reconciliation,
            SETTLES,
            _SET,
            warns=True,
        ),
        tool(
            do.cap_trade_executions,
            "Sent orders",
            "What was sent. Same as: capcli history executions",
            ExecutionsFound,
            READS,
            _SET,
            rows=_EXECUTIONS,
        ),
    ]
