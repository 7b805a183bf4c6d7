"""`capcli accounts`: what is in each account, and which one is used."""

from typing import Annotated

import typer

from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app

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
    """Make an account the active one of this session."""
    from capcli.services.accounts import SessionShown

    run(ctx, lambda application: application.accounts.use(account_id), SessionShown)
