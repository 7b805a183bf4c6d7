"""`capcli alert`: wait for levels here and now, or store them for `capcli events --follow`."""

from typing import Annotated, NoReturn

import typer

from capcli.cli.alert.levels import NOTHING, Epics, LevelOptions, levels
from capcli.cli.call import Call
from capcli.cli.options import ForSeconds, flag, option
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
