"""Adds our server to a client's config and removes it; everything else in the file stays byte for byte.

Backs the file up first and replaces it in one step. No secret is written or repeated.
"""

import difflib
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from capcli.assistants import jsonc, toml_entry
from capcli.assistants.carrying import CARRIED, carried, forwarded
from capcli.assistants.locations import ASSISTANTS, Assistant, client_folder, config_file, own_command
from capcli.assistants.reading import OURS, parse, read_config, where_broken
from capcli.errors import ClientConfigBroken, ClientMissing, ConfigError, UsageError
from capcli.system import put_in_place

_HEADER = 2
_KEY = re.compile(r'\s*(?:"[\w.\- ]*"|[\w.\-]+)\s*[:=]\s*')


@dataclass(frozen=True, slots=True, repr=False)
class Edit:
    """A config before and after: as bytes, None where there is no file. It may hold secrets: no repr."""

    assistant: Assistant
    file: Path
    before: bytes | None
    after: bytes | None
    words: frozenset[str]
    has_entry: bool = False

    @property
    def is_needed(self) -> bool:
        return self.before != self.after

    def diff(self) -> str:
        """Return the changes as a unified diff; values of other entries are not shown."""
        old, new = ((each or b"").decode().splitlines(keepends=True) for each in (self.before, self.after))
        ours = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
        found = []
        lines = difflib.unified_diff(old, new, str(self.file), str(self.file), n=1)
        for number, line in enumerate(lines):
            mark, text = line[:1], line[1:].rstrip("\r\n")
            if number >= _HEADER and mark != "@":
                text = text.expandtabs(2)
                # Our own lines are shown in full; of others only the key, since the value may be a secret.
                if not re.fullmatch(rf"(?:{ours}|[\s{{}}\[\],:=.])*", text):
                    key = _KEY.match(text)
                    text = f"{key[0]}…" if key else "…"
            found.append(f"{mark}{text}\n")
        return "".join(found)


def assistant_named(name: str) -> Assistant:
    """Return a client by its name in any spelling. Raises UsageError that lists all."""
    wanted = re.sub(r"[^a-z]", "", name.lower())
    for each in ASSISTANTS:
        known = {re.sub(r"[^a-z]", "", word.lower()) for word in (each.name, each.title)}
        if wanted in known or (wanted == "gemini" and each.name == "gemini-cli"):
            return each
    names = ", ".join(each.name for each in ASSISTANTS)
    raise UsageError(
        f"There is no client {name[:40]!a}. There are: {names}.", next="capcli mcp install --help"
    )


def entry(
    assistant: Assistant,
    options: tuple[str, ...],
    environ: Mapping[str, str],
    offer: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the entry of our server: absolute command, this shell's folders and settings, and no secret.

    `offer` are options of `mcp serve`. Raises SettingInvalid for a relative folder.
    """
    command, *rest = own_command()
    found = {
        "type": "stdio" if assistant.name == "vscode" else None,
        "command": command,
        "args": [*rest, *options, "mcp", "serve", *offer],
        "env": carried(environ),
        "env_vars": list(forwarded(assistant, environ)),
    }
    return {key: value for key, value in found.items() if value}


def installation(assistant: Assistant, ours: Mapping[str, Any], environ: Mapping[str, str]) -> Edit:
    """Plan to add our entry, or to bring it up to date. Raises ClientMissing and ClientConfigBroken."""
    file = _place(assistant, environ)
    folder = client_folder(assistant, environ)
    there = file.exists() or (folder is not None and folder.is_dir())
    if not there and not (assistant.starts and shutil.which(assistant.starts, path=environ.get("PATH", ""))):
        raise ClientMissing(
            f"{assistant.title} was not found: there is no folder {folder}"
            + (f" and no command {assistant.starts}" if assistant.starts else "")
            + ". Start it once, then try again. Nothing was written.",
            next=f"capcli mcp install {assistant.name}",
        )
    before, text, content = _content(assistant, file)
    servers = content.get(assistant.key, {})
    old = servers.get(OURS)
    # All other fields of an existing entry stay.
    new = {**(old if isinstance(old, dict) else {}), **ours}
    if isinstance(old, dict) and isinstance(old.get("env"), dict) and "env" in ours:
        new["env"] = old["env"] | ours["env"]
    wanted = {**content, assistant.key: {**servers, OURS: new}}
    if content == wanted:
        return Edit(assistant, file, before, before, frozenset())
    try:
        after = _format(assistant).with_entry(text, assistant.key, OURS, ours)
    except ValueError:
        after = text
    if not _says(assistant, after, wanted):
        raise _unsafe(assistant, file, "added")
    return Edit(assistant, file, before, after.encode(), _words(assistant, ours), OURS in servers)


def removal(assistant: Assistant, environ: Mapping[str, str]) -> Edit:
    """Plan to remove our entry. Raises ClientConfigBroken."""
    file = _place(assistant, environ)
    before, text, content = _content(assistant, file)
    servers = content.get(assistant.key, {})
    if OURS not in servers:
        return Edit(assistant, file, before, before, frozenset())
    left = {name: each for name, each in servers.items() if name != OURS}
    bare = {name: each for name, each in content.items() if name != assistant.key}
    wanted = ({**content, assistant.key: left}, *(() if left else (bare,)))
    try:
        shorter = tuple(_format(assistant).without_entry(text, assistant.key, OURS))
    except ValueError:
        shorter = ()
    found = [each for each in shorter if any(_says(assistant, each, one) for one in wanted)]
    if not found:
        raise _unsafe(assistant, file, "taken out")
    # Restore the backup's text if our entry is the only difference.
    backups = [each.read_bytes() for each in file.parent.glob(f"{file.name}.bak-*") if each.is_file()]
    after = next((each for each in found if each.encode() in backups), found[0])
    return Edit(assistant, file, before, after.encode(), _words(assistant, servers[OURS]))


def apply(edit: Edit, now: datetime) -> Path | None:
    """Back the file up and replace it; return the backup. Raises ConfigError, and then it is unchanged."""
    try:
        edit.file.parent.mkdir(parents=True, exist_ok=True)
        target = edit.file.resolve()
        if _read(target) != edit.before:
            raise ConfigError(
                f"{edit.file} was changed by another program in the meantime. It was not changed. Try again."
            )
        backup = None if edit.before is None else _backed_up(edit.file, edit.before, now)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
        put_in_place(target, edit.after or b"", mode=mode, durable=True)
    except OSError as error:
        raise ConfigError(
            f"{edit.file} cannot be written: {error.strerror or error}. It was not changed.",
            next="capcli health --only assistants",
        ) from error
    return backup


def others(edit: Edit) -> tuple[str, ...]:
    """Name the other entries of the client that start capcli."""
    found = read_config(edit.assistant, edit.file)
    return tuple(each.name for each in found.entries if each.name != OURS) if found else ()


def _place(assistant: Assistant, environ: Mapping[str, str]) -> Path:
    file = config_file(assistant, environ)
    if file is None:
        raise ClientMissing(f"There is no home folder, so {assistant.title}'s config was not looked for.")
    return file


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClientConfigBroken(f"{file} cannot be read: {error.strerror}. Nothing was changed.") from error


def _content(assistant: Assistant, file: Path) -> tuple[bytes | None, str, dict[str, Any]]:
    """Return the config as bytes, as text, and parsed. Raises ClientConfigBroken."""
    before = _read(file)
    try:
        text = (before or b"").decode()
    except UnicodeDecodeError:
        raise _broken(assistant, file, "is not UTF-8 text") from None
    if not text.strip("\ufeff \t\r\n"):
        return before, text, {}
    try:
        content = parse(text, toml=assistant.toml)
    except ValueError as error:
        raise _broken(assistant, file, where_broken(error)) from None
    if not isinstance(content, dict):
        raise _broken(assistant, file, "is not a JSON object")
    if not isinstance(content.get(assistant.key, {}), dict):
        raise _broken(assistant, file, f"has a {assistant.key} that is not a table of servers")
    return before, text, content


def _broken(assistant: Assistant, file: Path, why: str) -> ConfigError:
    return ClientConfigBroken(
        f"{assistant.title}'s config {file} {why}. It was not changed: fix it, then try again.",
        next=f"capcli mcp install {assistant.name}",
    )


def _unsafe(assistant: Assistant, file: Path, what: str) -> ConfigError:
    return ClientConfigBroken(
        f"{file} is laid out in a way in which {OURS} cannot be {what} safely. It was not changed: do it by"
        f" hand, under {assistant.key}.",
        next=f"capcli mcp install {assistant.name} --dry-run",
    )


def _format(assistant: Assistant) -> Any:
    return toml_entry if assistant.toml else jsonc


def _says(assistant: Assistant, text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return bool((parse(text, toml=assistant.toml) if text.strip() else {}) == wanted)
    except ValueError:
        return False


def _words(assistant: Assistant, ours: Any) -> frozenset[str]:
    """Return the parts of our entry that may be shown: of its env only what capcli itself writes."""
    keys = [assistant.key, OURS, "command", "args", "type", "env", "env_vars", *CARRIED]
    forms = [form for key in keys for form in (key, f'"{key}"')]
    if isinstance(ours, Mapping):
        env, lists = ours.get("env"), [ours.get("args"), ours.get("env_vars")]
        values = [ours.get("command"), ours.get("type")]
        values += [each for one in lists if isinstance(one, list) for each in one]
        values += [text for name, text in env.items() if name in CARRIED] if isinstance(env, Mapping) else []
        written = [each for each in values if isinstance(each, str)]
        forms += [
            form for each in written for form in (json.dumps(each), json.dumps(each, ensure_ascii=False))
        ]
    return frozenset(forms)


def _backed_up(file: Path, content: bytes, now: datetime) -> Path:
    """Write the backup beside the file, for this user only."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 1000):
        place = file.with_name(f"{file.name}.bak-{stamp}" + ("" if number == 1 else f"-{number}"))
        try:
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        return place
    raise ConfigError(f"There are too many backups of {file}. Nothing was changed.")
