"""`capcli markets sentiment`: how many clients are long and short."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.inputs import listed
from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli markets sentiment SILVER GOLD")
def sentiment(call: Call, epics: Annotated[list[str], argument("EPIC...", "1 to 50 markets.")]) -> None:
    run(call, lambda app: app.browsing.sentiment(listed(epics)))
