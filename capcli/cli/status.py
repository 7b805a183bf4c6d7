"""`capcli status`: the account on one screen."""

import typer

from capcli.cli.run import run
from capcli.cli.tree import command, new_app

app = new_app()


@command(app, "status", example="capcli status\ncapcli status --json --fields equity,loss_at_stops,halt")
def status(ctx: typer.Context) -> None:
    """The account at a glance: money, risk, limits left.

    Equity, margin, the P&L of the day (UTC), what you lose if every stop is hit, open positions and
    working orders, a halt, orders whose answer was lost, waiting approvals, and what is left of each
    limit.
    """
    from capcli.account.status import StatusFound

    run(ctx, lambda application: application.status.show(), StatusFound)
