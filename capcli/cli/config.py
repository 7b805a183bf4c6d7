"""`capcli config`: effective settings, their sources, edits of config.toml, and where files are."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import argument
from capcli.cli.run import finish, run
from capcli.cli.tree import command, group
from capcli.errors import UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.render.results import SettingChanged, SettingShown
    from capcli.settings import Profile
    from capcli.system import Folders


def _every(app: "App") -> Reply[Any]:
    from capcli.render.results import SettingsFound

    return Reply(SettingsFound(app.settings.profile, app.settings.rows))


config = group(
    example="capcli config\ncapcli config get CAP_ALLOW_TRADING\ncapcli config set CAP_MAX_POSITION_SIZE 5",
    alone=lambda call: run(call, _every),
)
_Name = Annotated[str, argument("NAME", "CAP_ALLOW_TRADING, or allow_trading.")]
_Value = Annotated[str, argument("VALUE", "`capcli config get NAME` says what is allowed.")]


@command(config, example="capcli config get CAP_ALLOW_TRADING --json")
def get(call: Call, name: _Name) -> None:
    """One setting: its value, its source, what is allowed."""
    run(call, lambda app: Reply(_setting(app, name)))


def _setting(app: "App", name: str) -> "SettingShown":
    from capcli.render.results import SettingShown
    from capcli.settings.table import BY_NAME, PREFIX, did_you_mean

    rows, wanted = app.settings.rows, PREFIX + name.upper().removeprefix(PREFIX)
    for row in rows:
        if row.name == wanted:
            known = BY_NAME.get(row.name)
            allowed = known.allowed if known else "never shown; `capcli login --status` says where it is"
            return SettingShown(row.name, row.value, row.source, allowed, row.description)
    hint = did_you_mean(wanted, [row.name for row in rows])
    raise UsageError(f"There is no setting {name[:60]!a}.{hint}", next="capcli help environment")


@command(
    config,
    "set",
    example="capcli config set CAP_MAX_POSITION_SIZE 5\n"
    "capcli config set allowed_epics SILVER,GOLD --profile swing",
)
def set_(call: Call, name: _Name, value: _Value) -> None:
    """Write a setting into a profile of config.toml.

    It goes into the profile of --profile, or the default one. The value is checked first; comments and
    everything else in the file stay. Credentials are never written there.
    """
    _change(call, name, value.strip())


@command(config, example="capcli config unset CAP_MAX_POSITION_SIZE")
def unset(call: Call, name: _Name) -> None:
    """Remove a setting from a profile of config.toml; its default applies again."""
    _change(call, name, None)


def _change(call: Call, name: str, value: str | None) -> None:
    from capcli.settings.table import PREFIX
    from capcli.system import folders

    call.check_form()
    # Not through the app: this must work when a setting is what is broken.
    places = folders(call.streams.environ)
    key = name.strip().lower().removeprefix(PREFIX.lower())
    change = _removed(call, places, key, name.strip()) if value is None else _set(call, places, key, value)
    finish(call, Reply(change), None)


def _set(call: Call, places: "Folders", key: str, value: str) -> "SettingChanged":
    from capcli.render.results import SettingChanged
    from capcli.settings import check_edit, check_profile, read_profile, write_setting
    from capcli.settings.table import BY_KEY
    from capcli.settings.values import safe

    chosen = read_profile(places.config_file, call.options.profile, new=True)
    check_edit(chosen.name, key, value)
    check_place(chosen, key, value, env=(call.options.env or "").strip().lower())
    check_profile(chosen, key, value)
    before, title = write_setting(places, chosen.name, key, value), BY_KEY[key].name
    old, new = _repeated(key, before), _repeated(key, value)
    sentence = _sentence(call, title, old, new, same=before == safe(value))
    return SettingChanged(title, chosen.name, places.config_file, old, new, sentence)


def _removed(call: Call, places: "Folders", key: str, typed: str) -> "SettingChanged":
    from capcli.render.results import SettingChanged
    from capcli.settings import default_profile, did_you_mean, read_profile, remove_setting
    from capcli.settings.table import BY_KEY

    profile = call.options.profile or default_profile(places.config_file)
    if key == "env":
        check_place(read_profile(places.config_file, profile, new=True), key, "", env="")
    old = remove_setting(places, profile, key)
    if old is None and typed != key:
        # The file may hold the name as the environment writes it, which is no key.
        old = remove_setting(places, profile, typed)
    if old is None and key not in BY_KEY:
        raise UsageError(
            f"There is no setting {typed[:60]!a}, and [profiles.{profile}] has no such key."
            f"{did_you_mean(key, BY_KEY)} Nothing was written.",
            next="capcli config",
        )
    title = BY_KEY[key].name if key in BY_KEY else typed
    sentence = _sentence(call, title, old, None, same=old is None)
    return SettingChanged(title, profile, places.config_file, _repeated(key, old), None, sentence)


def check_place(chosen: "Profile", key: str, value: str, *, env: str) -> None:
    """Refuse what would count in another environment than the one that is meant, or in all of them."""
    from capcli.settings.table import BY_KEY

    own = chosen.texts.get("env", "").strip().lower()
    if key == "env":
        bound = [name for name in chosen.texts if BY_KEY[name].bound]
        if own and bound and value.lower() != own:
            raise UsageError(
                f"The profile {chosen.name} is for {own}, and {', '.join(bound)} there was meant for {own}."
                " Remove that first, or make another profile. Nothing was written.",
                next=f"capcli config unset {bound[0]} --profile {chosen.name}",
            )
        return
    if BY_KEY[key].bound and not own:
        raise UsageError(
            f"{BY_KEY[key].name} counts in one environment, and the profile {chosen.name} names none. Write"
            " its CAP_ENV first. Nothing was written.",
            next=f"capcli config set CAP_ENV {env or 'demo'} --profile {chosen.name}",
        )
    if env and env != own:
        raise UsageError(
            f"The profile {chosen.name} is for {own or 'no environment'}, not for {env}. Name a profile"
            " that is, or leave --env out. Nothing was written.",
            next="capcli config set --help",
        )


def _repeated(key: str, text: str | None) -> str | None:
    """Return what may be repeated of a setting's text: of a private one what `capcli config` shows."""
    from capcli.settings.table import BY_KEY
    from capcli.settings.values import safe

    setting = BY_KEY.get(key)
    if text is None or setting is None or not setting.private:
        return None if text is None else safe(text)
    try:
        return setting.write(setting.parse(text))
    except ValueError:
        return "an unusable value"


def _sentence(call: Call, name: str, old: str | None, new: str | None, *, same: bool) -> str:
    if same:
        return f"{name} was {old or 'not set'} there already. Nothing was written."
    done = f"{name} was removed." if new is None else f"{name} is {new} now."
    first = f" The environment sets {name} too, and takes precedence." if name in call.streams.environ else ""
    return done + first


@command(config, example="capcli config path")
def path(call: Call) -> None:
    """Where config.toml, the journal and the paper broker are."""
    from capcli.render.results import Places
    from capcli.system import folders

    call.check_form()
    # Not through the app: this must work when the settings are what is broken.
    found = folders(call.streams.environ)
    places = Places(found.config_file, found.journal, found.paper, found.locks, found.cache)
    finish(call, Reply(places), None)
