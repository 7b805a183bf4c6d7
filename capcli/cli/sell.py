"""`capcli sell`: as `capcli buy`, to the other side."""

from capcli.cli.buy import Reviewed, Size, trade
from capcli.cli.call import Call
from capcli.cli.options import Epic, Risk
from capcli.cli.order_options import OrderOptions
from capcli.cli.tree import command
from capcli.domain.market import Side


@command(example="capcli sell SILVER 1.5 --stop 45\ncapcli sell EURUSD 1000 --at 1.20 --type limit")
def sell(
    call: Call,
    epic: Epic,
    size: Size = None,
    *,
    risk: Risk = None,
    order: OrderOptions,
    sending: Reviewed,
) -> None:
    """On a terminal you see the preview and answer. Elsewhere it stops after the preview, with exit code 5
    and the command that sends it. Where a position of the other side is open, the preview says what is closed
    and what is opened.
    """
    trade(call, Side.SELL, epic, size, risk=risk, order=order, sending=sending)
