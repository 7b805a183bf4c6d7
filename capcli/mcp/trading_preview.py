"""Preview tools: check an order and store it under an id; nothing is sent."""

from decimal import Decimal

from fastmcp.tools import FunctionTool, ToolResult

from capcli.app import App
from capcli.domain.bracket import Change
from capcli.domain.order import OrderRequest, Trigger
from capcli.domain.risk import Risk
from capcli.mcp.arguments import (
    DealId,
    Direction,
    Epic,
    GoodTill,
    Guaranteed,
    InForce,
    Level,
    MaybeDirection,
    MaybeGuaranteed,
    MaybeLevel,
    MaybeTrailing,
    OrderNote,
    OrderTag,
    ProfitAmount,
    ProfitDistance,
    ProfitLevel,
    RiskPercent,
    Size,
    StopAmount,
    StopDistance,
    StopLevel,
    Trailing,
    TriggerType,
    exit_order,
    until_cancelled,
)
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import STORES, tool
from capcli.reply import Reply
from capcli.trading.amend_preview import Dropped, OrderUpdate
from capcli.trading.preview import Preview
from capcli.trading.propose import Proposal

_SET = "trading_preview"


class TradingPreviewTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_trade_preview_position(  # noqa: PLR0917 - the official server's arguments
        self,
        epic: Epic,
        direction: Direction,
        size: Size,
        guaranteed_stop: Guaranteed = False,
        trailing_stop: Trailing = False,
        stop_level: StopLevel = None,
        stop_distance: StopDistance = None,
        stop_amount: StopAmount = None,
        profit_level: ProfitLevel = None,
        profit_distance: ProfitDistance = None,
        profit_amount: ProfitAmount = None,
        note: OrderNote = None,
        tag: OrderTag = None,
    ) -> ToolResult:
        return self._face.answer(
            lambda app: app.previews.preview(
                OrderRequest(
                    epic=epic,
                    side=direction,
                    size=size,
                    stop=exit_order("stop", stop_level, stop_distance, stop_amount),
                    limit=exit_order("profit", profit_level, profit_distance, profit_amount),
                    trailing=trailing_stop,
                    guaranteed=guaranteed_stop,
                    note=note,
                    tag=tag,
                )
            )
        )

    def cap_trade_preview_working_order(  # noqa: PLR0917 - the official server's arguments
        self,
        epic: Epic,
        direction: Direction,
        type: TriggerType,  # noqa: A002 - the official server's name
        level: Level,
        size: Size,
        guaranteed_stop: Guaranteed = False,
        trailing_stop: Trailing = False,
        stop_level: StopLevel = None,
        stop_distance: StopDistance = None,
        stop_amount: StopAmount = None,
        profit_level: ProfitLevel = None,
        profit_distance: ProfitDistance = None,
        profit_amount: ProfitAmount = None,
        good_till_date: GoodTill = None,
        note: OrderNote = None,
        tag: OrderTag = None,
    ) -> ToolResult:
        return self._face.answer(
            lambda app: app.previews.preview(
                OrderRequest(
                    epic=epic,
                    side=direction,
                    size=size,
                    stop=exit_order("stop", stop_level, stop_distance, stop_amount),
                    limit=exit_order("profit", profit_level, profit_distance, profit_amount),
                    trailing=trailing_stop,
                    guaranteed=guaranteed_stop,
                    trigger=Trigger(level, type, good_till_date),
                    note=note,
                    tag=tag,
                )
            )
        )

    def cap_trade_preview_working_order_update(  # noqa: PLR0917 - the official server's arguments
        self,
        deal_id: DealId,
        level: MaybeLevel = None,
        stop_level: StopLevel = None,
        stop_distance: StopDistance = None,
        stop_amount: StopAmount = None,
        profit_level: ProfitLevel = None,
        profit_distance: ProfitDistance = None,
        profit_amount: ProfitAmount = None,
        good_till_date: GoodTill = None,
        time_in_force: InForce = None,
        guaranteed_stop: MaybeGuaranteed = None,
        trailing_stop: MaybeTrailing = None,
    ) -> ToolResult:
        def preview(app: App) -> Reply[OrderUpdate]:
            change = Change(
                stop=exit_order("stop", stop_level, stop_distance, stop_amount),
                limit=exit_order("profit", profit_level, profit_distance, profit_amount),
                trailing=bool(trailing_stop),
                guaranteed=bool(guaranteed_stop),
                level=level,
                good_till=good_till_date,
                no_expiry=until_cancelled(time_in_force, good_till_date),
            )
            dropped = Dropped(trailing=trailing_stop is False, guaranteed=guaranteed_stop is False)
            return app.order_updates.preview(deal_id, change, dropped)

        return self._face.answer(preview)

    def cap_trade_propose(  # noqa: PLR0917 - each optional, all named by clients
        self,
        epic: Epic,
        risk_percent: RiskPercent = Decimal(1),
        direction: MaybeDirection = None,
        stop_level: StopLevel = None,
        stop_distance: StopDistance = None,
        note: OrderNote = None,
        tag: OrderTag = None,
    ) -> ToolResult:
        return self._face.answer(
            lambda app: app.proposals.propose(
                epic,
                Risk(risk_percent),
                side=direction,
                stop=exit_order("stop", stop_level, stop_distance, None),
                note=note,
                tag=tag,
            )
        )


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the preview tools."""
    do = TradingPreviewTools(face)
    return [
        tool(
            do.cap_trade_preview_position,
            "Preview market order",
            "Preview a market order; stores a preview_id. Same as: capcli preview",
            Preview,
            STORES,
            _SET,
        ),
        tool(
            do.cap_trade_preview_working_order,
            "Preview working order",
            "Preview a working order; stores a preview_id. Same as: capcli preview --at",
            Preview,
            STORES,
            _SET,
        ),
        tool(
            do.cap_trade_preview_working_order_update,
            "Preview order change",
            "Preview a change of a working order. Same as: capcli orders amend",
            OrderUpdate,
            STORES,
            _SET,
        ),
        tool(
            do.cap_trade_propose,
            "Trade proposal",
            "Size from risk, stop 2 x ATR unless given; with a direction a preview. Same as: capcli propose",
            Proposal,
            STORES,
            _SET,
            warns=True,
        ),
    ]
