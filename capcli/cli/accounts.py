"""`capcli accounts`: what is in each account, and which one is used."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.services.accounts import SessionShown
    from capcli.services.reply import Reply

app = new_app("Balance, equity and margin of each account; switch.", invoke_without_command=True)


@app.callback(epilog=epilog("capcli accounts\ncapcli accounts use 100482915730264825"))
def accounts(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        from capcli.services.accounts import AccountsFound

        run(ctx, lambda application: application.accounts.list(), AccountsFound)


@command(app, "use", example="capcli accounts use 100482915730264825")
def use(
    ctx: typer.Context,
    account_id: Annotated[str, typer.Argument(metavar="ID", help="As `capcli accounts` shows it.")],
) -> None:
    """Make an account the active one, for the next commands too.

    They stay on it until `capcli logout`, with the same profile and environment, also when the session has
    to be renewed. After a logout a login lands on the account that the broker calls preferred, which may be
    the one used last: `capcli accounts` shows it. CAP_DEFAULT_ACCOUNT_ID and --account go first: with one
    of them a command is on that account, whatever was used before, and leaves the choice of the others as
    it was.
    """
    from capcli.services.accounts import SessionShown

    run(ctx, lambda application: _use(ctx, application, account_id), SessionShown)


def _use(ctx: typer.Context, application: "App", account_id: str) -> "Reply[SessionShown]":
    reply = application.accounts.use(account_id)
    named = application.settings.account
    if named not in {None, account_id}:
        ctx.find_root().obj.talk(
            f"--account or CAP_DEFAULT_ACCOUNT_ID names {named} and goes first: without a change of that, "
            f"the next command is on {named} again.\n"
        )
    return reply
