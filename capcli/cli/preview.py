"""`capcli preview`: an order on paper before it is an order at the broker."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.call import Call
from capcli.cli.options import Epic, IdOnly, Risk, flag, option
from capcli.cli.order_options import OrderOptions, order_of
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.domain.market import Side

if TYPE_CHECKING:
    from capcli.reply import Reply


@command(
    example="capcli preview SILVER --size 1.5 --stop 24.50\n"
    "capcli preview GOLD --size 0.1 --sell --stop-distance 15 --limit-distance 30 --explain\n"
    "capcli preview EURUSD --size 1000 --at 1.05 --type limit --good-till 2026-12-31\n"
    "capcli preview SILVER --risk 1% --stop 24.50\n"
    "id=$(capcli preview SILVER --size 1 --id-only)"
)
def preview(
    call: Call,
    epic: Epic,
    *,
    size: Annotated[str | None, option("Number of units.")] = None,
    risk: Risk = None,
    sell: Annotated[bool, flag("--sell", "Sell instead of buy.")] = False,
    order: OrderOptions,
    id_only: IdOnly = False,
) -> None:
    """The order is a BUY at market unless --sell or --at says otherwise. The preview gets an id that `capcli
    execute` sends once, within 120 s. --id-only prints only that id, and nothing if the preview cannot be
    executed.
    """
    request, share = order_of(
        epic, size, risk, order, side=Side.SELL if sell else Side.BUY, command="preview"
    )
    application = call.open()
    reply = application.previews.preview(request, risk=share)
    if id_only or call.options.quiet:
        print_id(call, reply, application.env, explain=order.explain)
    finish(call, reply, application.env, explain=order.explain)


def print_id(call: Call, reply: "Reply[Any]", env: str, *, explain: bool = False) -> None:
    """Print a preview's id alone, if it can be executed, and end; an explanation goes to stderr."""
    if call.json:
        return
    if explain:
        call.explain(reply, env)
    if reply.problem is not None:
        call.complain(reply.problem)
    elif reply.data.preview_id:
        call.streams.result(f"{reply.data.preview_id}\n")
    raise typer.Exit(reply.exit_code)
