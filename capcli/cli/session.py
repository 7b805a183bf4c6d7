"""`capcli login` and `capcli logout`: credentials are tried at the broker before the keychain keeps them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.run import finish, run
from capcli.cli.tree import command, new_app
from capcli.errors import Interrupted, UsageError
from capcli.services.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call
    from capcli.render.results import LoginDone, LoginStatus, LogoutDone
    from capcli.services.ports import Credentials

login_app, logout_app = new_app(), new_app()
_GUIDE = """Your API key comes from Capital.com: Settings, then API integrations.
  1. Switch on two-factor authentication first.
  2. Generate a key. You set a password for it there: its own, not the one of your login.
  3. Key and password are shown once. Keep them out of chats and shared files.
"""
_SECRETS = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD")


@command(
    login_app,
    "login",
    example="capcli login --env demo\n"
    "capcli login --env demo --stdin < credentials.json\n"
    "capcli login --status",
)
def login(
    ctx: typer.Context,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Read {"api_key", "identifier", "password"} as JSON.')
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say where the credentials are.")] = False,
) -> None:
    """Check your API key and keep it in the keychain.

    The key is tried at the broker first and stored in this computer's keychain only if it works. The
    profile in config.toml then names the environment. Paper needs no login.
    """
    from capcli.render.results import LoginDone, LoginStatus

    call = ctx.find_root().obj
    if status:
        run(ctx, _status, LoginStatus)
        return
    call.check_form(LoginDone)
    application = call.build(new_profile=True)
    if application.env == "paper":
        note = "Paper needs no credentials. For your own account: capcli login --env demo"
        done = LoginDone(application.settings.profile, None, None, note)
        finish(call, Reply(done), application.env)
        return
    credentials = _read(call, application, stdin=stdin)
    finish(call, _store(call, application, credentials), application.env)


def _status(application: "App") -> "Reply[LoginStatus]":
    from capcli.render.results import LoginStatus

    found = application.credentials.describe()
    return Reply(LoginStatus(found.profile, found.source, found.api_key, found.identifier))


def _read(call: "Call", application: "App", *, stdin: bool) -> "Credentials":
    from capcli.credentials.form import from_json

    if stdin:
        return from_json(call.outlet.stdin.read(), "stdin")
    if call.json or not call.outlet.interactive:
        raise UsageError(
            "Nobody can be asked here. Give the credentials as JSON on stdin, with --stdin.",
            next=f"{_login_command(call, application)} --stdin < credentials.json",
        )
    return _asked(call)


def _login_command(call: "Call", application: "App") -> str:
    profile = call.options.profile
    return f"capcli login --env {application.env}" + (f" --profile {profile}" if profile else "")


def _asked(call: "Call") -> "Credentials":
    from capcli.credentials.form import checked
    from capcli.services.ports import Credentials

    call.talk(_GUIDE)
    try:
        key = call.outlet.ask("API key (hidden): ", hidden=True)
        user = call.outlet.ask("E-mail address of the account: ")
        password = call.outlet.ask("API key's own password (hidden): ", hidden=True)
    except EOFError:
        raise Interrupted("No answer. Nothing was sent or stored.") from None
    return Credentials(
        *(checked(name, text, "typed") for name, text in zip(_SECRETS, (key, user, password), strict=True))
    )


def _store(call: "Call", application: "App", credentials: "Credentials") -> "Reply[LoginDone]":
    """Log in with the credentials, then keep them and make their environment the profile's."""
    from capcli.credentials.source import store_credentials
    from capcli.render.results import LoginDone
    from capcli.settings import write_profile

    settings = application.settings
    tried = _tried(call, application, credentials)
    item = store_credentials(settings.profile, settings.env, credentials)
    application.forget_session()
    write_profile(application.folders, settings.profile, settings.env)
    if any(call.outlet.environ.get(name + ending) for name in _SECRETS for ending in ("", "_FILE", "_CMD")):
        call.talk("Credentials in the environment go before the keychain's; unset them to use these.\n")
    note = f"Logged in on {settings.env}; the credentials are in the keychain."
    return Reply(LoginDone(settings.profile, item, tried.data.currency, note), tried.account_id)


def _tried(call: "Call", application: "App", credentials: "Credentials") -> Reply[Any]:
    from capcli.app import Options

    values = (credentials.api_key, credentials.identifier, credentials.password)
    environ = {
        name: value for name, value in call.outlet.environ.items() if not name.startswith(_SECRETS)
    } | dict(zip(_SECRETS, values, strict=True))
    given = call.options
    options = Options(application.env, given.profile, given.account, given.timeout)
    trial = call.build(options=options, environ=environ, new_profile=True)
    reply = trial.accounts.login(force=True)
    trial.forget_session()
    return reply


@command(logout_app, "logout", example="capcli logout\ncapcli logout --forget --env demo")
def logout(
    ctx: typer.Context,
    forget: Annotated[bool, typer.Option("--forget", help="Remove the key from the keychain.")] = False,
) -> None:
    """End the broker session; --forget removes the key.

    The profile in config.toml stays, so the next command asks for a login and does not fall back to paper.
    """
    from capcli.render.results import LogoutDone

    run(ctx, lambda application: _out(application, forget=forget), LogoutDone)


def _out(application: "App", *, forget: bool) -> "Reply[LogoutDone]":
    from capcli.credentials.source import forget as remove
    from capcli.render.results import LogoutDone

    settings = application.settings
    if application.env == "paper":
        return Reply(LogoutDone(ended=False, forgotten=False, note="Paper holds no credentials to forget."))
    reply = application.accounts.logout()
    if forget:
        application.forget_session()
    forgotten = forget and remove(settings.profile, settings.env)
    ended = "Session ended." if reply.data.ended else "There was no session."
    kept = "" if not forget else " Credentials removed." if forgotten else " No credentials were stored."
    return Reply(LogoutDone(reply.data.ended, forgotten, ended + kept), reply.account_id)
