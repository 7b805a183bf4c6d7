"""`capcli alert remove`: remove stored alerts."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument, flag
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import UsageError


@command(example="capcli alert remove 3 4\ncapcli alert remove --all")
def remove(
    call: Call,
    numbers: Annotated[list[int] | None, argument("[NUMBER...]", "Numbers from `alert list`.")] = None,
    *,
    every: Annotated[bool, flag("--all", "All alerts of this account.")] = False,
) -> None:
    if bool(numbers) == every:
        raise UsageError("Name the alerts by number, or --all.", next="capcli alert list")
    run(call, lambda app: app.stored_alerts.remove(numbers or (), every=every))
