"""The versioned JSON envelope. Numbers keep the digits of their Decimal; times are UTC with `Z`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from capcli.errors import Problem
from capcli.render.fields import pick
from capcli.reply import Reply

SCHEMA = "capcli/1"


def plain(value: Any) -> Any:  # noqa: PLR0911  one form a line
    """Turn a result into dicts, lists, text, bools and Decimals."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, float):
        # Such as seconds of a wait: money and prices are always Decimals.
        return Decimal(repr(value))
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | frozenset | set):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def instant(at: datetime) -> str:
    """Write an instant as ISO 8601 UTC with `Z`; fractions only where there are any."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="auto")
    return f"{text}Z"


def heading(command: str, env: str | None, account_id: str | None, *, ok: bool = True) -> dict[str, Any]:
    """Return the common beginning of every document."""
    return {"ok": ok, "schema": SCHEMA, "command": command, "env": env, "account_id": account_id}


def error_document(problem: Problem) -> dict[str, Any]:
    """Return a problem for the `error` field."""
    return {
        "code": problem.code,
        "message": problem.message,
        "next": problem.next,
        "retry_safe": problem.retry_safe,
        "details": plain(problem.details),
    }


def document(
    command: str, env: str | None, reply: Reply[Any], *, only: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the envelope of a reply; `only` keeps these fields (see `fields.pick`)."""
    data = pick(type(reply.data), plain(reply.data), only)
    head = heading(command, env, reply.account_id, ok=reply.problem is None) | {"data": data}
    return head if reply.problem is None else head | {"error": error_document(reply.problem)}


def failure(command: str, env: str | None, problem: Problem) -> dict[str, Any]:
    """Return the envelope of a command without a result; `data` are ids, if any."""
    known = {"data": plain(problem.data)} if problem.data else {}
    head = heading(command, env, problem.account_id, ok=False)
    return head | known | {"error": error_document(problem)}


def encode(value: Any) -> bytes:
    """Write JSON with every Decimal as a number with its own digits, and text exact but escaped."""
    from msgspec.json import Encoder

    return _visible(Encoder(decimal_format="number", order=None).encode(_unscaled(value)))


def _visible(content: bytes) -> bytes:
    """Escape terminal controls and invisible characters (C1 controls, bidi marks); it parses the same."""
    if content.isascii() and b"\x7f" not in content:
        return content
    text = content.decode()
    if text.isprintable():
        return content
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text).encode()


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _unscaled(value: Any) -> Any:
    """Write exponents out (1E+2 as 100), for readability."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value
    if isinstance(value, dict):
        return {key: _unscaled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unscaled(item) for item in value]
    return value
