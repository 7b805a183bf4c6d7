"""Removes the user's data from the broker's answers: the form stays, names and amounts go.

An allow-list: a text stays only if the vocabulary has it; every other is replaced by its kind and length, or
drawn anew in the same form, so that programs can still read it.
"""

import json
import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from random import Random
from typing import Any

_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ID = re.compile(rf"([a-z]_)?({_UUID}|[0-9a-fA-F]{{16,}}|\d{{6,}})")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_NUMBER = re.compile(r"([+-]?)(\d+)(\.\d+)?([eE][+-]?\d+)?")
_HOURS = re.compile(r"\d\d:\d\d - \d\d:\d\d")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_MARK = re.compile(r"<([a-z -]+) \d+(?: #\d+)?>")
_EPOCH_DIGITS = 12
# Kinds of text, the first match counts; the default is `text`.
_KINDS = (
    ("empty", re.compile("")),
    ("number as text", _NUMBER),
    ("hours", _HOURS),
    ("url", re.compile(r"[a-z]+://\S+")),
    ("page", re.compile(r"\s*<.*", re.DOTALL)),
    ("currency with a d", re.compile(r"[A-Z]{3}d")),
    ("word", re.compile(r"[A-Z][A-Z0-9_]*")),
    ("code", re.compile(r"error\.\S+")),
)


class Lexeme(str):
    """A number exactly as written: `2.0` and `2`, `-9.0E-4`, `NaN`."""

    __slots__ = ()


def parse(text: str) -> Any:
    """Read JSON and keep how each number is written. Raises ValueError."""
    return json.loads(text, parse_float=Lexeme, parse_int=Lexeme, parse_constant=Lexeme)


def written(value: Any) -> str:
    """Write a value from `parse` back."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return str(value) if isinstance(value, Lexeme) else json.dumps(value)


def kind_of(text: str) -> str:
    """Return the kind of a text, which the mask keeps."""
    if found := _TIME.fullmatch(text):
        _, between, _, fraction, zone = found.groups()
        digits = f", {len(fraction) - 1} digits" if fraction else ""
        return f"time with {between!r}{digits}{', a zone' if zone else ''}"
    if found := _ID.fullmatch(text):
        return f"{found[1] or ''}id{' of digits' if found[2].isdigit() else ''}"
    mark = _MARK.fullmatch(text)
    return mark[1] if mark else next((kind for kind, form in _KINDS if form.fullmatch(text)), "text")


class Mask:
    """Replaces the user's data; equal ids stay equal.

    `words` and field `names` stay; `random` draws the rest and the shift of all times.
    """

    def __init__(self, words: Collection[str], names: Collection[str], random: Random) -> None:
        self._words = frozenset(words)
        self._names = frozenset(names)
        self._parts = frozenset(part for name in names for part in _parts(name))
        self._random = random
        self._ids: dict[str, str] = {}
        self._shift = timedelta(days=-random.randint(1000, 3000), seconds=-random.randint(0, 86_399))

    def value(self, value: Any, name: str = "") -> Any:
        """Return a parsed answer, masked. `name` is its field."""
        if isinstance(value, dict):
            masked: dict[str, Any] = {}
            for key, item in value.items():
                alias = self._name(key)
                alias = alias if alias not in masked else f"{alias[:-1]} #{len(masked)}>"
                masked[alias] = self.value(item, key)
            return masked
        if isinstance(value, list):
            return [self.value(item, name) for item in value]
        if isinstance(value, Lexeme):
            if len(value) > _EPOCH_DIGITS and value.isdigit() and "time" in name.lower():
                return Lexeme(int(value) + int(self._shift / timedelta(milliseconds=1)))
            return Lexeme(self._drawn(value))
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Return a text, masked."""
        if not text or text in self._words:
            return text
        if found := _TIME.fullmatch(text):
            return self._time(*found.groups(), text=text)
        if _ID.fullmatch(text):
            return self._id(text)
        if _NUMBER.fullmatch(text):
            return self._drawn(text)
        if _HOURS.fullmatch(text):
            hours = (f"{self._random.randint(0, 23):02}:{self._random.randint(0, 59):02}" for _ in range(2))
            return " - ".join(hours)
        return f"<{kind_of(text)} {len(text)}>"

    def _name(self, name: str) -> str:
        """Keep a known field name, or a new one made of known words."""
        parts = _parts(name)
        if name in self._names or name in self._words or (parts and "".join(parts) == name.lower()):
            known = name in self._names or name in self._words or self._parts.issuperset(parts)
            return name if known else f"<name {len(name)}>"
        return self.text(name) if _ID.fullmatch(name) else f"<name {len(name)}>"

    def _drawn(self, number: str) -> str:
        """Draw a random number of the same form: sign, digits before and after the point, exponent."""
        found = _NUMBER.fullmatch(number)
        if found is None:
            return number
        sign, whole, fraction, exponent = found.groups()
        if not f"{whole}{fraction or ''}".strip("0."):
            return number
        while True:
            first = whole[0] if whole == "0" else str(self._random.randint(1, 9))
            drawn = first + self._digits(len(whole) - 1)
            tail = "." + self._digits(len(fraction) - 1) if fraction and fraction.strip(".0") else fraction
            again = f"{sign}{drawn}{tail or ''}{exponent or ''}"
            if again != number:
                return again

    def _digits(self, count: int) -> str:
        return "".join(str(self._random.randint(0, 9)) for _ in range(count))

    def _id(self, text: str) -> str:
        prefix = text[:2] if text[1] == "_" else ""
        bare = text[len(prefix) :]
        if bare not in self._ids:
            digits = "0123456789" if bare.isdigit() else "0123456789abcdef"
            self._ids[bare] = "".join(one if one == "-" else self._random.choice(digits) for one in bare)
        return prefix + self._ids[bare]

    def _time(self, *parts: str | None, text: str) -> str:
        day, between, clock, fraction, zone = parts
        try:
            at = datetime.fromisoformat(f"{day}T{clock}") + self._shift
        except (ValueError, OverflowError):
            return f"<impossible time {len(text)}>"
        drawn = f".{self._digits(len(fraction) - 1)}" if fraction else ""
        return f"{at:%Y-%m-%d}{between}{at:%H:%M:%S}{drawn}{zone or ''}"


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _CAMEL.findall(name)]


def forms(value: Any, note: Callable[[str, str], None], where: str = "") -> None:
    """Call `note` with each place of a parsed answer and the form of its value."""
    if isinstance(value, dict):
        note(where, "object")
        for name, item in value.items():
            forms(item, note, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        note(where, "list")
        for item in value:
            forms(item, note, f"{where}[]")
    else:
        form = "null" if value is None else "true or false"
        if isinstance(value, Lexeme):
            number = "number with an exponent" if "e" in value.lower() else "number"
            form = number if _NUMBER.fullmatch(value) else "no number"
        elif isinstance(value, str):
            form = kind_of(value)
        note(where, form)
