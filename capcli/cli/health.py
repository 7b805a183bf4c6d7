"""`capcli health`: why does it not work?"""

from typing import Annotated

import typer

from capcli.cli.run import finish
from capcli.cli.tree import command, new_app
from capcli.errors import ConfigError, UsageError

app = new_app()


@command(app, "health", example="capcli health\ncapcli health --only login --only market_data --json")
def health(
    ctx: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this check and those it needs; repeatable."),
    ] = None,
) -> None:
    """Find out why something does not work.

    Every check says what it found and the exact fix. Nothing is traded and nobody is asked. The exit code
    is that of the first failed check; warnings exit 0.
    """
    from capcli.services.health import HealthReport, settings_failed

    call = ctx.find_root().obj
    call.check_form(HealthReport)
    try:
        application = call.build()
    except ConfigError as error:
        finish(call, settings_failed(error), None)
        return
    call.note_default(application)
    names = application.health.names
    for name in only or ():
        if name not in names:
            raise UsageError(f"--only is {name[:60]!a}. Allowed: {', '.join(names)}.", next="capcli health")
    finish(call, application.health.run(tuple(only or ())), application.env)
