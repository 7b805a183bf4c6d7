"""Tools that send a previewed order or change, once. Each needs its own confirm=true."""

from fastmcp.tools import ToolResult
from msgspec.structs import replace

from capcli.app import App
from capcli.domain.order import Kind
from capcli.errors import Busy, PreviewElsewhere, UnderWay
from capcli.mcp import arguments as args
from capcli.mcp.tool_runner import ToolRunner, confirm_wait_s, under_way
from capcli.mcp.toolset import TRADES, Toolset
from capcli.reconcile.outcomes import Execution
from capcli.reply import Reply
from capcli.trading.amend_order import OrderAmendment

toolset = Toolset("trading-execute")


@toolset.tool(
    "Execute market order",
    "Send a previewed market order, once.",
    Execution,
    TRADES,
    "execute",
    warns=True,
    executes=Kind.MARKET,
)
def cap_trade_execute_position(
    runner: ToolRunner,
    preview_id: args.PreviewId,
    confirm: args.Confirm = False,
    wait_for_confirm: args.WaitForConfirm = True,
    timeout_s: args.Timeout = 15.0,
    again: args.Again = False,
    ensure_stop: args.EnsureStop = False,
) -> ToolResult:
    wait_s = confirm_wait_s(timeout_s, wanted=wait_for_confirm)
    return _execute(
        runner, Kind.MARKET, preview_id, wait_s, confirmed=confirm, again=again, ensure_stop=ensure_stop
    )


@toolset.tool(
    "Execute working order",
    "Send a previewed working order, once.",
    Execution,
    TRADES,
    "execute",
    warns=True,
    executes=Kind.WORKING,
)
def cap_trade_execute_working_order(
    runner: ToolRunner,
    preview_id: args.PreviewId,
    confirm: args.Confirm = False,
    wait_for_confirm: args.WaitForConfirm = True,
    timeout_s: args.Timeout = 15.0,
    again: args.Again = False,
    ensure_stop: args.EnsureStop = False,
) -> ToolResult:
    wait_s = confirm_wait_s(timeout_s, wanted=wait_for_confirm)
    return _execute(
        runner, Kind.WORKING, preview_id, wait_s, confirmed=confirm, again=again, ensure_stop=ensure_stop
    )


# An update is read back for a few seconds, whatever the last two arguments are.
@toolset.tool(
    "Execute order change",
    "Send a previewed update, once.",
    OrderAmendment,
    TRADES,
    "orders amend",
    warns=True,
    proposed="",
)
def cap_trade_execute_working_order_update(
    runner: ToolRunner,
    preview_id: args.PreviewId,
    confirm: args.Confirm = False,
    wait_for_confirm: args.WaitForConfirm = True,  # noqa: ARG001
    timeout_s: args.Timeout = 15.0,  # noqa: ARG001
) -> ToolResult:
    return runner.send(
        lambda app: app.order_updates.execute(preview_id, confirmed=confirm),
        lambda _: under_way(
            f"The update of {preview_id}",
            "orders",
            "The same call again tells what happened to it; it is sent once.",
        ),
    )


def _execute(runner: ToolRunner, kind: Kind, preview_id: str, wait_s: float, **options: bool) -> ToolResult:
    def execute(app: App) -> Reply[Execution]:
        try:
            return app.protected_executions.execute(preview_id, kind=kind, wait_s=wait_s, **options)
        except PreviewElsewhere as error:
            if error.details.get("kind") == Kind.WORKING_UPDATE:
                error.next = f"cap_trade_execute_working_order_update preview_id={preview_id}"
            raise

    def so_far(app: App) -> Reply[Execution]:
        """Return the state of an order in flight. Not a failure, so that it is not retried."""
        try:
            reply = app.executions.so_far(preview_id, replayed=False)
        except Busy as busy:
            raise UnderWay(
                f"{preview_id} is still being worked on and may be sent at any moment. Ask again with the"
                " same preview_id: it is sent once.",
                next=f"capcli execute {preview_id}",
                kind=kind.value,
            ).about(busy.account_id, **busy.data) from None
        if reply.problem is None or not reply.data.state.unresolved:
            return reply
        return replace(reply, problem=replace(reply.problem, assistant_error=False))

    return runner.send(execute, so_far)
