"""`capcli watchlists create`: make a watchlist."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.inputs import listed
from capcli.cli.options import argument
from capcli.cli.tree import command
from capcli.cli.watchlists import change


@command(example="capcli watchlists create Metals GOLD SILVER")
def create(
    call: Call,
    name: Annotated[str, argument("NAME", "1 to 20 characters.")],
    epics: Annotated[list[str] | None, argument("[EPIC...]", "Markets to begin with.")] = None,
) -> None:
    """No order is sent, so it works with trading off. A name that exists is refused: if an answer is lost,
    the same line again makes no second list.
    """
    change(call, lambda app: app.watchlists.create(name, listed(epics), confirmed=True))
