"""Edits TOML as text: our table is added at the end and taken out again, and every other byte stays."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]|\n', re.DOTALL
)


def with_entry(text: str, key: str, name: str, entry: Mapping[str, Any]) -> str:
    """Return the text with `[key.name]`; of a table that is there only these fields are set."""
    if name in tomllib.loads(text).get(key, {}):
        return _updated(text, key, name, entry)
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text.strip() else newline if text.endswith("\n") else newline * 2
    return text + gap + newline.join([*_lines(f"{key}.{name}", entry), ""])


def without_entry(text: str, key: str, name: str) -> Iterator[str]:
    """Yield what the text may have been before the table was added, the likeliest first."""
    spans = list(_spans(text, [key, name]))
    if not spans:
        yield _dropped(text, key, name)
        return
    rest = text
    for start, end in reversed(spans):
        rest = rest[:start] + rest[end:]
    if not rest[spans[0][0] :].strip():
        before = rest[: spans[0][0]]
        for fewer in (1, 2, 0):
            yield _without_newlines(before, fewer)
    yield rest


def _without_newlines(text: str, count: int) -> str:
    for _ in range(count):
        text = text.removesuffix("\n").removesuffix("\r")
    return text


def _lines(path: str, entry: Mapping[str, Any]) -> list[str]:
    plain = [f"{key} = {_literal(value)}" for key, value in entry.items() if not isinstance(value, Mapping)]
    tables = [
        line
        for key, value in entry.items()
        if isinstance(value, Mapping)
        for line in ("", *_lines(f"{path}.{key}", value))
    ]
    return [f"[{path}]", *plain, *tables]


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _spans(text: str, path: list[str]) -> Iterator[tuple[int, int]]:
    """Yield from where to where a table and the tables inside it stand."""
    headers = [*_headers(text), (len(text), [])]
    for (start, found), (end, _) in pairwise(headers):
        if found[: len(path)] == path:
            yield start, end if end == len(text) else _last_line(text, start, end)


def _last_line(text: str, start: int, end: int) -> int:
    """Return where the lines of a table end: the comments above the next header are the next table's."""
    lines = text[start:end].splitlines(keepends=True)
    while len(lines) > 1 and lines[-1].lstrip()[:1] == "#":
        end -= len(lines.pop())
    return end


def _headers(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield where each `[table]` begins, and its path; brackets in strings and arrays are none."""
    depth, line = 0, 0
    header_end = -1
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word == "\n":
            line = token.end()
        elif token.start() < header_end:
            continue
        elif word == "[" and not depth and not text[line : token.start()].strip():
            header_end = len(text[:line]) + len(text[line:].partition("\n")[0])
            yield line, _path(text[line:header_end].rstrip("\r"))
        elif word in "[{":
            depth += 1
        elif word in "]}":
            depth -= 1


def _path(header: str) -> list[str]:
    found: list[str] = []
    node: Any = tomllib.loads(header)
    while isinstance(node, dict | list) and node:
        if isinstance(node, list):
            node = node[0]
        else:
            ((name, node),) = node.items()
            found.append(name)
    return found


def _updated(text: str, key: str, name: str, entry: Mapping[str, Any]) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    _check_kept(document, text)
    _merge(document[key][name], entry)
    return tomlkit.dumps(document)


def _merge(table: Any, entry: Mapping[str, Any]) -> None:
    for word, value in entry.items():
        if isinstance(value, Mapping) and word in table:
            _merge(table[word], value)
        elif word not in table or table[word] != value:
            table[word] = value


def _dropped(text: str, key: str, name: str) -> str:
    """Take out an entry that is no table of its own."""
    import tomlkit

    document = tomlkit.parse(text)
    _check_kept(document, text)
    del document[key][name]
    return tomlkit.dumps(document)


def _check_kept(document: Any, text: str) -> None:
    """Raise ValueError for a layout that the library would not write as it read it."""
    import tomlkit

    if tomlkit.dumps(document) != text:
        raise ValueError("its layout cannot be kept")
