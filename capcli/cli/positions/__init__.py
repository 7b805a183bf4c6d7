"""`capcli positions`: what is open, and how it is changed."""

import typer

from capcli.cli.call import Call
from capcli.cli.deal_names import position_id
from capcli.cli.options import Deal
from capcli.cli.run import run
from capcli.cli.tree import ONE, book, epilog

positions = book()


@positions.callback(epilog=epilog("capcli positions\ncapcli positions --json --fields deal_id,epic,pl"))
def every(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        run(ctx, lambda app: app.portfolio.positions(None))


@positions.command(ONE)
def one(ctx: typer.Context, deal: Deal) -> None:
    call: Call = ctx.find_root().obj
    run(ctx, lambda app: app.portfolio.positions(position_id(call, app, deal)))
