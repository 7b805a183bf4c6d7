"""`capcli orders`: what waits, and how it is changed or cancelled."""

import typer

from capcli.cli.call import Call
from capcli.cli.deal_names import order_id
from capcli.cli.options import Deal
from capcli.cli.run import run
from capcli.cli.tree import ONE, book, epilog

orders = book()


@orders.callback(epilog=epilog("capcli orders\ncapcli orders --csv"))
def every(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        run(ctx, lambda app: app.portfolio.orders(None))


@orders.command(ONE)
def one(ctx: typer.Context, deal: Deal) -> None:
    call: Call = ctx.find_root().obj
    run(ctx, lambda app: app.portfolio.orders(order_id(call, app, deal)))
