"""`capcli accounts preferences`: show or change hedging and leverage."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.accounts import interrupted
from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.inputs import above_zero
from capcli.cli.options import Confirm, option
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(
    example="capcli accounts preferences\n"
    "capcli accounts preferences --leverage SHARES=5 --leverage INDICES=10 --confirm\n"
    "capcli accounts preferences --hedging off",
)
def preferences(
    call: Call,
    *,
    hedging: Annotated[str | None, option("Opposite deals side by side.", "on|off")] = None,
    leverage: Annotated[list[str] | None, option("Leverage of a class; repeat for more.", "CLASS=N")] = None,
    confirm: Confirm = False,
) -> None:
    """Without an option it shows them. A leverage is one of those that the broker lists for the class; 5
    means a margin of at least 20 %, and previews use it. What was set is checked afterwards. The broker
    refuses to switch hedging while positions are open.
    """
    from capcli.account.preferences import PreferencesSet, Wanted

    if hedging is None and not leverage:
        run(call, lambda app: app.account_changes.preferences())
    modes = {None: None, "on": True, "off": False}
    mode = hedging.lower() if hedging else None
    if mode not in modes:
        raise UsageError(f"--hedging is {hedging!a:.60}. Allowed: on, off.", option="--hedging")
    wanted = Wanted(modes[mode], dict(map(_leverage, leverage or [])))

    def use(app: "App") -> "Reply[Any]":
        changes = app.account_changes
        return confirmed(
            call,
            lambda yes: changes.prefer(wanted, confirmed=yes),
            given=confirm,
            summary=lambda: changes.question(wanted),
            question="Change it?",
            left=lambda: interrupted("the change of preferences", "capcli accounts preferences"),
        )

    run(call, use, PreferencesSet)


def _leverage(text: str) -> tuple[str, Decimal]:
    name, equals, number = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--leverage is {text[:60]!a}. Write SHARES=5.", option="--leverage")
    return name.strip().upper(), above_zero("--leverage", number)
