"""`capcli status`: the account on one screen."""

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli status\ncapcli status --json --fields equity,loss_at_stops,halt")
def status(call: Call) -> None:
    """Equity, margin, the P&L of the day (UTC), what you lose if every stop is hit, open positions and
    working orders, a halt, orders whose answer was lost, waiting approvals, and what is left of each
    limit.
    """
    run(call, lambda app: app.status.show())
