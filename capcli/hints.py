"""Values for shell completion, from local files only. Never uses the network.

`capcli __complete KIND [--env ENV] [--profile NAME] [--account ID]` prints a value a line, with what it is
behind a tab. It must answer at once, so it builds no app and imports no library but SQLite, if necessary.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from capcli.credential_names import CREDENTIAL_NAMES
from capcli.store.seen import DEALS, book_of, read_seen, seen_file
from capcli.system import Folders, folders

WORD = "__complete"
KINDS = (
    "epics",
    "deals",
    "positions",
    "orders",
    "accounts",
    "watchlists",
    "previews",
    "attempts",
    "profiles",
)
_MOST = 50
_ENVS = ("paper", "demo", "live")
_PREVIEWS = """
    SELECT id, kind || ' ' || json_extract(document, '$.side') || ' ' || json_extract(document, '$.size')
        || ' ' || json_extract(document, '$.epic')
    FROM previews WHERE env = ? AND state = 'READY' AND expires_at > strftime('%Y-%m-%dT%H:%M:%f', 'now')
    ORDER BY created_at DESC LIMIT ?"""
_ATTEMPTS = "SELECT id, kind || ' ' || state FROM attempts WHERE env = ? ORDER BY created_at DESC LIMIT ?"


def main(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the output; empty on any error, since a completion cannot show one."""
    try:
        rows = hints(words[0], words[1:], environ)
    except Exception:  # noqa: BLE001  a shell in the middle of a line is no place for a message
        return ""
    return "".join(f"{value}\t{about}\n" for value, about in rows.items())


def hints(kind: str, options: Sequence[str], environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values of a kind (of KINDS) with a description, newest first."""
    places = folders(environ)
    config = _config(places)
    if kind == "profiles":
        return dict.fromkeys(config.get("profiles", {}), "")
    env = _env(_given(options, "--env"), _given(options, "--profile"), environ, config)
    if env not in _ENVS:
        return {}
    if kind in {"previews", "attempts"}:
        return _journal(places.journal, _PREVIEWS if kind == "previews" else _ATTEMPTS, env)
    seen = read_seen(seen_file(places.cache, env))
    if kind not in {"deals", *DEALS}:
        return seen.get(kind, {})
    account = _given(options, "--account") or environ.get("CAP_DEFAULT_ACCOUNT_ID", "").strip()
    books = DEALS if kind == "deals" else (kind,)
    return {
        deal: about for book in books for deal, about in seen.get(book_of(seen, book, account), {}).items()
    }


def _given(options: Sequence[str], name: str) -> str | None:
    return next((value for word, value in pairwise(options) if word == name), None)


def _config(places: Folders) -> Mapping[str, dict[str, dict[str, str]]]:
    try:
        text = places.config_file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}
    import tomllib

    return tomllib.loads(text)


def _env(
    option: str | None, profile: str | None, environ: Mapping[str, str], config: Mapping[str, object]
) -> str:
    """Choose the environment in the same order as commands, without checks."""
    if chosen := (option or environ.get("CAP_ENV") or "").strip():
        return chosen.lower()
    if any(environ.get(name, "").strip() for name in (*CREDENTIAL_NAMES, "CREDENTIALS_DIRECTORY")):
        return "demo"
    profiles = config.get("profiles")
    table = (
        profiles.get(profile or config.get("default_profile", "main")) if isinstance(profiles, dict) else {}
    )
    return str((table or {}).get("env", "paper"))


def _journal(file: Path, query: str, env: str) -> dict[str, str]:
    """Read the journal without creating files; a busy or broken journal gives nothing."""
    import sqlite3

    quiet = "" if file.with_name(f"{file.name}-wal").exists() else "&immutable=1"
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{quiet}", uri=True, timeout=0.05)
    try:
        return {value: about or "" for value, about in connection.execute(query, (env, _MOST))}
    finally:
        connection.close()


def answer() -> int:
    """Print the completions for a shell. Raises nothing."""
    text = main(sys.argv[2:], os.environ)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return 0
