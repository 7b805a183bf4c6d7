"""`capcli alert`: wait for levels here and now, or store them for `capcli events --follow`."""

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer._click import Command, Context

from capcli.cli.call import Call
from capcli.cli.inputs import above_zero, listed, percent
from capcli.cli.run import run
from capcli.cli.tree import Group, command, epilog, new_app
from capcli.cli.watch import LOOK_S, ForSeconds, Plan, ending, program, seconds
from capcli.domain.alerts import Level, Measure, Way
from capcli.domain.money import NotANumber, parse_decimal
from capcli.domain.stream import Quiet, Tick, Told
from capcli.errors import AlertNotReached, Interrupted, RateLimited, Unreachable, UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.marketdata.alerts import Alarms, Fired
    from capcli.marketdata.streams import Watch

_CHILD_S = 10.0
_ACCOUNT_S = 5.0
_SECRETS = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD", "CREDENTIALS_DIRECTORY")
_ONE = "one"
_HELP = "capcli alert --help"
_NOTHING = "Name what to wait for: --above, --below, --moves and others."


class Waits(Group):
    """A group that waits by itself where its first word is none of its commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.one = self.commands.pop(_ONE)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Let options stand before the markets, too."""
        if args and args[0] not in {*self.commands, "--help", "-h"}:
            args = [_ONE, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        if args[0] not in self.commands:
            return _ONE, self.one, args[1:] if args[0] == _ONE else args
        return super().resolve_command(ctx, args)


alert_app = new_app(
    "Wait for prices, moves, P&L or margin.\n\n"
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
    cls=Waits,
    invoke_without_command=True,
    subcommand_metavar="[EPIC...] | COMMAND [ARGS]...",
)
_Epics = Annotated[list[str] | None, typer.Argument(metavar="[EPIC...]", help="Markets.", show_default=False)]


def _level(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=text)


_Above = Annotated[list[str] | None, _level("--above", "[EPIC=]L", "When the bid is at L or above.")]
_Below = Annotated[list[str] | None, _level("--below", "[EPIC=]L", "When the bid is at L or below.")]
_Moves = Annotated[
    list[str] | None, _level("--moves", "[EPIC=]P%", "When the bid has moved this much, up or down.")
]
_PnlAbove = Annotated[str | None, _level("--pnl-above", "AMOUNT", "When open P&L is at AMOUNT or above.")]
_PnlBelow = Annotated[
    str | None, _level("--pnl-below", "AMOUNT", "When open P&L is at AMOUNT or below: -100.")
]
_MarginAbove = Annotated[str | None, _level("--margin-above", "P%", "When this share of equity is margin.")]


@alert_app.callback(
    epilog=epilog(
        "capcli alert SILVER --above 31.50\n"
        "capcli alert SILVER GOLD --above SILVER=31.50 --moves 2% --pnl-below -100\n"
        "capcli alert GOLD --below 2600 --exec 'notify-send {epic} {bid}' --repeat"
    )
)
def alert(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        raise UsageError(_NOTHING, next=_HELP)


@alert_app.command(_ONE, hidden=True)
def one(
    ctx: typer.Context,
    epics: _Epics = None,
    *,
    above: _Above = None,
    below: _Below = None,
    moves: _Moves = None,
    pnl_above: _PnlAbove = None,
    pnl_below: _PnlBelow = None,
    margin_above: _MarginAbove = None,
    every: Annotated[bool, typer.Option("--all", help="Wait until all of them are reached.")] = False,
    run: Annotated[
        str | None, typer.Option("--exec", metavar="CMD", help="Run this program each time; no shell.")
    ] = None,
    repeat: Annotated[bool, typer.Option("--repeat", help="Repeat: each time it is reached again.")] = False,
    lasts: ForSeconds = None,
) -> None:
    """Wait for prices, moves, P&L or margin."""
    call: Call = ctx.find_root().obj
    if call.options.csv or call.options.fields:
        raise UsageError("alert has no rows; use --json.", next=_HELP)
    if every and repeat:
        raise UsageError("--all and --repeat cannot be used together: --repeat never ends.", next=_HELP)
    levels = _levels(epics, _Asked(above, below, moves, pnl_above, pnl_below, margin_above))
    argv = program("alert", run)
    plan = Plan(call, once=False, lasts=seconds("--for", lasts), every=0)
    app = call.build()
    call.note_default(app)
    with ending() as asked:
        plan.ending = asked
        _Waiting(plan, app, argv, repeat=repeat, every=every).wait(levels)
    raise typer.Exit(0)


@command(
    alert_app,
    "add",
    example="capcli alert add SILVER --above 31.50\ncapcli alert add --pnl-below -100 --margin-above 50%",
)
def add(
    ctx: typer.Context,
    epics: _Epics = None,
    *,
    above: _Above = None,
    below: _Below = None,
    moves: _Moves = None,
    pnl_above: _PnlAbove = None,
    pnl_below: _PnlBelow = None,
    margin_above: _MarginAbove = None,
) -> None:
    """Store levels to wait for.

    They belong to the account in use. Whoever looks at its events next tells of each once, when it is
    reached: `capcli events --follow`, every 5 s. A move counts from the bid of now. At most 100 wait.
    """
    from capcli.account.stored_alerts import AlertsChanged

    levels = _levels(epics, _Asked(above, below, moves, pnl_above, pnl_below, margin_above))
    run(ctx, lambda app: app.stored_alerts.add(levels), AlertsChanged)


@command(alert_app, "list", example="capcli alert list\ncapcli alert list --json --fields alert_id,waits_for")
def found(ctx: typer.Context) -> None:
    """Stored alerts: those that wait, and the latest that fired."""
    from capcli.account.stored_alerts import AlertsFound

    run(ctx, lambda app: app.stored_alerts.found(), AlertsFound)


@command(alert_app, "remove", example="capcli alert remove 3 4\ncapcli alert remove --all")
def remove(
    ctx: typer.Context,
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER...]", help="Numbers from `alert list`.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All alerts of this account.")] = False,
) -> None:
    """Take stored alerts off the list."""
    from capcli.account.stored_alerts import AlertsChanged

    if bool(numbers) == every:
        raise UsageError("Name the alerts by number, or --all.", next="capcli alert list")
    run(ctx, lambda app: app.stored_alerts.remove(numbers or (), every=every), AlertsChanged)


class _Waiting:
    """Waits for levels: prices from the stream, the account every few seconds."""

    def __init__(self, plan: Plan, app: "App", argv: Sequence[str], *, repeat: bool, every: bool) -> None:
        self._plan = plan
        self._app = app
        self._argv = argv
        self._repeat = repeat
        self._every = every
        self._due = 0.0
        self._is_away = False

    def wait(self, levels: Sequence[Level]) -> None:
        """Go on until they are reached, or somebody ends it. Raises AlertNotReached, Interrupted."""
        from capcli.marketdata.alerts import Alarms

        app, plan = self._app, self._plan
        epics = [level.epic for level in levels if level.epic]
        watched = app.watching.watch(epics) if epics else None
        account_id = watched.account_id if watched else app.broker.session().account_id
        alarms = Alarms(levels, repeat=self._repeat)
        told = _Alerts(plan, app, account_id, self._argv)
        plan.ending.begun = True
        began = app.monotonic()
        try:
            told.waiting(levels, every=self._every)
            while plan.goes_on(app, began) and not self._is_done(alarms, levels):
                self._look(alarms, watched, told)
        finally:
            if watched:
                watched.close()
            told.finish()
        if self._repeat or self._is_done(alarms, levels) or plan.call.streams.gone:
            return
        missing = (" and " if self._every else " or ").join(level.words for level in alarms.waiting)
        if plan.ending.asked:
            raise Interrupted(f"Interrupted before this was reached: {missing}.").about(account_id)
        following = f"capcli quote {epics[0]}" if epics else "capcli status"
        raise AlertNotReached(f"Not reached within {plan.lasts:g} s: {missing}.", next=following).about(
            account_id
        )

    def _is_done(self, alarms: "Alarms", levels: Sequence[Level]) -> bool:
        if self._repeat:
            return False
        return not alarms.waiting or (not self._every and len(alarms.waiting) < len(set(levels)))

    def _look(self, alarms: "Alarms", watched: "Watch | None", told: "_Alerts") -> None:
        if watched is None:
            self._app.sleep(LOOK_S)
        for event in watched.receive(LOOK_S) if watched else ():
            if type(event) is Tick:
                for fired in alarms.look(event):
                    told.fired(fired, len(alarms.waiting))
            else:
                told.other(event)
        if self._app.monotonic() >= self._due and alarms.asks_account:
            self._due = self._app.monotonic() + _ACCOUNT_S
            self._look_at_account(alarms, told)

    def _look_at_account(self, alarms: "Alarms", told: "_Alerts") -> None:
        try:
            account = self._app.stored_alerts.account()
        except (Unreachable, RateLimited) as error:
            if not self._is_away:
                self._plan.call.talk(f"{error.message} Asking again every {_ACCOUNT_S:g} s.\n")
            self._is_away = True
            return
        self._is_away = False
        for fired in alarms.look_at(account):
            told.fired(fired, len(alarms.waiting), int(account.at.timestamp() * 1000))


class _Alerts:
    """Tells what fired, and runs the program for it."""

    def __init__(self, plan: Plan, app: "App", account_id: str | None, argv: Sequence[str]) -> None:
        from capcli.render.stream import JsonLines

        self._call = plan.call
        self._human = plan.on_screen
        self._where = f"{app.env}, account {account_id}"
        self._lines = JsonLines(plan.call.command, app.env, account_id)
        self._argv = argv
        self._running: list[threading.Thread] = []

    def waiting(self, levels: "Sequence[Level]", *, every: bool) -> None:
        if self._human:
            words = (" and " if every else " or ").join(level.words for level in levels)
            self._call.talk(f"Waiting for {words}. Ctrl-C ends it.\n")

    def other(self, event: Told | Quiet) -> None:
        from capcli.render.stream import sentence

        if self._human:
            self._call.talk(sentence(event) + "\n")
        else:
            self._call.streams.lines(self._lines.told(event))

    def fired(self, fired: "Fired", waiting: int, at_ms: int = 0) -> None:
        from capcli.render.stream import Clockface

        at = Clockface()(fired.tick.at_ms if fired.tick else at_ms)
        if self._human:
            self._call.streams.result(f"{fired.level.told(fired.value)} at {at} ({self._where})\n")
        else:
            self._call.streams.lines(self._lines.fired(fired, waiting, at))
        if self._argv:
            thread = threading.Thread(target=self._run, args=(_facts(fired, at),), daemon=True)
            self._running.append(thread)
            thread.start()

    def finish(self) -> None:
        """Give the programs that still run a moment to end."""
        for thread in self._running:
            thread.join(_CHILD_S)

    def _run(self, facts: Mapping[str, str]) -> None:
        argv = [_filled(word, facts) for word in self._argv]
        try:
            done = subprocess.run(  # noqa: S603  the user's own program, as argv, without a shell
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                text=True,
                errors="replace",
                env=_without_secrets(self._call.streams.environ, facts),
            )
        except OSError as error:
            self._call.streams.talk(f"--exec failed: {argv[0]} could not be run: {error.strerror}.\n")
            return
        self._call.streams.talk(done.stdout + done.stderr)
        if done.returncode:
            self._call.streams.talk(f"--exec failed: {argv[0]} ended with exit code {done.returncode}.\n")


def _facts(fired: "Fired", at: str) -> dict[str, str]:
    level, tick = fired.level, fired.tick
    return {
        "epic": level.epic,
        "way": level.way.value,
        "level": f"{level.price:f}",
        "bid": f"{tick.bid:f}" if tick else "",
        "offer": f"{tick.offer:f}" if tick else "",
        "at": at,
        "measure": level.measure.value,
        "value": f"{fired.value:f}",
    }


def _filled(word: str, facts: Mapping[str, str]) -> str:
    for name, value in facts.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _without_secrets(environ: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(_SECRETS)}
    return kept | {f"CAPCLI_{name.upper()}": value for name, value in facts.items()}


class _Asked(NamedTuple):
    """The levels as typed."""

    above: list[str] | None
    below: list[str] | None
    moves: list[str] | None
    pnl_above: str | None
    pnl_below: str | None
    margin_above: str | None


def _levels(epics: Sequence[str] | None, asked: _Asked) -> list[Level]:
    """Read the levels of the options. Raises UsageError for one whose market or form is open."""
    from capcli import ids

    named = [ids.epic(epic) for epic in listed(epics)]
    levels = [
        Level(ids.epic(epic), way, above_zero(option, text))
        for option, way, texts in (("--above", Way.ABOVE, asked.above), ("--below", Way.BELOW, asked.below))
        for epic, text in _by_market(option, texts, named)
    ]
    levels += [
        Level(ids.epic(epic), Way.ABOVE, _percent("--moves", text), Measure.MOVE)
        for epic, text in _by_market("--moves", asked.moves, named, each=True)
    ]
    if idle := [epic for epic in named if epic not in {level.epic for level in levels}]:
        raise UsageError(
            f"Nothing is asked of {idle[0]}. Add --above {idle[0]}=LEVEL, --below {idle[0]}=LEVEL or --moves "
            f"{idle[0]}=2%.",
            next=_HELP,
        )
    levels += [
        Level("", way, _amount(option, text), Measure.PNL)
        for option, way, text in (
            ("--pnl-above", Way.ABOVE, asked.pnl_above),
            ("--pnl-below", Way.BELOW, asked.pnl_below),
        )
        if text is not None
    ]
    if asked.margin_above is not None:
        share = _percent("--margin-above", asked.margin_above)
        levels.append(Level("", Way.ABOVE, share, Measure.MARGIN))
    if not levels:
        raise UsageError(_NOTHING, next=_HELP)
    return levels


def _by_market(
    option: str, texts: Sequence[str] | None, named: Sequence[str], *, each: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield the market and the value of each text: `SILVER=31.5`, or `31.5` for the only one named.

    `each`: a bare value is for every market that is named.
    """
    for text in texts or ():
        epic, equals, value = text.rpartition("=")
        if equals:
            yield epic.strip(), value
        elif not named:
            said = (
                f"{option} is {text[:40]!a}: for which market? Name it before, or write {option} SILVER=31.5."
            )
            raise UsageError(said, next=_HELP)
        elif len(named) > 1 and not each:
            raise UsageError(
                f"{option} is {text[:40]!a}: for which market? Write {option} {named[0]}={text[:40]}.",
                next=_HELP,
            )
        else:
            yield from ((epic, text) for epic in named)


def _percent(option: str, text: str) -> Decimal:
    share = percent(option, text)
    if share is None:
        raise UsageError(f"{option} is {text[:40]!a}: write a percentage such as 2%.", option=option)
    return share


def _amount(option: str, text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except NotANumber as error:
        raise UsageError(
            f"{option} is {text[:40]!a}: {error}. Write an amount in account currency, such as -100.",
            option=option,
        ) from None
