"""The versioned JSON envelope. Numbers keep the digits of their Decimal; times are UTC with `Z`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from capcli.errors import Problem, UsageError
from capcli.services.reply import Reply

SCHEMA = "capcli/1"


def plain(value: Any) -> Any:
    """Turn a result into dicts, lists, text, bools and Decimals."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, datetime):
        return instant(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | frozenset | set):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def instant(at: datetime) -> str:
    """Write an instant as ISO 8601 UTC with `Z`; fractions only where there are any."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="auto")
    return f"{text}Z"


def error_document(problem: Problem) -> dict[str, Any]:
    """Return a problem as it stands under `error`."""
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
    """Return the envelope of a reply; `only` keeps these keys of each row. Raises UsageError."""
    envelope: dict[str, Any] = {
        "ok": reply.problem is None,
        "schema": SCHEMA,
        "command": command,
        "env": env,
        "account_id": reply.account_id,
        "data": pick(plain(reply.data), only),
    }
    if reply.problem is not None:
        envelope["error"] = error_document(reply.problem)
    return envelope


def failure(command: str, env: str | None, problem: Problem) -> dict[str, Any]:
    """Return the envelope of a command that was stopped before it had a result."""
    return {
        "ok": False,
        "schema": SCHEMA,
        "command": command,
        "env": env,
        "account_id": None,
        "error": error_document(problem),
    }


def rows_key(data: Mapping[str, Any]) -> str | None:
    """Name the key that holds the rows of a result: its first list of objects."""
    for key, value in data.items():
        if isinstance(value, list) and (not value or isinstance(value[0], dict)):
            return key
    return None


def pick(data: dict[str, Any], only: tuple[str, ...]) -> dict[str, Any]:
    """Keep these keys of each row, in this order (of the result itself when it has no rows).

    Raises UsageError that lists the keys there are.
    """
    if not only:
        return data
    key = rows_key(data)
    rows = [data] if key is None else data[key]
    known = rows[0].keys() if rows else ()
    missing = [name for name in only if rows and name not in known]
    if missing:
        raise UsageError(f"No field {', '.join(missing)}; there are: {', '.join(known)}.")
    kept = [{name: row[name] for name in only} for row in rows]
    return kept[0] if key is None else {**data, key: kept}


def encode(value: Any) -> bytes:
    """Write JSON with every Decimal as a number with its own digits."""
    from msgspec.json import Encoder

    return Encoder(decimal_format="number", order=None).encode(_unscaled(value))


def _unscaled(value: Any) -> Any:
    """Write exponents out (1E+2 as 100): valid either way, but nobody wants to read one."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value
    if isinstance(value, dict):
        return {key: _unscaled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unscaled(item) for item in value]
    return value
