"""`capcli exposure`: what is at stake."""

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli exposure\ncapcli exposure --csv --fields group,name,net,loss_at_stops")
def exposure(call: Call) -> None:
    """By market, by class and by the instrument's currency, in account currency, with totals and percent of
    equity. The loss counts from now, as if every stop were hit at its level: only a guaranteed stop is
    certain to fill there, and the loss of a position without a stop is unlimited. Working orders are not
    counted.
    """
    run(call, lambda app: app.exposures.show())
