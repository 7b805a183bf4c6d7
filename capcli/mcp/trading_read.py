"""Trading tools that only read: positions, working orders, and the broker's confirmation of a request."""

from fastmcp.tools import ToolResult

from capcli.account.executions import ExecutionsFound
from capcli.account.exposure import ExposureFound
from capcli.account.portfolio import OrdersFound, PositionsFound
from capcli.account.status import StatusFound
from capcli.mcp import arguments as args
from capcli.mcp.compact import Listing
from capcli.mcp.in_flight_calls import LONGEST_S
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import KEEPS, READS, Toolset
from capcli.reconcile.confirms import ConfirmShown
from capcli.reconcile.reconcile import Reconciliation

toolset = Toolset("trading-read")
# Leaves time for the last request.
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


@toolset.tool(
    "Open positions",
    "Open positions with P&L, margin and totals.",
    PositionsFound,
    READS,
    "positions",
    rows=_POSITIONS,
)
def cap_trade_positions_list(
    runner: ToolRunner, fields: args.Fields = (), max: args.Max = None, cursor: args.Cursor = None
) -> ToolResult:
    return runner.answer(lambda app: app.portfolio.positions(), _POSITIONS.requested(fields, max, cursor))


@toolset.tool("Open position", "One open position.", PositionsFound, READS, "positions DEAL")
def cap_trade_positions_get(runner: ToolRunner, deal_id: args.DealId) -> ToolResult:
    return runner.answer(lambda app: app.portfolio.positions(deal_id))


@toolset.tool("Working orders", "Working orders.", OrdersFound, READS, "orders", rows=_ORDERS)
def cap_trade_orders_list(
    runner: ToolRunner, fields: args.Fields = (), max: args.Max = None, cursor: args.Cursor = None
) -> ToolResult:
    return runner.answer(lambda app: app.portfolio.orders(), _ORDERS.requested(fields, max, cursor))


@toolset.tool(
    "Account status", "The account at a glance: money, risk, limits left.", StatusFound, READS, "status"
)
def cap_trade_status(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.status.show())


@toolset.tool(
    "Exposure",
    "Notional, margin and loss at the stops, in total.",
    ExposureFound,
    READS,
    "exposure",
    rows=_EXPOSURE,
)
def cap_trade_exposure(
    runner: ToolRunner, fields: args.Fields = (), cursor: args.Cursor = None
) -> ToolResult:
    return runner.answer(lambda app: app.exposures.show(), _EXPOSURE.requested(fields, None, cursor))


@toolset.tool("Deal confirmation", "The broker's confirmation of a request", ConfirmShown, READS)
def cap_trade_confirm_get(runner: ToolRunner, deal_reference: args.Reference) -> ToolResult:
    return runner.answer(lambda app: app.confirms.get(deal_reference))


@toolset.tool(
    "Wait for confirmation", "Wait for the broker's confirmation, 45 s at most", ConfirmShown, READS
)
def cap_trade_confirm_wait(
    runner: ToolRunner,
    deal_reference: args.Reference,
    timeout_s: args.Timeout = 15.0,
    poll_interval_ms: args.PollInterval = 500,
) -> ToolResult:
    wait_s, pause_s = min(timeout_s, _LONGEST_WAIT_S), poll_interval_ms / 1000
    return runner.answer(lambda app: app.confirms.wait(deal_reference, wait_s=wait_s, pause_s=pause_s))


@toolset.tool("Reconcile lost orders", "Settle lost orders.", Reconciliation, KEEPS, "reconcile", warns=True)
def cap_trade_reconcile(runner: ToolRunner, attempt_id: args.AttemptId = None) -> ToolResult:
    return runner.answer(lambda app: app.reconciliations.reconcile(attempt_id))


@toolset.tool("Sent orders", "What was sent.", ExecutionsFound, READS, "history executions", rows=_EXECUTIONS)
def cap_trade_executions(
    runner: ToolRunner, last: args.Last = 20, fields: args.Fields = (), cursor: args.Cursor = None
) -> ToolResult:
    rows = _EXECUTIONS.requested(fields, None, cursor)
    return runner.answer(lambda app: app.executions_log.latest(last), rows)
