"""`capcli positions` and `capcli orders`: what is open, and what waits."""

from typing import Annotated

import typer

from capcli.cli.run import run
from capcli.cli.tree import command, new_app

positions_app, orders_app = new_app(), new_app()
Deal = Annotated[str | None, typer.Argument(metavar="[DEAL]", help="Only this deal id.", show_default=False)]


@command(
    positions_app, "positions", example="capcli positions\ncapcli positions --json --fields deal_id,epic,pl"
)
def positions(ctx: typer.Context, deal: Deal = None) -> None:
    """Open positions: P&L, margin, distance to the stop."""
    from capcli.services.portfolio import PositionsFound

    run(ctx, lambda app: app.portfolio.positions(deal), PositionsFound)


@command(orders_app, "orders", example="capcli orders\ncapcli orders --csv")
def orders(ctx: typer.Context, deal: Deal = None) -> None:
    """Working orders."""
    from capcli.services.portfolio import OrdersFound

    run(ctx, lambda app: app.portfolio.orders(deal), OrdersFound)
