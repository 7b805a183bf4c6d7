"""`capcli accounts`: what is in each account, and which one is used."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.inputs import above_zero
from capcli.cli.options import Confirm, argument, option
from capcli.cli.run import run
from capcli.cli.tree import command, group
from capcli.domain.money import NotANumber, parse_decimal
from capcli.errors import MayBeLive, UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply

accounts = group(
    example="capcli accounts\ncapcli accounts use 100482915730264825",
    alone=lambda call: run(call, lambda app: app.accounts.list()),
)


@command(accounts, "use", example="capcli accounts use 100482915730264825")
def use_account(
    call: Call, account_id: Annotated[str, argument("ID", "As `capcli accounts` shows it.")]
) -> None:
    """Make an account the active one, for the next commands too.

    It stays active for this profile and environment until `capcli logout`, even when the session is
    renewed. After a logout, a login is on the account that the broker calls preferred, which may be the
    one used last: `capcli accounts` shows it. CAP_DEFAULT_ACCOUNT_ID and --account take precedence: a
    command with one of them uses that account, and does not change the choice for other commands.
    """

    def use(app: "App") -> "Reply[Any]":
        reply = app.accounts.use(account_id)
        named = app.settings.account
        if named not in {None, account_id}:
            call.talk(
                f"--account or CAP_DEFAULT_ACCOUNT_ID names {named} and takes precedence: unless you change"
                f" it, the next command is on {named} again.\n"
            )
        return reply

    run(call, use)


@command(
    accounts,
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
    """Show or change the account's hedging and leverage.

    Without an option it shows them. A leverage is one of those that the broker lists for the class; 5
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
            left=lambda: _left("the change of preferences", "capcli accounts preferences"),
        )

    run(call, use, PreferencesSet)


def _leverage(text: str) -> tuple[str, Decimal]:
    name, equals, number = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--leverage is {text[:60]!a}. Write SHARES=5.", option="--leverage")
    return name.strip().upper(), above_zero("--leverage", number)


@command(accounts, example="capcli accounts topup 1000 --confirm\ncapcli accounts topup --confirm -- -500")
def topup(
    call: Call,
    amount: Annotated[str, argument("AMOUNT", "In the account's currency.")],
    *,
    confirm: Confirm = False,
) -> None:
    """Add practice money to a paper or demo account.

    An amount below 0, written after `--`, removes money. Documented limits: from -400,000 to 400,000 at a
    time, at most 100,000 on the account afterwards, 100 a day. The balance is checked afterwards. It does
    not work on a live account.
    """
    try:
        money = parse_decimal(amount)
    except NotANumber as error:
        raise UsageError(f"AMOUNT is {amount[:60]!a}: {error}. Nothing was sent.") from None

    def use(app: "App") -> "Reply[Any]":
        changes = app.account_changes
        return confirmed(
            call,
            lambda yes: changes.top_up(money, confirmed=yes),
            given=confirm,
            summary=lambda: changes.top_up_question(money),
            question="Add it?",
            left=lambda: _left("the top-up", "capcli accounts"),
        )

    run(call, use)


def _left(what: str, following: str) -> NoReturn:
    raise MayBeLive(
        f"Interrupted while waiting for the broker's answer: {what} may have been made. "
        "Check before you repeat it.",
        next=following,
    )
