"""`capcli positions`: what is open, and how it is changed."""

from capcli.cli.call import Call
from capcli.cli.deal_names import deal_id
from capcli.cli.options import Deal
from capcli.cli.run import run
from capcli.cli.tree import ONE, book, command

positions = book(
    "With DEAL, only that one.",
    usage="[DEAL]",
    example="capcli positions\ncapcli positions --json --fields deal_id,epic,pl",
    alone=lambda call: run(call, lambda app: app.portfolio.positions(None)),
)


@command(positions, ONE, example="")
def one(call: Call, deal: Deal) -> None:
    run(call, lambda app: app.portfolio.positions(deal_id(call, app, deal, "positions")), one=True)
