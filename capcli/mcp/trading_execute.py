"""Tools that send: a previewed order once, or the close of a position. Each needs its own confirm=true."""

from shlex import quote
from typing import NamedTuple

from fastmcp.tools import FunctionTool, ToolResult
from msgspec.structs import replace

from capcli.app import App
from capcli.domain.order import Kind
from capcli.errors import Busy, UnderWay
from capcli.mcp.arguments import (
    Again,
    Confirm,
    DealId,
    EnsureStop,
    MaybeSize,
    PreviewId,
    Timeout,
    WaitForConfirm,
)
from capcli.mcp.in_flight_calls import PATIENCE_S
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import TRADES, tool
from capcli.reconcile.outcomes import Execution
from capcli.reply import Reply
from capcli.trading.amend_order import OrderAmendment
from capcli.trading.close import Closing
from capcli.trading.partial_close import Reduction

_SET = "trading_execute"


class Asked(NamedTuple):
    """The arguments of an execution."""

    preview_id: str
    kind: Kind
    wait_s: float
    confirm: bool
    again: bool
    ensure_stop: bool


class TradingExecuteTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_trade_execute_position(  # noqa: PLR0917 - ours come after the official ones
        self,
        preview_id: PreviewId,
        confirm: Confirm = False,
        wait_for_confirm: WaitForConfirm = True,
        timeout_s: Timeout = 15.0,
        again: Again = False,
        ensure_stop: EnsureStop = False,
    ) -> ToolResult:
        wait_s = _wait(timeout_s, wanted=wait_for_confirm)
        asked = Asked(preview_id, Kind.MARKET, wait_s, confirm, again, ensure_stop)
        return self._execute(asked)

    def cap_trade_execute_working_order(  # noqa: PLR0917 - as above
        self,
        preview_id: PreviewId,
        confirm: Confirm = False,
        wait_for_confirm: WaitForConfirm = True,
        timeout_s: Timeout = 15.0,
        again: Again = False,
        ensure_stop: EnsureStop = False,
    ) -> ToolResult:
        wait_s = _wait(timeout_s, wanted=wait_for_confirm)
        asked = Asked(preview_id, Kind.WORKING, wait_s, confirm, again, ensure_stop)
        return self._execute(asked)

    # What became of an update is read back for a few seconds whatever the last two say.
    def cap_trade_execute_working_order_update(
        self,
        preview_id: PreviewId,
        confirm: Confirm = False,
        wait_for_confirm: WaitForConfirm = True,  # noqa: ARG002
        timeout_s: Timeout = 15.0,  # noqa: ARG002
    ) -> ToolResult:
        return self._face.send(
            lambda app: app.order_updates.execute(preview_id, confirmed=confirm),
            lambda _: _updating(preview_id),
        )

    def _execute(self, asked: "Asked") -> ToolResult:
        return self._face.send(
            lambda app: app.protected_executions.execute(
                asked.preview_id,
                confirmed=asked.confirm,
                again=asked.again,
                kind=asked.kind,
                wait_s=asked.wait_s,
                ensure_stop=asked.ensure_stop,
            ),
            lambda app: _so_far(app, asked.preview_id, asked.kind),
        )

    # The close of a whole position is proved by reading the book for a few seconds whatever these two say;
    # they are the official server's arguments. One of a part is an order, whose verdict can be waited for.
    def cap_trade_positions_close(  # noqa: PLR0917 - ours come after the official ones
        self,
        deal_id: DealId,
        confirm: Confirm = False,
        wait_for_confirm: WaitForConfirm = True,
        timeout_s: Timeout = 15.0,
        size: MaybeSize = None,
        again: Again = False,
    ) -> ToolResult:
        if size is None:
            return self._face.send(
                lambda app: app.closings.close(deal_id, confirmed=confirm),
                lambda _: _closing(deal_id),
                way_out=f"capcli close {quote(deal_id)}",
            )
        wait_s = _wait(timeout_s, wanted=wait_for_confirm)
        begun: list[str] = []

        def reduce(app: App) -> Reply[Reduction]:
            app.require_way_out(f"capcli close {quote(deal_id)} --size {size}")
            return app.reductions.reduce(
                deal_id, size, confirmed=confirm, again=again, wait_s=wait_s, begun=begun.append
            )

        return self._face.send(
            reduce,
            lambda app: app.reductions.part_so_far(deal_id, size, begun[0] if begun else None),
        )


def _wait(timeout_s: float, *, wanted: bool) -> float:
    return min(timeout_s, PATIENCE_S) if wanted else 0.0


def _so_far(app: App, preview_id: str, kind: Kind) -> Reply[Execution]:
    """Return the state of an order that is still under way: no failure, so nobody retries it as one."""
    try:
        reply = app.executions.so_far(preview_id, replayed=False)
    except Busy as busy:
        raise UnderWay(
            f"{preview_id} is still being worked on and may be sent at any moment. Ask again with the same "
            "preview_id: it is sent once.",
            next=f"capcli execute {preview_id}",
            kind=kind.value,
        ).about(busy.account_id, **busy.data) from None
    if reply.problem is None or not reply.data.state.unresolved:
        return reply
    return replace(reply, problem=replace(reply.problem, assistant_error=False))


def _closing(deal_id: str) -> Reply[Closing]:
    raise UnderWay(
        f"The close of {deal_id} is still running. Look at the position; closing it again is safe.",
        next=f"capcli positions {deal_id}",
    )


def _updating(preview_id: str) -> Reply[OrderAmendment]:
    raise UnderWay(
        f"The update of {preview_id} is still running. The same call again tells what happened to it; it"
        f" is sent once.",
        next="capcli orders",
    )


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the tools that trade."""
    do = TradingExecuteTools(face)
    return [
        tool(
            do.cap_trade_execute_position,
            "Execute market order",
            "Send a previewed market order, once. confirm=true after a yes. Same as: capcli execute",
            Execution,
            TRADES,
            _SET,
            warns=True,
        ),
        tool(
            do.cap_trade_execute_working_order,
            "Execute working order",
            "Send a previewed working order, once. confirm=true after a yes. Same as: capcli execute",
            Execution,
            TRADES,
            _SET,
            warns=True,
        ),
        tool(
            do.cap_trade_execute_working_order_update,
            "Execute order change",
            "Send a previewed update, once. confirm=true after a yes. Same as: capcli orders amend",
            OrderAmendment,
            TRADES,
            _SET,
            warns=True,
        ),
        tool(
            do.cap_trade_positions_close,
            "Close position",
            "Close a position, or size of it. confirm=true after a yes. Same as: capcli close",
            Closing,
            TRADES,
            _SET,
            warns=True,
            also=Reduction,
        ),
    ]
