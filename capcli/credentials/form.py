"""The form of the three credentials: their checks, their JSON text, and how they are masked."""

import json
import re
from datetime import datetime

from capcli.credential_names import CREDENTIALS
from capcli.errors import ConfigError, CredentialsMissing, SettingInvalid
from capcli.ports.login import Credentials
from capcli.settings import slip

LONGEST_ITEM = 1000
"""In UTF-16 units: the Windows store ends at 1280, the others far beyond."""

_FIELDS = dict(zip(("api_key", "identifier", "password"), CREDENTIALS, strict=True))
_GRAPHIC = re.compile(r"[!-~]+")
_SHOWN = 4


def checked(name: str, text: str, place: str) -> str:
    """Return a credential without its trailing newline. Raises SettingInvalid that never repeats it."""
    value, problem = text.rstrip("\r\n"), None
    if not value.strip():
        problem = "empty"
    elif name == "CAP_API_KEY" and not _GRAPHIC.fullmatch(value.strip()):
        problem = slip(value) or "not an API key: it has spaces or characters outside ASCII inside"
    elif value != value.strip():
        problem = "surrounded by spaces; remove them"
    elif not value.isprintable():
        problem = "more than one line, or has characters that cannot be typed"
    if problem := problem or slip(value):
        raise SettingInvalid(
            f"{name} ({place}) is {problem}.",
            "Nothing was sent.",
            next="capcli help environment",
            variable=name,
        )
    return value


def to_json(credentials: Credentials, stored_at: datetime) -> str:
    """Write the one value that a keychain item holds. Raises ConfigError when it would not fit."""
    fields = {
        "api_key": credentials.api_key,
        "identifier": credentials.identifier,
        "password": credentials.password,
        "stored_at": stored_at.isoformat(timespec="seconds"),
    }
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if length > LONGEST_ITEM:
        raise ConfigError(
            f"Key, identifier and password make {length} characters together; a keychain item holds"
            f" {LONGEST_ITEM}. Nothing was stored. Check that only the values were entered.",
            next="capcli login",
        )
    return text


def from_json(text: str, place: str) -> Credentials:
    """Read `{"api_key": …, "identifier": …, "password": …}` (`api_password` is taken too).

    Raises CredentialsMissing for other JSON and SettingInvalid for a value that cannot be one.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        # Raised outside the handler: the parser's error holds the whole document.
        raise CredentialsMissing(
            f"{place} is not a JSON object with api_key, identifier and password.",
            "Nothing was sent.",
            next="capcli login",
        )
    if "api_password" in fields:
        fields.setdefault("password", fields.pop("api_password"))
    missing = [key for key in _FIELDS if not isinstance(fields.get(key), str)]
    if missing:
        raise CredentialsMissing(
            f"{place} lacks {' and '.join(missing)}.",
            "Nothing was sent.",
            next="capcli login",
            missing=missing,
        )
    return Credentials(
        **{key: checked(name, fields[key], f"{key}, {place}") for key, name in _FIELDS.items()}
    )


def stored_at(text: str) -> datetime | None:
    """Return when the key in an item was first stored; None if unknown."""
    try:
        found = datetime.fromisoformat(json.loads(text)["stored_at"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if found.tzinfo else None


def key_ending(api_key: str) -> str:
    """Show the last four characters of a key, unless that would be most of it."""
    return f"…{api_key[-_SHOWN:]}" if len(api_key) >= 2 * _SHOWN else "…"


def masked(identifier: str) -> str:
    """Show an e-mail address as `j***@example.com`, anything else by its first character."""
    name, at, domain = identifier.rpartition("@")
    return f"{name[:1]}***@{domain}" if at and name else f"{identifier[:1]}***"


def slips(credentials: Credentials) -> tuple[str, ...]:
    """Name likely slips in refused credentials, without repeating any."""
    found = {
        "the password has a backslash before its exclamation mark, which a shell may have put there; in a"
        " shell, wrap the password in single quotes": "\\!" in credentials.password,
        "the password equals the API key": credentials.password == credentials.api_key,
        "the password is the e-mail address": credentials.password == credentials.identifier,
        "the API key is an e-mail address; key and user may be exchanged": "@" in credentials.api_key,
        "the user is not an e-mail address": "@" not in credentials.identifier,
    }
    return tuple(text for text, applies in found.items() if applies)
