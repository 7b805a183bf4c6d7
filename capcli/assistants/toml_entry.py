"""Adds our table at the end of a TOML file, updates and removes it; all other bytes stay."""

import tomllib
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any


def with_entry(text: str, key: str, name: str, entry: Mapping[str, Any]) -> str:
    """Return the text with the table `key.name`; an existing one keeps its other fields."""
    import tomlkit

    if name in tomllib.loads(text).get(key, {}):
        document = _document(text)
        _merge(document[key][name], entry)
        return tomlkit.dumps(document)
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text.strip() else newline if text.endswith("\n") else newline * 2
    return text + gap + tomlkit.dumps({key: {name: dict(entry)}}).replace("\n", newline)


def without_entry(text: str, key: str, name: str) -> Iterator[str]:
    """Yield candidates for the text before the entry was added, the likeliest first.

    Raises ValueError for an entry that does not stand in one place.
    """
    import tomlkit

    document = _document(text)
    del document[key][name]
    rest = tomlkit.dumps(document)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(text, rest, strict=False))
    start = text.rfind("\n", 0, sum(1 for _ in alike)) + 1
    end = start + len(text) - len(rest)
    if text[:start] + text[end:] != rest:
        raise ValueError("it stands in several places")
    # Comments above the next table belong to that one.
    lines = text[start:end].splitlines(keepends=True)
    while end < len(text) and len(lines) > 1 and lines[-1].lstrip()[:1] == "#":
        end -= len(lines.pop())
    before, after = text[:start], text[end:]
    if not after.strip():
        newline = "\r\n" if "\r\n" in text else "\n"
        yield from (before.removesuffix(newline * fewer) for fewer in (1, 2))
    yield before + after


def _document(text: str) -> Any:
    """Parse for editing. Raises ValueError for a layout that would not be written back unchanged."""
    import tomlkit

    document = tomlkit.parse(text)
    if tomlkit.dumps(document) != text:
        raise ValueError("its layout cannot be kept")
    return document


def _merge(table: Any, entry: Mapping[str, Any]) -> None:
    for word, value in entry.items():
        if isinstance(value, Mapping) and word in table:
            _merge(table[word], value)
        elif word not in table or table[word] != value:
            table[word] = value
