"""The tool that changes a position's stop and limit. It needs its own confirm=true."""

from fastmcp.tools import ToolResult

from capcli.app import App
from capcli.domain.bracket import Change
from capcli.mcp import arguments as args
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
def cap_trade_positions_amend(
    runner: ToolRunner,
    deal_id: args.DealId,
    stop_level: args.StopLevel = None,
    stop_distance: args.StopDistance = None,
    profit_level: args.ProfitLevel = None,
    profit_distance: args.ProfitDistance = None,
    remove_stop: args.RemoveStop = False,
    remove_profit: args.RemoveProfit = False,
    guaranteed_stop: args.Guaranteed = False,
    trailing_stop: args.Trailing = False,
    confirm: args.Confirm = False,
) -> ToolResult:
    def amend(app: App) -> Reply[Amendment]:
        change = Change(
            stop=args.exit_order("stop", stop_level, stop_distance, None),
            limit=args.exit_order("profit", profit_level, profit_distance, None),
            no_stop=remove_stop,
            no_limit=remove_profit,
            trailing=trailing_stop,
            guaranteed=guaranteed_stop,
        )
        return app.amendments.amend(deal_id, change, confirmed=confirm)

    return runner.send(amend, lambda _: under_way(f"The amendment of {deal_id}", f"positions {deal_id}"))
