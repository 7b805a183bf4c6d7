"""`capcli markets show`: the rules and prices of one market."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli markets show SILVER")
def show(call: Call, epic: Annotated[str, argument("EPIC")]) -> None:
    run(call, lambda app: app.markets.show(epic))
