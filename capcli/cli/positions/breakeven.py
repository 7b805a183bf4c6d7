"""`capcli positions breakeven`: the stop goes to the entry."""

from capcli.cli.call import Call
from capcli.cli.options import Confirm, Deal
from capcli.cli.positions.amend import amend_to
from capcli.cli.tree import command


@command(example="capcli positions breakeven 006011e7-0001-54c4-0000-000080560043 --confirm")
def breakeven(call: Call, deal: Deal, *, confirm: Confirm = False) -> None:
    """Closing at that price gains and loses nothing, spread included. The limit is kept. The price must have
    moved in your favour by at least the market's minimum stop distance.
    """
    from capcli.trading import amend_position

    amend_to(
        call,
        deal,
        lambda app, deal_id: amend_position.breakeven(app.orders, deal_id),
        confirm=confirm,
    )
