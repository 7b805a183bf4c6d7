"""`capcli alert`: wait for levels here and now, or store them for `capcli events --follow`."""

from typing import Annotated, NoReturn

import typer

from capcli.cli.alert.levels import NOTHING, Epics, LevelOptions, levels
from capcli.cli.call import Call
from capcli.cli.options import ForSeconds, argument, flag, option
from capcli.cli.run import run
from capcli.cli.streaming import Plan, program, seconds
from capcli.cli.tree import ONE, book, command
from capcli.errors import UsageError


def _nothing(_: Call) -> NoReturn:
    raise UsageError(NOTHING)


alert = book(
    "Ends with exit code 0 once one of the levels is reached, with --all once each was. With --for, "
    "exit code 7 says that this did not happen (ALERT_NOT_REACHED); Ctrl-C before that is 130, so "
    "`capcli alert GOLD --above 3000 && next` is safe. A level that is reached already counts at "
    "once. With --repeat it goes on until it is ended, and both ends are exit code 0.\n\n"
    "With several markets say which one a level is for: --above SILVER=31.50. A move counts up or down from "
    "the bid when the waiting began. P&L is that of the open positions in account currency, margin is in "
    "percent of equity; both are read every 5 s.\n\n"
    "In CMD, {epic} {way} {level} {bid} {offer} {at} {measure} {value} are filled in, and the program finds "
    "them as CAPCLI_EPIC, CAPCLI_WAY and so on; credentials are taken out of its environment. Its output and "
    "its failure go to stderr.\n\n"
    "`alert add` stores levels instead: `capcli events --follow` looks at them and tells each once.",
    usage="[EPIC...]",
    example="capcli alert SILVER --above 31.50\n"
    "capcli alert SILVER GOLD --above SILVER=31.50 --moves 2% --pnl-below -100\n"
    "capcli alert GOLD --below 2600 --exec 'notify-send {epic} {bid}' --repeat",
    alone=_nothing,
    # Options may stand before the markets, too.
    context={"ignore_unknown_options": True},
)


@command(alert, ONE, example="")
def one(
    call: Call,
    epics: Epics = None,
    *,
    given: LevelOptions,
    every: Annotated[bool, flag("--all", "Wait until all of them are reached.")] = False,
    program_line: Annotated[
        str | None, option("Run this program each time; no shell.", "CMD", "--exec")
    ] = None,
    repeat: Annotated[bool, flag("--repeat", "Repeat: each time it is reached again.")] = False,
    lasts: ForSeconds = None,
) -> None:
    from capcli.cli.alert.waiting import Waiting

    if call.options.csv or call.options.fields:
        raise UsageError("alert has no rows; use --json.")
    if every and repeat:
        raise UsageError("--all and --repeat cannot be used together: --repeat never ends.")
    wanted, argv = levels(epics, given), program(program_line)
    plan = Plan(call, seconds("--for", lasts))
    app = call.build()
    call.note_default(app)
    with plan.signals():
        Waiting(plan, app, wanted, argv, repeat=repeat, every=every).wait()
    raise typer.Exit(0)


@command(
    alert,
    example="capcli alert add SILVER --above 31.50\ncapcli alert add --pnl-below -100 --margin-above 50%",
)
def add(call: Call, epics: Epics = None, *, given: LevelOptions) -> None:
    """Store levels to wait for.

    They belong to the account in use. Whoever looks at its events next tells of each once, when it is
    reached: `capcli events --follow`, every 5 s. A move counts from the bid of now. At most 100 wait.
    """
    wanted = levels(epics, given)
    run(call, lambda app: app.stored_alerts.add(wanted))


@command(alert, "list", example="capcli alert list\ncapcli alert list --json --fields alert_id,waits_for")
def every(call: Call) -> None:
    """Stored alerts: those that wait, and the latest that fired."""
    run(call, lambda app: app.stored_alerts.found())


@command(alert, example="capcli alert remove 3 4\ncapcli alert remove --all")
def remove(
    call: Call,
    numbers: Annotated[list[int] | None, argument("[NUMBER...]", "Numbers from `alert list`.")] = None,
    *,
    every: Annotated[bool, flag("--all", "All alerts of this account.")] = False,
) -> None:
    """Take stored alerts off the list."""
    if bool(numbers) == every:
        raise UsageError("Name the alerts by number, or --all.", next="capcli alert list")
    run(call, lambda app: app.stored_alerts.remove(numbers or (), every=every))
