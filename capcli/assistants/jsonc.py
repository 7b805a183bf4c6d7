"""Edits JSON as text, comments and trailing commas included; all other bytes stay."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|[{}\[\]:,]|[^\s"{}\[\]:,/]+', re.DOTALL)
_OPEN, _CLOSE = frozenset("{["), frozenset("}]")
_INDENT = "  "
_BLANK = "\ufeff \t\r\n"


@dataclass(slots=True)
class _Member:
    key: str
    key_at: int
    value_at: int = -1
    value_end: int = -1
    comma: int | None = None


@dataclass(slots=True)
class _Object:
    """An object in the text: positions of its braces, its members, the end of its last value or comment."""

    opened: int
    closed: int = -1
    members: list[_Member] = field(default_factory=list)
    content_end: int = -1

    def member(self, key: str) -> _Member | None:
        """Return the member with a key; of duplicates the last, as JSON readers do."""
        return next((each for each in reversed(self.members) if each.key == key), None)


def with_entry(text: str, key: str, name: str, entry: Mapping[str, Any]) -> str:
    """Return the text with `name: entry` in the table `key`; an existing entry keeps its other fields."""
    if not text.strip(_BLANK):
        mark = text[:1] if text.startswith("\ufeff") else ""
        return f"{mark}{json.dumps({key: {name: dict(entry)}}, indent=2)}\n"
    style = _Style.of(text)
    if _opened(text).member(key) is None:
        return _added(text, _opened(text), key, {name: entry}, style)
    if _opened(text, key).member(name) is None:
        return _added(text, _opened(text, key), name, entry, style)
    for word, value in entry.items():
        text = _set(text, (key, name), word, value, style)
    return text


def without_entry(text: str, key: str, name: str) -> Iterator[str]:
    """Yield candidates for the text before the entry was added, the likeliest first."""
    for shorter in _removed(text, _opened(text, key), name):
        left = _readable(shorter, key)
        if left is not None:
            yield from _emptied(shorter, left)
        for bare in _removed(shorter, _opened(shorter), key) if left is not None and not left.members else ():
            root = _readable(bare)
            if root is not None:
                yield from _emptied(bare, root)


def _readable(text: str, *path: str) -> _Object | None:
    """Parse a text that may have been cut in a wrong place, such as after a comment."""
    try:
        return _opened(text, *path)
    except (ValueError, IndexError):
        return None


def _emptied(text: str, where: _Object) -> Iterator[str]:
    """Yield the text with an empty object written as `{}`, and unchanged."""
    if not text[where.opened + 1 : where.closed].strip():
        yield text[: where.opened + 1] + text[where.closed :]
    yield text


def _set(text: str, path: tuple[str, ...], key: str, value: Any, style: "_Style") -> str:
    """Set a field of an object; a table in it (`env`) keeps its other fields."""
    old = _opened(text, *path).member(key)
    if old is None:
        return _added(text, _opened(text, *path), key, value, style)
    if isinstance(value, Mapping) and text[old.value_at] == "{":
        for inner, each in value.items():
            text = _set(text, (*path, key), inner, each, style)
        return text
    return text[: old.value_at] + json.dumps(value) + text[old.value_end :]


class _Style(Struct, frozen=True):
    """The file's newline and one step of its indentation."""

    newline: str
    unit: str

    @classmethod
    def of(cls, text: str) -> "_Style":
        newline = "\r\n" if "\r\n" in text else "\n"
        first = next((each.key_at for each in _opened(text).members), 0)
        own = text[text.rfind("\n", 0, first) + 1 : first]
        return cls(newline, _INDENT if own.strip(" \t") or not own else own)

    def written(self, value: Any, indent: str) -> str:
        """Write an object over several lines; other values and objects of plain fields on one line."""
        if not isinstance(value, Mapping) or not value or indent.count(self.unit) > 2:  # noqa: PLR2004
            return json.dumps(value, ensure_ascii=False)
        inner = indent + self.unit
        fields = (f"{json.dumps(key)}: {self.written(each, inner)}" for key, each in value.items())
        between = f",{self.newline}{inner}"
        return f"{{{self.newline}{inner}{between.join(fields)}{self.newline}{indent}}}"


def _added(text: str, where: _Object, key: str, value: Any, style: _Style) -> str:
    """Return the text with a member added at the end of an object."""
    inside = text[where.opened + 1 : where.closed]
    outer = _indent(text, where.opened)
    indent = outer + style.unit
    if not where.members:
        member = f"{json.dumps(key)}: {style.written(value, indent)}"
        if not inside:
            new = f"{style.newline}{indent}{member}{style.newline}{outer}"
        elif "\n" in inside:
            new = f"{style.newline}{indent}{member}"
        else:
            new = f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        return text[: where.content_end] + new + text[where.content_end :]
    last = where.members[-1]
    after = "" if last.comma is None else ","
    if "\n" in text[where.opened : last.key_at] or "\n" in text[last.key_at : where.content_end]:
        indent = _indent(text, last.key_at)
        new = f"{style.newline}{indent}{json.dumps(key)}: {style.written(value, indent)}{after}"
    elif "//" in text[last.value_end : where.content_end]:
        new = f"{style.newline}{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}{after}"
    else:
        new = f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}{after}"
    comma = "," if last.comma is None else ""
    head, between = text[: last.value_end], text[last.value_end : where.content_end]
    return head + comma + between + new + text[where.content_end :]


def _removed(text: str, where: _Object, key: str) -> Iterator[str]:
    """Yield the text without a member: with the white space before it, and without touching that."""
    member = where.member(key)
    if member is None:
        return
    place = where.members.index(member)
    end = member.value_end if member.comma is None else member.comma + 1
    comma = where.members[place - 1].comma if place and member.comma is None else None
    before = len(text[: member.key_at].rstrip())
    for start in (before, member.key_at):
        head = text[:start] if comma is None else text[:comma] + text[comma + 1 : start]
        yield head + text[end:]


def _opened(text: str, *path: str) -> _Object:
    """Return the object at a path, without one the outermost. Raises ValueError if there is none."""
    for token in _TOKEN.finditer(text):
        if token.group() == "{":
            break
        if token.group()[:2] not in {"//", "/*"} and token.group() != "\ufeff":
            raise ValueError("its top is not an object")
    else:
        raise ValueError("it is empty")
    where = _object(text, token.start())
    for key in path:
        member = where.member(key)
        if member is None:
            raise ValueError(f"there is no {key}")
        where = _object(text, member.value_at)
    return where


def _object(text: str, opened: int) -> _Object:
    """Read an object's members without parsing their values."""
    if text[opened] != "{":
        raise ValueError("it is not an object")
    found, depth, is_key = _Object(opened, content_end=opened + 1), 0, True
    for token in _TOKEN.finditer(text, opened):
        word, at = token.group(), token.start()
        depth -= word in _CLOSE
        if not depth and at > opened:
            found.closed = at
            return found
        is_own = depth == 1 and word[:2] not in {"//", "/*"}
        if is_own and word in {",", ":"}:
            is_key = word == ","
            if is_key:
                found.members[-1].comma = at
        elif is_own and is_key:
            found.members.append(_Member(json.loads(word), at))
        elif is_own:
            member = found.members[-1]
            member.value_at = at if member.value_at < 0 else member.value_at
            member.value_end = token.end()
        depth += word in _OPEN
        if at > opened:
            found.content_end = token.end()
    raise ValueError("it does not end")


def _indent(text: str, at: int) -> str:
    """Return the indentation of the line at a position."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]
