"""`capcli accounts use`: make another account the active one."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import command

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(example="capcli accounts use 100482915730264825")
def use(call: Call, account_id: Annotated[str, argument("ID", "As `capcli accounts` shows it.")]) -> None:
    """It stays active for this profile and environment until `capcli logout`, even when the session is
    renewed. After a logout, a login is on the account that the broker calls preferred, which may be the
    one used last: `capcli accounts` shows it. CAP_DEFAULT_ACCOUNT_ID and --account take precedence: a
    command with one of them uses that account, and does not change the choice for other commands.
    """

    def switch(app: "App") -> "Reply[Any]":
        reply = app.accounts.use(account_id)
        named = app.settings.account
        if named not in {None, account_id}:
            call.talk(
                f"--account or CAP_DEFAULT_ACCOUNT_ID names {named} and takes precedence: unless you change"
                f" it, the next command is on {named} again.\n"
            )
        return reply

    run(call, switch)
