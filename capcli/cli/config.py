"""`capcli config`: effective settings, their sources, and where files are."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.run import finish, run
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import UsageError
from capcli.services.reply import Reply

if TYPE_CHECKING:
    from capcli.render.results import SettingShown

app = new_app("Effective settings and where each comes from.", invoke_without_command=True)


@app.callback(epilog=epilog("capcli config\ncapcli config get CAP_ALLOW_TRADING\ncapcli config path"))
def config(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        from capcli.render.results import SettingsFound

        def use(application: Any) -> Reply[SettingsFound]:
            return Reply(SettingsFound(application.settings.profile, application.settings.rows))

        run(ctx, use, SettingsFound)


@command(app, "get", example="capcli config get CAP_ALLOW_TRADING --json")
def get(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="CAP_ALLOW_TRADING, or allow_trading.")],
) -> None:
    """One setting: its value, its source, what is allowed."""
    from capcli.render.results import SettingShown

    run(ctx, lambda application: Reply(_setting(application.settings.rows, name)), SettingShown)


def _setting(rows: Any, name: str) -> "SettingShown":
    from capcli.render.results import SettingShown
    from capcli.settings.table import BY_NAME, PREFIX, did_you_mean

    wanted = name.upper().removeprefix(PREFIX)
    for row in rows:
        if row.name == PREFIX + wanted:
            known = BY_NAME.get(row.name)
            allowed = known.allowed if known else "never shown; `capcli login --status` says where it is"
            return SettingShown(row.name, row.value, row.source, allowed, row.description)
    hint = did_you_mean(PREFIX + wanted, [row.name for row in rows])
    raise UsageError(f"There is no setting {name[:60]!a}.{hint}", next="capcli help environment")


@command(app, "path", example="capcli config path")
def path(ctx: typer.Context) -> None:
    """Where config.toml, the journal and the paper broker are."""
    from capcli.render.results import Places
    from capcli.system import folders

    call = ctx.find_root().obj
    call.check_form(Places)
    # Not through the app: this must work when the settings are what is broken.
    found = folders(dict(call.outlet.environ))
    places = Places(found.config_file, found.journal, found.paper, found.locks, found.cache)
    finish(call, Reply(places), None)
