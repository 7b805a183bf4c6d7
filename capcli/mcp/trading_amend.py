"""The tool that changes a position's stop and limit. It needs its own confirm=true."""

from fastmcp.tools import ToolResult

from capcli.app import App
from capcli.domain.bracket import Change
from capcli.mcp.arguments import (
    Confirm,
    DealId,
    Guaranteed,
    ProfitDistance,
    ProfitLevel,
    RemoveProfit,
    RemoveStop,
    StopDistance,
    StopLevel,
    Trailing,
    exit_order,
)
from capcli.mcp.tool_runner import ToolRunner, under_way
from capcli.mcp.toolset import TRADES, Toolset
from capcli.reply import Reply
from capcli.trading.amend_position import Amendment

toolset = Toolset("trading-execute")


@toolset.tool(
    "Amend position",
    "Change a position's stop or limit; the rest stays.",
    Amendment,
    TRADES,
    "positions amend",
    warns=True,
)
def cap_trade_positions_amend(  # noqa: PLR0917 - named as the preview tools name them
    runner: ToolRunner,
    deal_id: DealId,
    stop_level: StopLevel = None,
    stop_distance: StopDistance = None,
    profit_level: ProfitLevel = None,
    profit_distance: ProfitDistance = None,
    remove_stop: RemoveStop = False,
    remove_profit: RemoveProfit = False,
    guaranteed_stop: Guaranteed = False,
    trailing_stop: Trailing = False,
    confirm: Confirm = False,
) -> ToolResult:
    def amend(app: App) -> Reply[Amendment]:
        change = Change(
            stop=exit_order("stop", stop_level, stop_distance, None),
            limit=exit_order("profit", profit_level, profit_distance, None),
            no_stop=remove_stop,
            no_limit=remove_profit,
            trailing=trailing_stop,
            guaranteed=guaranteed_stop,
        )
        return app.amendments.amend(deal_id, change, confirmed=confirm)

    return runner.send(amend, lambda _: under_way(f"The amendment of {deal_id}", f"positions {deal_id}"))
