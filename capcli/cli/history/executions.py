"""`capcli history executions`: what was ordered and sent from here."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import option
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli history executions --last 5\ncapcli history executions --csv > executions.csv")
def executions(
    call: Call,
    last: Annotated[int, option("Number of attempts, newest first.", None, min=1, max=1000)] = 20,
) -> None:
    """From this computer's journal only: no request is made, and what was sent elsewhere is not in it."""
    run(call, lambda app: app.executions_log.latest(last))
