"""Tools that reduce risk: close, cancel, flatten. Each needs its own confirm=true.

They name the same command for a terminal (`way_out`), and work even if settings stop all others.
"""

import os
from shlex import quote

from fastmcp.tools import ToolResult

from capcli.app import App, halting_alone
from capcli.errors import ConfigError, UsageError
from capcli.mcp import arguments as args
from capcli.mcp.tool_runner import ToolRunner, confirm_wait_s, under_way
from capcli.mcp.toolset import TRADES, Toolset
from capcli.reply import Reply
from capcli.trading.cancel import Cancellation
from capcli.trading.cancel_all import AllCancellations
from capcli.trading.close import Closing
from capcli.trading.flatten import Flattened, Flattening, halt_all_the_same
from capcli.trading.partial_close import Reduction

toolset = Toolset("trading-execute")


# The close of a whole position is proved by reading the book for a few seconds whatever wait_for_confirm and
# timeout_s say; they are the official server's arguments. One of a part is an order, whose confirm can be
# waited for.
@toolset.tool(
    "Close position", "Close a position, or size of it.", Closing, TRADES, "close", warns=True, also=Reduction
)
def cap_trade_positions_close(
    runner: ToolRunner,
    deal_id: args.DealId,
    confirm: args.Confirm = False,
    wait_for_confirm: args.WaitForConfirm = True,
    timeout_s: args.Timeout = 15.0,
    size: args.MaybeSize = None,
    again: args.Again = False,
) -> ToolResult:
    if size is None:
        return runner.send(
            lambda app: app.closings.close(deal_id, confirmed=confirm),
            lambda _: under_way(
                f"The close of {deal_id}",
                f"positions {deal_id}",
                "Look at the position; closing it again is safe.",
            ),
            way_out=f"capcli close {quote(deal_id)}",
        )
    begun: list[str] = []

    def reduce(app: App) -> Reply[Reduction]:
        app.require_way_out(f"capcli close {quote(deal_id)} --size {size}")
        wait_s = confirm_wait_s(timeout_s, wanted=wait_for_confirm)
        return app.reductions.reduce(
            deal_id, size, confirmed=confirm, again=again, wait_s=wait_s, begun=begun.append
        )

    return runner.send(
        reduce, lambda app: app.reductions.part_so_far(deal_id, size, begun[0] if begun else None)
    )


# The cancellation is proved by reading for a few seconds, whatever wait_for_confirm and timeout_s are.
@toolset.tool(
    "Cancel orders",
    "Cancel a working order, or all_orders [of an epic].",
    Cancellation,
    TRADES,
    "orders cancel",
    warns=True,
    also=AllCancellations,
)
def cap_trade_orders_cancel(
    runner: ToolRunner,
    deal_id: args.MaybeDealId = None,
    confirm: args.Confirm = False,
    wait_for_confirm: args.WaitForConfirm = True,  # noqa: ARG001
    timeout_s: args.Timeout = 15.0,  # noqa: ARG001
    all_orders: args.All = False,
    epic: args.MaybeEpic = None,
) -> ToolResult:
    if all_orders and deal_id is None:
        only = "" if epic is None else f" --epic {quote(epic)}"
        return runner.send(
            lambda app: app.cancellations_of_all.cancel_all(epic, confirmed=confirm),
            lambda _: under_way("The cancellation of all working orders", "orders"),
            way_out=f"capcli orders cancel --all{only}",
        )

    def cancel(app: App) -> Reply[Cancellation]:
        if deal_id is None or all_orders or epic is not None:
            raise UsageError("Name deal_id, or all_orders=true with an epic or without.", "Nothing was sent.")
        return app.cancellations.cancel(deal_id, confirmed=confirm)

    return runner.send(
        cancel,
        lambda _: under_way(f"The cancellation of {deal_id}", f"orders {deal_id}"),
        way_out=f"capcli orders cancel {quote(deal_id or '')}",
    )


@toolset.tool("Flatten everything", "Halt, cancel all, close all.", Flattening, TRADES, "flatten", warns=True)
def cap_trade_flatten(runner: ToolRunner, confirm: args.Confirm = False) -> ToolResult:
    done: list[Flattened] = []

    def halt_alone(error: ConfigError) -> None:
        """Halt even if the settings stop a confirmed flattening; the error says so."""
        if confirm:
            with halting_alone(os.environ) as halting:
                halt_all_the_same(error, halting, by="cap_trade_flatten")

    return runner.send(
        lambda app: app.flattenings.flatten(confirmed=confirm, by="cap_trade_flatten", done=done),
        lambda _: under_way(
            "The flattening",
            "flatten",
            f"{len(done)} deals were gone through so far. The same call again is safe.",
        ),
        way_out="capcli flatten",
        refused=halt_alone,
    )
