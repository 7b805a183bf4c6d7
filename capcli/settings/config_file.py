"""config.toml: reads profiles, and edits them leaving everything else in the file unchanged."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from capcli.credential_names import CREDENTIAL_NAMES
from capcli.errors import CapcliError, ConfigError, SettingInvalid, SettingUnknown, UsageError
from capcli.settings.table import BY_KEY, PREFIX, did_you_mean, not_enforced
from capcli.settings.values import safe, shown, slip
from capcli.system import Folders, file_lock, private_folder, put_in_place

DEFAULT_PROFILE = "main"
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_PROFILE_FORM = "1 to 32 letters, digits, `-` or `_`"
_UNSENT = "Nothing was sent."
_SECRET_KEYS = frozenset(name.removeprefix(PREFIX).lower() for name in CREDENTIAL_NAMES)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BARE = re.compile(r"true|false|0|[1-9][0-9]*(\.[0-9]+)?|0\.[0-9]+")


Refuse = Callable[[CapcliError], None]
"""Hears what is wrong with a setting: raises it, or notes it where the command does not use it."""


def refuse_at_once(error: CapcliError) -> None:
    raise error


class Profile(Struct, frozen=True):
    """One profile: its name, the file it stands in, and its settings as text (none when it is new).

    `names_env` is false where its file, or its env in there, cannot be read: it may name one.
    """

    name: str
    file: Path
    texts: Mapping[str, str]
    names_env: bool = True

    @property
    def label(self) -> str:
        return f"profile {self.name} in {self.file.name}"


def default_profile(file: Path) -> str:
    """Return the default profile. Raises ConfigError for a broken file."""
    return str(_parse(file, _read(file)).get("default_profile", DEFAULT_PROFILE))


def read_profile(
    file: Path, wanted: str | None, *, new: bool = False, refuse: Refuse = refuse_at_once
) -> Profile:
    """Return the profile asked for, else the file's default_profile, else `main` (empty when there is none).

    Raises ConfigError for a broken file and, unless `new`, a missing profile; where `refuse` only notes that,
    what cannot be read is left out.
    """
    if wanted is not None and not _PROFILE.fullmatch(wanted):
        raise UsageError(f"--profile is {shown(wanted)}. Allowed: {_PROFILE_FORM}.", "Nothing was sent.")
    try:
        data = _parse(file, _read(file))
        profiles = _checked(file, data, refuse)
    except ConfigError as error:
        refuse(error)
        return Profile(wanted or DEFAULT_PROFILE, file, MappingProxyType({}), names_env=False)
    default = data.get("default_profile")
    name = wanted or default or DEFAULT_PROFILE
    fresh = name == DEFAULT_PROFILE and not profiles
    there = name in profiles or not (wanted or default) or new or fresh
    if not there:
        refuse(
            ConfigError(
                f"There is no profile {name} in {file} (there: {', '.join(sorted(profiles)) or 'none'}).",
                _UNSENT,
                next=f"capcli login --profile {name} --env demo",
                profile=name,
            )
        )
    texts = profiles.get(name, {})
    named = there and ("env" in texts or "env" not in data.get("profiles", {}).get(name, {}))
    return Profile(name, file, MappingProxyType(texts), names_env=named)


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise _broken(file, "it is not UTF-8 text") from None
    except OSError as error:
        raise _broken(file, error.strerror or type(error).__name__) from None


def _parse(file: Path, text: str) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text, parse_float=str)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # From None: the error object holds the whole document.
        raise _broken(file, str(error)) from None


def _broken(file: Path, why: str) -> ConfigError:
    return ConfigError(f"{file} cannot be read: {why}.", _UNSENT, next="capcli config path", file=str(file))


def _checked(
    file: Path, data: Mapping[str, Any], refuse: Refuse = refuse_at_once
) -> dict[str, dict[str, str]]:
    """Return the profiles with every value as text; refuse what is no setting, in any profile."""
    for key in data:
        if key not in {"default_profile", "profiles"}:
            refuse(_unknown_key(file, key, "the top"))
    default, profiles = data.get("default_profile", DEFAULT_PROFILE), data.get("profiles", {})
    if not isinstance(profiles, dict):
        raise _broken(file, "profiles is not a table; write [profiles.main]")
    for name in (default, *profiles):
        if not isinstance(name, str) or not _PROFILE.fullmatch(name):
            raise _broken(file, f"{shown(str(name))} is not a profile name ({_PROFILE_FORM})")
    return {name: _texts(file, name, table, refuse) for name, table in profiles.items()}


def _texts(file: Path, profile: str, table: object, refuse: Refuse) -> dict[str, str]:
    if not isinstance(table, dict):
        raise _broken(file, f"profiles.{profile} is not a table; write [profiles.{profile}]")
    found: dict[str, str] = {}
    for key in (key for key in table if key not in BY_KEY):
        refuse(_unknown_key(file, key, f"[profiles.{profile}]"))
    for key, value in ((key, table[key]) for key in table if key in BY_KEY):
        if isinstance(value, str | int) or (
            isinstance(value, list) and {type(one) for one in value} <= {str}
        ):
            found[key] = _as_text(value)
        else:
            allowed = BY_KEY[key].allowed
            message = f"{key} in {file} is a {type(value).__name__}. Allowed: {allowed}."
            facts = {"next": "capcli config path", "variable": key, "allowed": allowed}
            refuse(SettingInvalid(message, _UNSENT, **facts))
    return found


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _unknown_key(file: Path, key: str, place: str) -> ConfigError:
    if key.lower().removeprefix(PREFIX.lower()) in _SECRET_KEYS:
        return SettingInvalid(
            f"{key} is in {file}, at {place}. Credentials are never read from there: remove it and store"
            " them in the keychain.",
            _UNSENT,
            next="capcli login",
            variable=key,
        )
    if place == "the top" and key in BY_KEY:
        hint = f" It belongs in a profile: [profiles.{DEFAULT_PROFILE}]."
    else:
        hint = did_you_mean(key, (*BY_KEY, "default_profile", "profiles") if place == "the top" else BY_KEY)
    return SettingUnknown(
        f"There is no setting {key} (at {place} of {file}).{hint}",
        _UNSENT,
        next="capcli help environment",
        variable=key,
    )


def write_setting(folders: Folders, profile: str, key: str, value: str) -> str | None:
    """Write one setting of a profile (`key` as in config.toml); return what stood there. Checked first.

    All else stays byte for byte; default_profile is added where there is none. Raises UsageError for a name
    or value that is not allowed, NotEnforced, and ConfigError for a layout that cannot be edited.
    """
    check_edit(profile, key, value)
    return _edit(folders, profile, key, value)


def remove_setting(folders: Folders, profile: str, key: str) -> str | None:
    """Remove a key from a profile, even if it is no setting; return its value, None if it was not set.

    Raises UsageError for a name that no key has, ConfigError as `write_setting`.
    """
    if not _PROFILE.fullmatch(profile):
        raise _no_profile_name(profile)
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"There is no setting {shown(key)}. Nothing was written.", next="capcli help environment"
        )
    return _edit(folders, profile, key, None)


def _edit(folders: Folders, profile: str, key: str, value: str | None) -> str | None:
    """Set or remove (None) a value, and verify the result."""
    import tomllib

    with file_lock(folders.locks / "config.lock", wait_s=5):
        file = folders.config_file
        text = before = _read(file)
        wanted = old = _parse(file, before)
        if value is not None:
            _checked(file, old)
        profiles = old.get("profiles", {})
        table = profiles.get(profile, {}) if isinstance(profiles, dict) else None
        if not isinstance(table, dict):
            raise _broken(file, f"[profiles.{profile}] is not a table")
        if value is None and key not in table:
            return None
        entries = {name: each for name, each in table.items() if name != key}
        if value is not None:
            entries[key] = tomllib.loads(f"x = {_literal(value)}", parse_float=str)["x"]
        if value is not None and "default_profile" not in old:
            # A key outside any table comes first.
            text = f'default_profile = "{profile}"{_newline(before)}{before}'
            wanted = {"default_profile": profile} | old
        after = _edited(text, profile, key, value)
        if not _says(after, {**wanted, "profiles": {**profiles, profile: entries}}):
            todo = f"Write {key} = {_literal(value)} into" if value is not None else f"Take {key} out of"
            raise ConfigError(
                f"{file} is laid out in a way that cannot be edited safely. It was not changed. {todo} "
                f"[profiles.{profile}] by hand.",
                next="capcli config path",
            )
        if after != before:
            _replace(file, after)
    if key.lower().removeprefix(PREFIX.lower()) in _SECRET_KEYS and key in table:
        return "***"
    return safe(_as_text(table[key])) if key in table else None


def check_edit(profile: str, key: str, value: str) -> None:
    """Refuse settings that may not be written to a profile. Raises UsageError and NotEnforced."""
    if not _PROFILE.fullmatch(profile):
        raise _no_profile_name(profile)
    if key in _SECRET_KEYS:
        raise UsageError(
            f"{key} is a credential and never written to a file. Nothing was written.", next="capcli login"
        )
    if key not in BY_KEY:
        raise UsageError(
            f"There is no setting {shown(key)}.{did_you_mean(key, BY_KEY)} Nothing was written.",
            next="capcli help environment",
        )
    setting = BY_KEY[key]
    try:
        read = setting.parse(value)
    except ValueError:
        raise _not_allowed(key, value) from None
    if not value.isprintable():
        raise _not_allowed(key, value)
    if not setting.enforced and read != setting.default:
        raise not_enforced(key, value, "as asked for")


def _no_profile_name(profile: str) -> UsageError:
    return UsageError(
        f"{shown(profile)} is not a profile name. Allowed: {_PROFILE_FORM}. Nothing was written."
    )


def _not_allowed(key: str, value: str) -> UsageError:
    why = f" It is {reason}." if (reason := slip(value)) else ""
    typed = "that" if BY_KEY[key].private else shown(value)
    return UsageError(
        f"{key} cannot be {typed}.{why} Allowed: {BY_KEY[key].allowed}. Nothing was written.",
        next="capcli help environment",
        variable=key,
    )


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    import tomllib

    try:
        return tomllib.loads(text, parse_float=str) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _replace(file: Path, text: str) -> None:
    """Replace the file atomically, readable by this user only. A symlinked file stays a symlink."""
    private_folder(file.parent)
    try:
        put_in_place(file.resolve(), text.encode(), durable=True)
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written: {error.strerror}. It was not changed.", next="capcli config path"
        ) from error


def _literal(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _edited(text: str, profile: str, key: str, value: str | None) -> str:
    """Return the text with a value set in a profile, or removed (None); everything else is unchanged."""
    import tomlkit
    from tomlkit.items import InlineTable

    newline = _newline(text)
    document = tomlkit.parse(text.replace(newline, "\n"))
    if value is None:
        del document["profiles"][profile][key]
    else:
        if "profiles" not in document:
            document["profiles"] = tomlkit.table(is_super_table=True)
        profiles = document["profiles"]
        if profile not in profiles:
            profiles[profile] = (
                tomlkit.inline_table() if isinstance(profiles, InlineTable) else tomlkit.table()
            )
        profiles[profile][key] = tomlkit.value(_literal(value))
    return tomlkit.dumps(document).replace("\n", newline)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
