"""Loads settings from the environment, config.toml and defaults, and checks combinations."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from capcli.credential_names import CREDENTIAL_NAMES, CREDENTIALS, ENDINGS
from capcli.domain.limits import Limits
from capcli.errors import (
    CapcliError,
    ConfigError,
    EnvironmentUnknown,
    SettingInvalid,
    SettingUnknown,
    UsageError,
)
from capcli.settings.config_file import Profile, Refuse, read_profile, refuse_at_once
from capcli.settings.table import (
    BY_NAME,
    PREFIX,
    TABLE,
    Setting,
    did_you_mean,
    not_enforced,
)
from capcli.settings.values import Env, Explained, safe, shown, slip, written
from capcli.system import Folders


class SettingRow(Struct, frozen=True):
    """One effective setting for people: never a secret."""

    is_set: ClassVar[bool] = True
    name: str
    value: str
    source: str
    description: str


class DefaultRow(SettingRow, frozen=True):
    """A setting with its default, since none is set or the value does not apply."""

    is_set: ClassVar[bool] = False


class Settings(Limits, frozen=True):
    """All settings. None means no limit, all markets, or the host's own address."""

    env: Env
    env_source: str
    profile: str
    account: str | None
    allow_trading: bool
    ensure_stop: bool
    dry_run: bool
    require_confirm: bool
    http_timeout_s: float
    log_level: str
    preview_ttl_s: int
    approval: str
    mandate_file: str | None
    notify: bool
    notify_cmd: tuple[str, ...] | None
    api_url: str | None
    stream_url: str | None
    rows: tuple[SettingRow, ...]
    faults: tuple[CapcliError, ...] = ()
    """Errors of settings that a way out does not use; for other commands the first is raised."""

    def chosen(self, name: str) -> SettingRow | None:
        """Return a setting if it was set."""
        return next((row for row in self.rows if row.name == name and row.is_set), None)

    @property
    def limits_set(self) -> tuple[str, ...]:
        """Name the limits that are set."""
        return tuple(row.name for row in TABLE if row.limit and getattr(self, row.key) != row.default)


class _Found(Struct, frozen=True):
    value: Any
    source: str
    row: type[SettingRow] = SettingRow


def load(
    environ: Mapping[str, str],
    folders: Folders,
    *,
    env: str | None = None,
    profile: str | None = None,
    account: str | None = None,
    timeout: str | None = None,
    new_profile: bool = False,
    way_out: bool = False,
) -> Settings:
    """Read every setting; the keywords are the global options as typed. `new_profile` is for `login`.

    Raises UsageError, SettingUnknown, SettingInvalid, NotEnforced and ConfigError. On the `way_out` those of
    settings that it does not use are in `faults`; EnvironmentUnknown where one may name the environment.
    """
    faults: list[CapcliError] = []
    refuse: Refuse = faults.append if way_out else refuse_at_once
    known = (*BY_NAME, *CREDENTIAL_NAMES)
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            message = f"{name} is set, and there is no such setting.{did_you_mean(name, known)}"
            unknown = {"next": "capcli help environment", "variable": name}
            refuse(SettingUnknown(message, "Nothing was sent.", **unknown))
    chosen = read_profile(folders.config_file, profile, new=new_profile, refuse=refuse)
    found = _loaded(environ, chosen, env=env, account=account, timeout=timeout, refuse=refuse)
    return replace(found, faults=tuple(faults))


def check_profile(chosen: Profile, key: str, value: str) -> None:
    """Refuse a value that would stop every command with this profile. Raises SettingInvalid.

    A profile that stops them already may be under repair.
    """
    try:
        _loaded({}, chosen)
    except CapcliError:
        return
    try:
        _loaded({}, replace(chosen, texts={**chosen.texts, key: value}))
    except SettingInvalid as error:
        raise SettingInvalid(error.why, "Nothing was written.", next=error.next, **error.details) from None


def _loaded(
    environ: Mapping[str, str],
    chosen: Profile,
    *,
    env: str | None = None,
    account: str | None = None,
    timeout: str | None = None,
    refuse: Refuse = refuse_at_once,
) -> Settings:
    selected = _select_env(environ, chosen, env, refuse)
    typed = {"CAP_DEFAULT_ACCOUNT_ID"} if account is not None else set()
    found = {}
    for each in TABLE:
        strict = each.vital and each.name not in typed
        found[each.name] = _find(each, environ, chosen, selected.value, refuse_at_once if strict else refuse)
    found["CAP_ENV"] = selected
    if account is not None:
        found["CAP_DEFAULT_ACCOUNT_ID"] = _option(BY_NAME["CAP_DEFAULT_ACCOUNT_ID"], "--account", account)
    if timeout is not None:
        found["CAP_HTTP_TIMEOUT_S"] = _option(BY_NAME["CAP_HTTP_TIMEOUT_S"], "--timeout", timeout)
    _check_together(found, refuse)
    value = {setting.key: found[setting.name].value for setting in TABLE}
    rows = [
        each.row(setting.name, setting.write(each.value), each.source, setting.about)
        for setting in TABLE
        for each in (found[setting.name],)
    ]
    for name, about in CREDENTIALS.items():
        if place := _credential_place(name, environ):
            rows.append(SettingRow(name, "set (environment)", place, about))
        else:
            rows.append(DefaultRow(name, "not set", "none", about))
    return Settings(
        **{name: value[name] for name in Settings.__struct_fields__ if name in value},
        env_source=selected.source,
        profile=chosen.name,
        account=value["default_account_id"],
        require_confirm=value["require_explicit_confirm"],
        rows=tuple(rows),
    )


def _select_env(environ: Mapping[str, str], profile: Profile, option: str | None, refuse: Refuse) -> _Found:
    setting = BY_NAME["CAP_ENV"]
    if option is not None:
        return _option(setting, "--env", option)
    try:
        if environ.get(setting.name, "").strip():
            return _Found(_parsed(setting, environ[setting.name], setting.name, "environment"), setting.name)
        for name in CREDENTIALS:
            if place := _credential_place(name, environ):
                return _Found(Env.DEMO, f"{place} is set")
        if (own := _profile_env(profile)) is not None:
            return _Found(own, profile.label)
    except SettingInvalid as error:
        refuse(error)
        raise EnvironmentUnknown(error.why) from None
    if not profile.names_env:
        raise EnvironmentUnknown(f"{profile.file} cannot be read, and it may name the environment.")
    return _Found(Env.PAPER, "default", DefaultRow)


def live_by(environ: Mapping[str, str], folders: Folders, profile: str) -> str | None:
    """Say where live is set, CAP_ENV or the profile; None if only by an option of this command."""
    if text := environ.get("CAP_ENV", "").strip():
        return "CAP_ENV" if text.lower() == Env.LIVE else None
    own = read_profile(folders.config_file, profile, new=True)
    return own.label if _profile_env(own) is Env.LIVE else None


def _profile_env(profile: Profile) -> Env | None:
    text = profile.texts.get("env", "")
    return _parsed(BY_NAME["CAP_ENV"], text, "env", profile.label) if text.strip() else None


def _credential_place(name: str, environ: Mapping[str, str]) -> str | None:
    """Say where the environment holds a credential, without reading it."""
    for variable in (name + ending for ending in ENDINGS):
        if environ.get(variable, "").strip():
            return variable
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder and any(os.path.lexists(Path(folder) / form) for form in (name.lower(), name)):
        return f"{name} in CREDENTIALS_DIRECTORY"
    return None


def _find(setting: Setting, environ: Mapping[str, str], profile: Profile, env: Env, refuse: Refuse) -> _Found:
    """Look in the environment, then in the profile. An empty value counts as not set."""
    default = setting.default_in(env)
    try:
        if (text := environ.get(setting.name, "")).strip():
            return _Found(_parsed(setting, text, setting.name, "environment"), "environment")
        if not (text := profile.texts.get(setting.key, "")).strip():
            return _Found(default, "default", DefaultRow)
        value = _parsed(setting, text, setting.key, profile.label)
        if setting.bound and (own := _profile_env(profile)) not in {None, env}:
            return _Found(default, f"default ({profile.label} is for {own})", DefaultRow)
    except CapcliError as error:
        refuse(error)
        # The way out continues with the stricter one.
        return _Found(
            default if setting.if_bad is None else setting.if_bad,
            "default (its value cannot be read)",
            DefaultRow,
        )
    return _Found(value, profile.label)


def _parsed(setting: Setting, text: str, name: str, source: str) -> Any:
    try:
        value = setting.parse(text.strip())
    except ValueError as error:
        reason = slip(text) or (str(error) if isinstance(error, Explained) else "")
        problem = "set to an unusable value" if setting.private else shown(text)
        raise SettingInvalid(
            f"{name} is {problem} ({source}){', ' if reason else ''}{reason}. Allowed: {setting.allowed}.",
            "Nothing was sent.",
            next="capcli help environment" if source == "environment" else "capcli config path",
            variable=name,
            value="" if setting.private else safe(text),
            allowed=setting.allowed,
        ) from None
    if not setting.enforced and value != setting.default:
        raise not_enforced(name, text, source)
    return value


def _option(setting: Setting, option: str, text: str) -> _Found:
    try:
        return _Found(setting.parse(text.strip()), option)
    except ValueError:
        raise UsageError(
            f"{option} is {shown(text)}. Allowed: {setting.allowed}.",
            "Nothing was sent.",
            option=option,
            allowed=setting.allowed,
        ) from None


def _check_together(found: dict[str, _Found], refuse: Refuse) -> None:
    """Refuse invalid combinations; if they are only noted, the stricter value counts."""
    env = found["CAP_ENV"]
    for name in ("CAP_API_URL", "CAP_STREAM_URL"):
        if env.value is Env.PAPER and found[name].value is not None:
            why, mend = "paper runs inside capcli and has no host", "capcli health --env demo"
            vital = refuse_at_once if BY_NAME[name].vital else refuse
            vital(_clash(name, found[name], env, why, mend))
    confirm = "CAP_REQUIRE_EXPLICIT_CONFIRM"
    if env.value is Env.LIVE and not found[confirm].value:
        why, mend = "on live every order is confirmed", "capcli health --env demo"
        refuse(_clash(confirm, found[confirm], env, why, mend))
        found[confirm] = _Found(True, found[confirm].source)


def _clash(name: str, found: _Found, env: _Found, why: str, next_command: str) -> ConfigError:
    return SettingInvalid(
        f"{name} is {written(found.value)} ({found.source}) while the environment is {env.value}"
        f" ({env.source}): {why}. Unset it or choose another environment.",
        "Nothing was sent.",
        next=next_command,
        variable=name,
        value=written(found.value),
        allowed=BY_NAME[name].allowed,
    )
