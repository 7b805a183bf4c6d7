"""`capcli orders`: what waits, and how it is changed or cancelled."""

from capcli.cli.call import Call
from capcli.cli.deal_names import deal_id
from capcli.cli.options import Deal
from capcli.cli.run import run
from capcli.cli.tree import ONE, book, command

orders = book(
    "With DEAL, only that one.",
    usage="[DEAL]",
    example="capcli orders\ncapcli orders --csv",
    alone=lambda call: run(call, lambda app: app.portfolio.orders(None)),
)


@command(orders, ONE, example="")
def one(call: Call, deal: Deal) -> None:
    run(call, lambda app: app.portfolio.orders(deal_id(call, app, deal, "orders")), one=True)
