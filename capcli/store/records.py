"""Converts rows of the journal to records and back: Decimals and times as text, so nothing is rounded."""

import json
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, get_origin

import msgspec
from msgspec.structs import fields

from capcli.domain.attempt import AttemptRecord, PreviewRecord
from capcli.domain.mandate import Mandate

R = TypeVar("R", bound=msgspec.Struct)

# Their first field is the column `id`; every other column has its field's name.
_BY_ID = frozenset({PreviewRecord, AttemptRecord, Mandate})


def stamp(at: datetime) -> str:
    """Return a time as UTC text of fixed width, so that text order is time order."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def row_of(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record by column."""
    return {column: _plain(getattr(record, name)) for name, column in columns(type(record)).items()}


def record_of(kind: type[R], row: sqlite3.Row) -> R:
    """Parse a row. Raises ValueError and msgspec.ValidationError for an invalid one."""
    values = {name: row[column] for name, column in columns(kind).items()}
    for name in _of_type(kind, tuple):
        values[name] = json.loads(values[name])
    for name in _of_type(kind, bytes):
        # An editor may have written text there; the seals detect that.
        values[name] = values[name].encode() if isinstance(values[name], str) else values[name]
    return msgspec.convert(values, kind)


def insert(kind: type[msgspec.Struct], table: str) -> str:
    """Return the INSERT statement for a row from `row_of`."""
    names = columns(kind).values()
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES (:{', :'.join(names)})"  # noqa: S608  our own names


@cache
def columns(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the column of each field."""
    first, *others = kind.__struct_fields__
    return {first: "id" if kind in _BY_ID else first} | {name: name for name in others}


@cache
def _of_type(kind: type[msgspec.Struct], wanted: type) -> list[str]:
    return [field.name for field in fields(kind) if wanted in {field.type, get_origin(field.type)}]


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return stamp(value)
        case Decimal():
            return str(value)
        case tuple():
            return json.dumps(value)
        case str():
            return broker_text(value)
    return value


def broker_text(text: str) -> str:
    # JSON can contain half a surrogate pair, SQLite cannot; an outcome must not be lost over it.
    return text.encode("utf-8", "replace").decode("utf-8")
