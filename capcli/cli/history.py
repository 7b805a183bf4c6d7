"""`capcli history`: what happened, from the local journal."""

from typing import Annotated

import typer

from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app

app = new_app("What was sent from here, and what it became.", no_args_is_help=True)


@app.callback(epilog=epilog("capcli history executions --last 5"))
def history() -> None:
    """Make it a group even while it has one command."""


@command(
    app,
    "executions",
    example="capcli history executions --last 5\ncapcli history executions --csv > executions.csv",
)
def executions(
    ctx: typer.Context,
    last: Annotated[int, typer.Option(min=1, max=1000, help="So many, newest first.")] = 20,
) -> None:
    """What was asked, sent and answered, what it became, and when.

    From this machine's journal alone: no request is made, and what was sent elsewhere is not in it.
    """
    from capcli.services.executions_log import ExecutionsFound

    run(ctx, lambda application: application.executions_log.latest(last), ExecutionsFound)
