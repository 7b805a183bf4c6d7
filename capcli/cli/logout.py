"""`capcli logout`: the session ends; with --forget the keychain no longer has the credentials."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import flag
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import CredentialsMissing, KeychainMissing, RateLimited, SettingInvalid, Unreachable
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App


@command(example="capcli logout\ncapcli logout --forget --env demo")
def logout(
    call: Call, forget: Annotated[bool, flag("--forget", "Remove the key from the keychain.")] = False
) -> None:
    """The sessions of all accounts end. The key stays, and the next command logs in with it. The profile in
    config.toml stays too: after --forget the next command asks for a login and does not fall back to
    paper.
    """
    run(call, lambda app: _logged_out(app, forget=forget, interactive=call.streams.interactive))


def _logged_out(app: "App", *, forget: bool, interactive: bool) -> Reply[Any]:
    from capcli.render.results import LogoutDone

    if app.env == "paper":
        return Reply(LogoutDone(ended=False, forgotten=False, note="Paper holds no credentials to forget."))
    if not forget:
        reply = app.accounts.logout()
        note = "Session ended." if reply.data.ended else "There was no session."
        return Reply(LogoutDone(reply.data.ended, forgotten=False, note=note), reply.account_id)
    # The keychain first: if it refuses, nothing has happened yet.
    forgotten = _forgotten(app, interactive=interactive)
    app.seen.forget()
    ended, note = _ended(app)
    note += " Credentials removed." if forgotten else " No credentials were stored."
    if app.credentials.in_environment:
        note += " Those in the environment stay in use until you unset them."
    return Reply(LogoutDone(ended, forgotten, note))


def _forgotten(app: "App", *, interactive: bool) -> bool:
    from capcli.credentials.source import forget

    try:
        if app.env == "live":
            # Together with the login its PIN and the completed checklist.
            app.live_items.drop()
            app.live_place.drop()
        return forget(app.settings.profile, app.settings.env, interactive=interactive)
    except KeychainMissing:
        if app.credentials.in_environment:
            return False
        raise


def _ended(app: "App") -> tuple[bool, str]:
    """End the session at the broker if possible; the credentials are deleted either way."""
    try:
        ended = app.accounts.logout().data.ended
        app.logins.cache.forget()
    except (Unreachable, RateLimited):
        app.logins.cache.forget()
        return False, "The broker could not be reached; the session expires there within ten minutes."
    except (CredentialsMissing, SettingInvalid):
        # An incomplete set in the environment: no command can have a session with it.
        return False, "No session was ended: the credentials in the environment cannot be read."
    return ended, "Session ended." if ended else "There was no session."
