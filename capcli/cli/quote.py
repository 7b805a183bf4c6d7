"""`capcli quote`: prices now."""

from typing import Annotated

import typer

from capcli.cli.inputs import listed
from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli quote SILVER GOLD EURUSD")
def quote(ctx: typer.Context, epics: Annotated[list[str], argument("EPIC...", "1 to 50 markets.")]) -> None:
    run(ctx, lambda app: app.markets.quote(listed(epics)))
