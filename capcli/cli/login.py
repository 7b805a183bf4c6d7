"""`capcli login` and `capcli logout`: credentials are tried at the broker before the keychain keeps them."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.run import finish, run
from capcli.cli.tree import command, new_app
from capcli.errors import (
    CapcliError,
    CredentialsMissing,
    KeychainMissing,
    RateLimited,
    SettingInvalid,
    Unreachable,
    UsageError,
)
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call
    from capcli.errors import Problem
    from capcli.render.results import LoginStatus, LogoutDone

login_app, logout_app = new_app(), new_app()


@command(
    login_app,
    "login",
    example="capcli login --env demo\n"
    "capcli login --env demo --stdin < credentials.json\n"
    "capcli login --status --check",
)
def login(
    ctx: typer.Context,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Read {"api_key", "identifier", "password"} as JSON.')
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only show where the credentials are.")] = False,
    check: Annotated[bool, typer.Option("--check", help="With --status: log in with them, too.")] = False,
) -> None:
    """Check your API key and store it in the keychain.

    The key is tried at the broker first and stored in this computer's keychain only if it works. The
    profile in config.toml then names the environment. Paper needs no login.
    """
    from capcli.render.results import LoginDone, LoginStatus

    call = ctx.find_root().obj
    if status and stdin:
        raise UsageError(
            "--stdin brings credentials, and --status only looks at those that are there. Nothing was read"
            " or sent.",
            next="capcli login --status",
        )
    if status:
        run(ctx, lambda application: _status(application, check=check), LoginStatus)
        return
    if check:
        raise UsageError(
            "--check goes with --status. Nothing was sent.", next="capcli login --status --check"
        )
    call.check_form(LoginDone)
    _log_in(call, stdin=stdin)


def _log_in(call: "Call", *, stdin: bool) -> None:
    from capcli.cli import guided_login
    from capcli.render.results import LoginDone

    application = guided_login.chosen(call, stdin=stdin)
    if application.env == "paper":
        note = "Paper needs no credentials. For your own account: capcli login --env demo"
        profile = application.settings.profile
        finish(call, Reply(LoginDone(profile, None, None, None, (), note, None)), application.env)
        return
    work = guided_login.Login(call, application)
    finish(call, work.piped() if stdin else work.guided(), application.env)


def _status(application: "App", *, check: bool) -> "Reply[LoginStatus]":
    """Say where the credentials are; with `check` what the broker says to them."""
    from capcli.render.results import LoginStatus

    found = application.credentials.describe()
    problem = _refusal(application) if check else None
    held = application.accounts.held()
    age = application.clock() - found.key_stored_at if found.key_stored_at else None
    status = LoginStatus(
        profile=found.profile,
        source=found.source,
        backend=found.backend,
        session=application.session_place,
        api_key=found.api_key,
        identifier=found.identifier,
        key_stored_at=found.key_stored_at,
        key_age_days=max(age.days, 0) if age else None,
        logged_in=problem is None if check else None,
    )
    return Reply(status, held.account_id, problem)


def _refusal(application: "App") -> "Problem | None":
    try:
        # A session that is held would say nothing about the key.
        application.accounts.login(force=True)
    except CapcliError as error:
        return error.problem()
    return None


@command(logout_app, "logout", example="capcli logout\ncapcli logout --forget --env demo")
def logout(
    ctx: typer.Context,
    forget: Annotated[bool, typer.Option("--forget", help="Remove the key from the keychain.")] = False,
) -> None:
    """End the broker session; --forget removes the key.

    The sessions of all accounts end. The key stays, and the next command logs in with it. The profile in
    config.toml stays too: after --forget the next command asks for a login and does not fall back to
    paper.
    """
    from capcli.render.results import LogoutDone

    call = ctx.find_root().obj
    run(ctx, lambda application: _out(call, application, forget=forget), LogoutDone)


def _out(call: "Call", application: "App", *, forget: bool) -> "Reply[LogoutDone]":
    from capcli.render.results import LogoutDone

    if application.env == "paper":
        return Reply(LogoutDone(ended=False, forgotten=False, note="Paper holds no credentials to forget."))
    if not forget:
        reply = application.accounts.logout()
        said = "Session ended." if reply.data.ended else "There was no session."
        return Reply(LogoutDone(reply.data.ended, forgotten=False, note=said), reply.account_id)
    # First what the keychain may refuse: then nothing has happened yet.
    forgotten = _forgotten(call, application)
    application.seen.forget()
    ended, said = _ended(application)
    kept = "Credentials removed." if forgotten else "No credentials were stored."
    if application.credentials.in_environment:
        kept += " Those in the environment stay in use until you unset them."
    return Reply(LogoutDone(ended, forgotten, f"{said} {kept}"))


def _ended(application: "App") -> tuple[bool, str]:
    """End the session as far as that works: credentials are forgotten whether the broker hears it or not."""
    try:
        ended = application.accounts.logout().data.ended
        application.forget_session()
    except (Unreachable, RateLimited):
        application.forget_session()
        return False, "The broker could not be reached; the session expires there within ten minutes."
    except (CredentialsMissing, SettingInvalid):
        # An incomplete set in the environment: no command comes to a session with that.
        return False, "No session was ended: the credentials in the environment cannot be read."
    return ended, "Session ended." if ended else "There was no session."


def _forgotten(call: "Call", application: "App") -> bool:
    from capcli.credentials.source import forget

    settings = application.settings
    try:
        application.lock_live()
        return forget(settings.profile, settings.env, interactive=call.streams.interactive)
    except KeychainMissing:
        if application.credentials.in_environment:
            return False
        raise
