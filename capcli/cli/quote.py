"""`capcli quote`: prices now."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.inputs import listed
from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli quote SILVER GOLD EURUSD")
def quote(call: Call, epics: Annotated[list[str], argument("EPIC...", "1 to 50 markets.")]) -> None:
    run(call, lambda app: app.markets.quote(listed(epics)))
