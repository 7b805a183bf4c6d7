"""Passes this shell's folders and settings to an assistant's server; a client on the desktop lacks them.

Folders and settings go into the entry, secrets never; variables that cannot go there are named.
"""

import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from capcli.assistants.locations import Assistant
from capcli.credential_names import CREDENTIAL_NAMES
from capcli.errors import CapcliError, UsageError
from capcli.settings import TABLE, slip
from capcli.system import XDG, folders

PLACES = ("CAPCLI_HOME", *XDG)
_FILES = tuple(name for name in CREDENTIAL_NAMES if name.endswith("_FILE"))
_PRIVATE = tuple(each.name for each in TABLE if each.private)
_NETWORK = ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHON_KEYRING_BACKEND")
# The locations of keychain and runtime folder; Codex passes only listed variables to its servers.
_SESSION = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
_NOT_WRITTEN = (
    "set here, and no secret is written into the entry. For the server, store the credentials in the keychain"
    " with capcli login"
)
_ADDRESS = (
    "set here and may hold an address or a token, so it is not written into the entry. For the server, store"
    " it in config.toml: capcli config set NAME VALUE"
)
_BAD = "set here to a value that is not allowed, and not written: capcli config"
_SHELL_ONLY = (
    "set here, and not for a client that is started from the desktop. Where the server needs it, add it to"
    " env in the entry."
)
CARRIED = frozenset((*PLACES, *_FILES, *(setting.name for setting in TABLE)))
"""What may stand in an entry that capcli wrote, none of it a secret."""


# The variables a client passes to a server unless the entry names more (the MCP SDK's list).
_HANDED_ON = frozenset(
    {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}
    | {"APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATHEXT", "PROCESSOR_ARCHITECTURE"}
    | {"PROGRAMFILES", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "USERNAME", "USERPROFILE"}
)


def handed_on(environ: Mapping[str, str], env_vars: tuple[str, ...]) -> dict[str, str]:
    """Return the environment a desktop client passes to a server, besides the entry's own `env`."""
    return {name: text for name, text in environ.items() if name.upper() in _HANDED_ON or name in env_vars}


def carried(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the entry's `env`: unusual folders and settings. Raises SettingInvalid for a relative folder."""
    settings = {
        each.name: environ[each.name].strip()
        for each in TABLE
        if _is_good(each.name, environ) and not each.private
    }
    files = {name: environ[name] for name in _FILES if Path(environ.get(name, "")).is_absolute()}
    here = folders(environ)
    places: dict[str, str] = {}
    if environ.get("CAPCLI_HOME"):
        places = {"CAPCLI_HOME": str(here.state)}
    elif sys.platform != "win32":
        # A server that gets only HOME must find the folders of this shell.
        try:
            there = folders({})
            bare = (there.config, there.state, there.cache)
        except CapcliError:
            bare = (Path(), Path(), Path())
        mine = zip(XDG, (here.config, here.state, here.cache), bare, strict=True)
        places = {name: str(own.parent) for name, own, other in mine if own != other}
    return places | settings | files


def settings_given(given: Iterable[str]) -> dict[str, str]:
    """Read `CAP_MAX_RISK_PCT=1` as typed after --set. Raises UsageError for what no entry may carry."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().upper()
        known = next((each for each in TABLE if each.name == name), None)
        if name in CREDENTIAL_NAMES or (known is not None and known.private):
            raise _not_set(f"{name} is not written into an entry: no secret is", "capcli login")
        if known is None:
            near = get_close_matches(name, [each.name for each in TABLE], 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise _not_set(f"there is no setting {name[:40]!a}{hint}")
        if not equals or not _is_good(name, {name: value}):
            raise _not_set(f"{name} is {value[:40]!a}. Allowed: {known.allowed}")
        found[name] = value.strip()
    return found


def _not_set(why: str, following: str = "capcli config") -> UsageError:
    return UsageError(f"--set: {why}. Nothing was written.", next=following, option="--set")


def forwarded(assistant: Assistant, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of variables that the client must pass on (needed for Codex)."""
    if assistant.name != "codex":
        return ()
    session = _SESSION if sys.platform == "linux" else ()
    return (
        *session,
        *(name for name in (*CREDENTIAL_NAMES, *_PRIVATE, *_NETWORK) if _left_out(name, environ)),
    )


def left_out(assistant: Assistant, environ: Mapping[str, str], env: str | None) -> tuple[str, ...]:
    """Name variables set here that will not reach the server, and the fix; `env` is the option as typed."""
    here = {name for name, text in environ.items() if text.strip()}
    good = {each.name for each in TABLE if _is_good(each.name, environ)}
    where = "" if env or "CAP_ENV" in here else ", and name the environment with --env"
    found = [(_BAD, [each.name for each in TABLE if each.name in here - good])]
    if assistant.name != "codex":
        secrets = [name for name in CREDENTIAL_NAMES if _left_out(name, environ)]
        private = [name for name in _PRIVATE if name in here]
        network = [name for name in _NETWORK if name in here]
        found = [(f"{_NOT_WRITTEN}{where}.", secrets), (_ADDRESS, private), *found, (_SHELL_ONLY, network)]
    return tuple(
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {text}" for text, names in found if names
    )


def _is_good(name: str, environ: Mapping[str, str]) -> bool:
    text = environ.get(name, "").strip()
    setting = next(each for each in TABLE if each.name == name)
    if not text or slip(text):
        return False
    try:
        setting.parse(text)
    except ValueError:
        return False
    return setting.enforced


def _left_out(name: str, environ: Mapping[str, str]) -> bool:
    text = environ.get(name, "").strip()
    return bool(text) and not (name in _FILES and Path(text).is_absolute())
