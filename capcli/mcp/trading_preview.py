"""Preview tools: check an order and store it under an id; nothing is sent."""

from decimal import Decimal

from fastmcp.tools import ToolResult

from capcli.app import App
from capcli.domain.bracket import Change
from capcli.domain.order import OrderRequest, OrderTerms, Trigger
from capcli.domain.risk import Risk
from capcli.mcp import arguments as args
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import PREVIEWS, Toolset
from capcli.reply import Reply
from capcli.trading.amend_preview import Dropped, OrderUpdate
from capcli.trading.preview import Preview
from capcli.trading.propose import Proposal

toolset = Toolset("trading-preview")


@toolset.tool(
    "Preview market order", "Preview a market order; stores a preview_id.", Preview, PREVIEWS, "preview"
)
def cap_trade_preview_position(
    runner: ToolRunner,
    epic: args.Epic,
    direction: args.Direction,
    size: args.Size,
    guaranteed_stop: args.Guaranteed = False,
    trailing_stop: args.Trailing = False,
    stop_level: args.StopLevel = None,
    stop_distance: args.StopDistance = None,
    stop_amount: args.StopAmount = None,
    profit_level: args.ProfitLevel = None,
    profit_distance: args.ProfitDistance = None,
    profit_amount: args.ProfitAmount = None,
    note: args.OrderNote = None,
    tag: args.OrderTag = None,
) -> ToolResult:
    return runner.answer(
        lambda app: app.previews.preview(
            OrderRequest(
                epic=epic,
                side=direction,
                size=size,
                stop=args.exit_order("stop", stop_level, stop_distance, stop_amount),
                limit=args.exit_order("profit", profit_level, profit_distance, profit_amount),
                trailing=trailing_stop,
                guaranteed=guaranteed_stop,
                note=note,
                tag=tag,
            )
        )
    )


@toolset.tool(
    "Preview working order",
    "Preview a working order; stores a preview_id.",
    Preview,
    PREVIEWS,
    "preview --at",
)
def cap_trade_preview_working_order(
    runner: ToolRunner,
    epic: args.Epic,
    direction: args.Direction,
    type: args.TriggerType,
    level: args.Level,
    size: args.Size,
    guaranteed_stop: args.Guaranteed = False,
    trailing_stop: args.Trailing = False,
    stop_level: args.StopLevel = None,
    stop_distance: args.StopDistance = None,
    stop_amount: args.StopAmount = None,
    profit_level: args.ProfitLevel = None,
    profit_distance: args.ProfitDistance = None,
    profit_amount: args.ProfitAmount = None,
    good_till_date: args.GoodTill = None,
    note: args.OrderNote = None,
    tag: args.OrderTag = None,
) -> ToolResult:
    return runner.answer(
        lambda app: app.previews.preview(
            OrderRequest(
                epic=epic,
                side=direction,
                size=size,
                stop=args.exit_order("stop", stop_level, stop_distance, stop_amount),
                limit=args.exit_order("profit", profit_level, profit_distance, profit_amount),
                trailing=trailing_stop,
                guaranteed=guaranteed_stop,
                trigger=Trigger(level, type, good_till_date),
                note=note,
                tag=tag,
            )
        )
    )


@toolset.tool(
    "Preview order change", "Preview a change of a working order.", OrderUpdate, PREVIEWS, "orders amend"
)
def cap_trade_preview_working_order_update(
    runner: ToolRunner,
    deal_id: args.DealId,
    level: args.MaybeLevel = None,
    stop_level: args.StopLevel = None,
    stop_distance: args.StopDistance = None,
    stop_amount: args.StopAmount = None,
    profit_level: args.ProfitLevel = None,
    profit_distance: args.ProfitDistance = None,
    profit_amount: args.ProfitAmount = None,
    good_till_date: args.GoodTill = None,
    time_in_force: args.InForce = None,
    guaranteed_stop: args.MaybeGuaranteed = None,
    trailing_stop: args.MaybeTrailing = None,
) -> ToolResult:
    def preview(app: App) -> Reply[OrderUpdate]:
        change = Change(
            stop=args.exit_order("stop", stop_level, stop_distance, stop_amount),
            limit=args.exit_order("profit", profit_level, profit_distance, profit_amount),
            trailing=bool(trailing_stop),
            guaranteed=bool(guaranteed_stop),
            level=level,
            good_till=good_till_date,
            no_expiry=args.until_cancelled(time_in_force, good_till_date),
        )
        dropped = Dropped(trailing=trailing_stop is False, guaranteed=guaranteed_stop is False)
        return app.order_updates.preview(deal_id, change, dropped)

    return runner.answer(preview)


@toolset.tool(
    "Trade proposal",
    "Size from risk, stop 2 x ATR unless given; with a direction a preview.",
    Proposal,
    PREVIEWS,
    "propose",
    warns=True,
)
def cap_trade_propose(
    runner: ToolRunner,
    epic: args.Epic,
    risk_percent: args.RiskPercent = Decimal(1),
    direction: args.MaybeDirection = None,
    stop_level: args.StopLevel = None,
    stop_distance: args.StopDistance = None,
    note: args.OrderNote = None,
    tag: args.OrderTag = None,
) -> ToolResult:
    return runner.answer(
        lambda app: app.proposals.propose(
            epic,
            Risk(risk_percent),
            side=direction,
            stop=args.exit_order("stop", stop_level, stop_distance, None),
            terms=OrderTerms(note=note, tag=tag),
        )
    )
