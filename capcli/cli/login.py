"""`capcli login`: credentials are tried at the broker before the keychain keeps them."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import flag
from capcli.cli.run import finish, run
from capcli.cli.tree import command
from capcli.errors import CapcliError, UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App


@command(
    example="capcli login --env demo\n"
    "capcli login --env demo --stdin < credentials.json\n"
    "capcli login --status --check"
)
def login(
    call: Call,
    stdin: Annotated[bool, flag("--stdin", 'Read {"api_key", "identifier", "password"} as JSON.')] = False,
    status: Annotated[bool, flag("--status", "Only show where the credentials are.")] = False,
    check: Annotated[bool, flag("--check", "With --status: log in with them, too.")] = False,
) -> None:
    """The key is tried at the broker first and stored in this computer's keychain only if it works. The
    profile in config.toml then names the environment. Paper needs no login.
    """
    from capcli.cli import guided_login
    from capcli.render.results import LoginDone, LoginStatus

    if status and stdin:
        raise UsageError(
            "--stdin brings credentials, and --status only looks at those that are there. Nothing was read"
            " or sent.",
            next="capcli login --status",
        )
    if status:
        run(call, lambda app: _status(app, check=check), LoginStatus)
    if check:
        raise UsageError(
            "--check goes with --status.", "Nothing was sent.", next="capcli login --status --check"
        )
    call.check_form()
    app = guided_login.chosen(call, stdin=stdin)
    if app.env == "paper":
        note = "Paper needs no credentials. For your own account: capcli login --env demo"
        finish(call, Reply(LoginDone(app.settings.profile, None, None, None, (), note, None)), app.env)
    work = guided_login.Login(call, app)
    finish(call, work.piped() if stdin else work.guided(), app.env)


def _status(app: "App", *, check: bool) -> Reply[Any]:
    """Say where the credentials are; with `check`, test them at the broker."""
    from capcli.render.results import LoginStatus

    found, problem = app.credentials.describe(), None
    if check:
        try:
            # A session from the cache would not test the key.
            app.accounts.login(force=True)
        except CapcliError as error:
            problem = error.problem()
    age = app.clock() - found.key_stored_at if found.key_stored_at else None
    status = LoginStatus(
        profile=found.profile,
        source=found.source,
        backend=found.backend,
        session=app.logins.cache.describe(),
        api_key=found.api_key,
        identifier=found.identifier,
        key_stored_at=found.key_stored_at,
        key_age_days=max(age.days, 0) if age else None,
        logged_in=problem is None if check else None,
    )
    return Reply(status, app.accounts.known().account_id, problem)
