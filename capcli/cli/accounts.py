"""`capcli accounts`: what is in each account, and which one is used."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import MayBeLive, UsageError

if TYPE_CHECKING:
    from capcli.account.accounts import SessionShown
    from capcli.account.preferences import PreferencesSet, ToppedUp, Wanted
    from capcli.app import App
    from capcli.cli.call import Call
    from capcli.reply import Reply

app = new_app("Balance, equity and margin of each account; switch.", invoke_without_command=True)


@app.callback(epilog=epilog("capcli accounts\ncapcli accounts use 100482915730264825"))
def accounts(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        from capcli.account.accounts import AccountsFound

        run(ctx, lambda application: application.accounts.list(), AccountsFound)


@command(app, "use", example="capcli accounts use 100482915730264825")
def use(
    ctx: typer.Context,
    account_id: Annotated[str, typer.Argument(metavar="ID", help="As `capcli accounts` shows it.")],
) -> None:
    """Make an account the active one, for the next commands too.

    It stays active for this profile and environment until `capcli logout`, even when the session is
    renewed. After a logout, a login is on the account that the broker calls preferred, which may be the
    one used last: `capcli accounts` shows it. CAP_DEFAULT_ACCOUNT_ID and --account take precedence: a
    command with one of them uses that account, and does not change the choice for other commands.
    """
    from capcli.account.accounts import SessionShown

    run(ctx, lambda application: _use(ctx, application, account_id), SessionShown)


def _use(ctx: typer.Context, application: "App", account_id: str) -> "Reply[SessionShown]":
    reply = application.accounts.use(account_id)
    named = application.settings.account
    if named not in {None, account_id}:
        ctx.find_root().obj.talk(
            f"--account or CAP_DEFAULT_ACCOUNT_ID names {named} and takes precedence: unless you change"
            f" it, the next command is on {named} again.\n"
        )
    return reply


Confirm = Annotated[bool, typer.Option("--confirm", "--yes", help="Send it without a question.")]
_HEDGING = typer.Option("--hedging", metavar="on|off", help="Opposite deals side by side.")
_LEVERAGE = typer.Option("--leverage", metavar="CLASS=N", help="Leverage of a class; repeat for more.")


@command(
    app,
    "preferences",
    example="capcli accounts preferences\n"
    "capcli accounts preferences --leverage SHARES=5 --leverage INDICES=10 --confirm\n"
    "capcli accounts preferences --hedging off",
)
def preferences(
    ctx: typer.Context,
    *,
    hedging: Annotated[str | None, _HEDGING] = None,
    leverage: Annotated[list[str] | None, _LEVERAGE] = None,
    confirm: Confirm = False,
) -> None:
    """Show or change the account's hedging and leverage.

    Without an option it shows them. A leverage is one of those that the broker lists for the class; 5
    means a margin of at least 20 %, and previews use it. What was set is checked afterwards. The broker
    refuses to switch hedging while positions are open.
    """
    from capcli.account.preferences import PreferencesSet, PreferencesShown

    call: Call = ctx.find_root().obj
    if hedging is None and not leverage:
        run(ctx, lambda application: application.account_changes.preferences(), PreferencesShown)
        return
    wanted = _wanted(hedging, leverage or [])

    def use(application: "App") -> "Reply[PreferencesSet]":
        return call.confirmed(
            lambda yes: application.account_changes.prefer(wanted, confirmed=yes),
            given=confirm,
            summary=lambda: application.account_changes.question(wanted),
            question="Change it?",
            left=lambda: _left("the change of preferences", "capcli accounts preferences"),
        )

    run(ctx, use, PreferencesSet)


def _wanted(hedging: str | None, leverage: list[str]) -> "Wanted":
    from capcli.account.preferences import Wanted

    modes = {None: None, "on": True, "off": False}
    word = hedging.lower() if hedging else None
    if word not in modes:
        raise UsageError(f"--hedging is {hedging!a:.60}. Allowed: on, off.", option="--hedging")
    return Wanted(modes[word], dict(map(_leverage, leverage)))


def _leverage(text: str) -> tuple[str, Decimal]:
    from capcli.cli.inputs import above_zero

    name, equals, number = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--leverage is {text[:60]!a}. Write SHARES=5.", option="--leverage")
    return name.strip().upper(), above_zero("--leverage", number)


@command(
    app,
    "topup",
    example="capcli accounts topup 1000 --confirm\ncapcli accounts topup --confirm -- -500",
)
def topup(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="In the account's currency.")],
    *,
    confirm: Confirm = False,
) -> None:
    """Add practice money to a paper or demo account.

    An amount below 0, written after `--`, removes money. Documented limits: from -400,000 to 400,000 at a
    time, at most 100,000 on the account afterwards, 100 a day. The balance is checked afterwards. It does
    not work on a live account.
    """
    from capcli.account.preferences import ToppedUp

    call: Call = ctx.find_root().obj
    money = _amount(amount)

    def use(application: "App") -> "Reply[ToppedUp]":
        return call.confirmed(
            lambda yes: application.account_changes.top_up(money, confirmed=yes),
            given=confirm,
            summary=lambda: application.account_changes.top_up_question(money),
            question="Add it?",
            left=lambda: _left("the top-up", "capcli accounts"),
        )

    run(ctx, use, ToppedUp)


def _amount(text: str) -> Decimal:
    from capcli.domain.money import NotANumber, parse_decimal

    try:
        return parse_decimal(text)
    except NotANumber as error:
        raise UsageError(
            f"AMOUNT is {text[:60]!a}: {error}. Nothing was sent.", next="capcli accounts topup --help"
        ) from None


def _left(what: str, look: str) -> NoReturn:
    raise MayBeLive(
        f"Interrupted while waiting for the broker's answer: {what} may have been made. "
        "Check before you repeat it.",
        next=look,
    )
