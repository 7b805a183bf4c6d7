"""Reads a client's config and finds the entries that start capcli."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from capcli.assistants.locations import ASSISTANTS, Assistant, config_file

OURS = "capcli"
_KEYS = frozenset(assistant.key for assistant in ASSISTANTS)
_LARGEST_FILE = 32_000_000
# A string or a comment; a string or a comma before a closing bracket: VS Code and others take both.
_COMMENTS = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMAS = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])', re.DOTALL)


class Entry(Struct, frozen=True):
    """One server in a client's config. `env` may hold secrets, so there is no repr."""

    name: str
    command: str | None
    args: tuple[str, ...]
    env: Mapping[str, str]
    disabled: bool
    env_vars: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Entry({self.name!r})"


class Config(Struct, frozen=True):
    """The part of a client's config that concerns capcli; `broken` says why the client cannot use it.

    `rivals` name its entries that start the broker's own server.
    """

    assistant: Assistant
    file: Path
    entries: tuple[Entry, ...] = ()
    rivals: tuple[str, ...] = ()
    broken: str | None = None


def configs(environ: Mapping[str, str]) -> tuple[Config, ...]:
    """Return the configs that start capcli or the broker's server or, where they cannot be read, name it."""
    found = (
        read_config(each, file) for each in ASSISTANTS if (file := config_file(each, environ)) is not None
    )
    return tuple(each for each in found if each is not None and (each.entries or each.broken or each.rivals))


def read_config(assistant: Assistant, file: Path) -> Config | None:
    """Return one config, None if there is none or it is broken and does not mention capcli."""
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return None
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        return Config(assistant, file, broken=f"cannot be read: {why}")
    if not text.strip():
        return Config(assistant, file, broken="is empty: nothing was saved in it")
    try:
        content = parse(text, toml=assistant.toml)
    except ValueError as error:
        # A broken config without an entry for capcli is not our concern.
        return Config(assistant, file, broken=where_broken(error)) if OURS in text else None
    content = content if isinstance(content, dict) else {}
    # Claude Code has tables of servers for its projects, too.
    projects = content.get("projects") if assistant.name == "claude-code" else None
    holders = [content, *(projects.values() if isinstance(projects, dict) else ())]
    every = [
        entry for one in holders if isinstance(one, dict) for entry in _all_entries(one.get(assistant.key))
    ]
    entries = tuple(entry for entry in every if _is_ours(entry))
    broken = next(
        (
            f"names capcli under {key}, and this client reads {assistant.key}"
            for key in _KEYS - {assistant.key}
            if not entries and any(map(_is_ours, _all_entries(content.get(key))))
        ),
        None,
    )
    return Config(assistant, file, entries, tuple(one.name for one in every if _is_brokers(one)), broken)


def parse(text: str, *, toml: bool) -> Any:
    """Parse a config. Raises ValueError, which `where_broken` explains."""
    text = text.removeprefix("\ufeff")
    if toml:
        return tomllib.loads(text)
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        # Positions stay the same, for the message.
        loose = _LAST_COMMAS.sub(_blanked, _COMMENTS.sub(_blanked, text))
        if loose == text:
            raise
    return json.loads(loose)


def _blanked(found: re.Match[str]) -> str:
    text = found.group()
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)


def where_broken(error: ValueError) -> str:
    """Say where parsing failed; the parser's own text is left out where it quotes the file."""
    if isinstance(error, json.JSONDecodeError):
        return f"is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg.lower()}"
    if isinstance(error, tomllib.TOMLDecodeError):
        place = re.search(r"\(at [^)]*\)", str(error))
        return f"is not valid TOML {place.group() if place else ''}".rstrip()
    return "is not valid JSON"


def _all_entries(servers: Any) -> Iterator[Entry]:
    for name, each in servers.items() if isinstance(servers, dict) else ():
        if isinstance(each, dict):
            command, args, env = each.get("command"), each.get("args"), each.get("env")
            forwarded = each.get("env_vars")
            yield Entry(
                name,
                command if isinstance(command, str) else None,
                tuple(str(word) for word in args) if isinstance(args, list) else (),
                {str(key): str(value) for key, value in env.items()} if isinstance(env, dict) else {},
                disabled=each.get("disabled") is True or each.get("enabled") is False,
                env_vars=tuple(map(str, forwarded)) if isinstance(forwarded, list) else (),
            )


def _is_brokers(entry: Entry) -> bool:
    """Whether an entry starts the broker's own server, by module, command or folder."""
    parts = (part for word in (entry.command or "", *entry.args) for part in re.split(r"[/\\]", word))
    stems = (re.split(r"[=<>@\[.]", part.lower())[0] for part in parts)
    return not entry.disabled and any(stem in {"capital_mcp", "capital-mcp"} for stem in stems)


def _is_ours(entry: Entry) -> bool:
    # Without version marks: a launcher is told `capcli@1.2` or `capcli[mcp]`.
    stems = (re.split(r"[=<>@\[]", program_of(word))[0] for word in (entry.command or "", *entry.args))
    return entry.name == OURS or OURS in stems


def program_of(path: str) -> str:
    """Return the last part of a path, Windows' included, without `.exe`."""
    return re.split(r"[/\\]", path)[-1].lower().removesuffix(".exe")
