"""Tools that change what is there: legs of a position, a waiting order. Each needs its own confirm=true."""

import os
from shlex import quote

from fastmcp.tools import FunctionTool, ToolResult

from capcli.app import App, halt_all_the_same
from capcli.domain.bracket import Change
from capcli.errors import ConfigError, UnderWay, UsageError
from capcli.mcp.arguments import (
    All,
    Confirm,
    DealId,
    Guaranteed,
    MaybeDealId,
    MaybeEpic,
    ProfitDistance,
    ProfitLevel,
    RemoveProfit,
    RemoveStop,
    StopDistance,
    StopLevel,
    Timeout,
    Trailing,
    WaitForConfirm,
    exit_order,
)
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import TRADES, tool
from capcli.reply import Reply
from capcli.trading.amend_position import Amendment
from capcli.trading.cancel import Cancellation
from capcli.trading.cancel_all import AllCancellations
from capcli.trading.flatten import Flattened, Flattening

_SET = "trading_execute"


class TradingChangeTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_trade_positions_amend(  # noqa: PLR0917 - named as the preview tools name them
        self,
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

        return self._face.send(amend, lambda _: _under_way("amendment", deal_id, "positions"))

    def cap_trade_flatten(self, confirm: Confirm = False) -> ToolResult:
        done: list[Flattened] = []
        return self._face.send(
            lambda app: app.flattenings.flatten(confirmed=confirm, by="cap_trade_flatten", done=done),
            lambda _: _flattening(len(done)),
            way_out="capcli flatten",
            refused=_halt if confirm else lambda _: None,
        )

    # The cancellation is proved by reading for a few seconds whatever these two say; they are the official
    # server's arguments.
    def cap_trade_orders_cancel(  # noqa: PLR0917 - ours come after the official ones
        self,
        deal_id: MaybeDealId = None,
        confirm: Confirm = False,
        wait_for_confirm: WaitForConfirm = True,  # noqa: ARG002
        timeout_s: Timeout = 15.0,  # noqa: ARG002
        all_orders: All = False,
        epic: MaybeEpic = None,
    ) -> ToolResult:
        if all_orders and deal_id is None:
            only = "" if epic is None else f" --epic {quote(epic)}"
            return self._face.send(
                lambda app: app.cancellations_of_all.cancel_all(epic, confirmed=confirm),
                lambda _: _under_way("cancellation", "all working orders", "orders"),
                way_out=f"capcli orders cancel --all{only}",
            )
        return self._face.send(
            lambda app: app.cancellations.cancel(_one(deal_id, all_orders, epic), confirmed=confirm),
            lambda _: _under_way("cancellation", str(deal_id), "orders"),
            way_out=f"capcli orders cancel {quote(deal_id or '')}",
        )


def _halt(error: ConfigError) -> None:
    """Halt for a confirmed flattening that the settings stop, and say so."""
    halt_all_the_same(error, os.environ, by="cap_trade_flatten")


def _one(deal_id: str | None, all_orders: bool, epic: str | None) -> str:
    """Return the deal to cancel. Raises UsageError for a call that names none, or one and all."""
    if deal_id is None or all_orders or epic is not None:
        raise UsageError("Name deal_id, or all_orders=true with an epic or without. Nothing was sent.")
    return deal_id


def _under_way(what: str, deal_id: str, where: str) -> Reply[Amendment | Cancellation]:
    raise UnderWay(
        f"The {what} of {deal_id} is still running. The same call again is safe.",
        next=f"capcli {where}{'' if deal_id.startswith('all ') else f' {deal_id}'}",
    )


def _flattening(count: int) -> Reply[Flattening]:
    raise UnderWay(
        f"The flattening is still under way and goes on; {count} deals were gone through so far. "
        "The same call again is safe.",
        next="capcli flatten",
    )


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the tools that change positions and working orders."""
    do = TradingChangeTools(face)
    return [
        tool(
            do.cap_trade_positions_amend,
            "Amend position",
            "Change a position's stop or limit; the rest stays. confirm=true after a yes. "
            "Same as: capcli positions amend",
            Amendment,
            TRADES,
            _SET,
            warns=True,
        ),
        tool(
            do.cap_trade_orders_cancel,
            "Cancel orders",
            "Cancel a working order, or all_orders [of an epic]. confirm=true after a yes. "
            "Same as: capcli orders cancel",
            Cancellation,
            TRADES,
            _SET,
            warns=True,
            also=AllCancellations,
        ),
        tool(
            do.cap_trade_flatten,
            "Flatten everything",
            "Halt, cancel all, close all. confirm=true after a yes. Same as: capcli flatten",
            Flattening,
            TRADES,
            _SET,
            warns=True,
        ),
    ]
