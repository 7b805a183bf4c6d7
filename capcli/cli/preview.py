"""`capcli preview`: an order on paper before it is an order at the broker."""

from typing import Annotated

import typer

from capcli.cli import order_options as options
from capcli.cli.run import finish
from capcli.cli.tree import command, new_app
from capcli.domain.market import Side

app = new_app()
_EXAMPLE = (
    "capcli preview SILVER --size 1.5 --stop 24.50\n"
    "capcli preview GOLD --size 0.1 --sell --stop-distance 15 --limit-distance 30 --explain\n"
    "capcli preview EURUSD --size 1000 --at 1.05 --type limit --good-till 2026-12-31\n"
    "capcli preview SILVER --risk 1% --stop 24.50\n"
    "id=$(capcli preview SILVER --size 1 --quiet)"
)


@command(app, "preview", example=_EXAMPLE)
def preview(
    ctx: typer.Context,
    epic: options.Epic,
    *,
    size: Annotated[str | None, typer.Option(metavar="NUMBER", help="Units of the market.")] = None,
    risk: options.RiskOption = None,
    sell: Annotated[bool, typer.Option("--sell", help="Sell instead of buy.")] = False,
    stop: options.Stop = None,
    stop_distance: options.StopDistance = None,
    stop_amount: options.StopAmount = None,
    limit: options.Limit = None,
    limit_distance: options.LimitDistance = None,
    limit_amount: options.LimitAmount = None,
    trailing: options.Trailing = False,
    guaranteed: options.Guaranteed = False,
    at: options.At = None,
    type_: options.Type = None,
    good_till: options.GoodTill = None,
    explain: options.Explain = False,
) -> None:
    """Show what an order would be, with every check; sends nothing.

    The order is a BUY at market unless --sell or --at says otherwise. The preview gets an id that
    `capcli execute` sends once, within 120 s. With --quiet only that id is printed.
    """
    from capcli.services.previews import Preview

    request, share = options.order_of(locals(), Side.SELL if sell else Side.BUY, "preview")
    call = ctx.find_root().obj
    call.check_form(Preview)
    application = call.build()
    call.note_default(application)
    reply = application.previews.preview(request, risk=share)
    if call.options.quiet and not call.json:
        call.outlet.result(f"{reply.data.preview_id}\n")
        if reply.problem:
            call.complain(reply.problem)
        raise typer.Exit(reply.exit_code)
    finish(call, reply, application.env, explain=explain)
