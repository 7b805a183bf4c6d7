"""JSON schemas of the results, from their types: what `capcli schema` prints and the tools announce."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import PurePath
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]

_LEAVES: Mapping[Any, Schema] = MappingProxyType(
    {
        Any: {},
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        float: {"type": "number"},
        Decimal: {"type": "number"},
        str: {"type": "string"},
        datetime: {"type": "string", "format": "date-time"},
        date: {"type": "string", "format": "date"},
        NoneType: {"type": "null"},
    }
)


@cache
def schema_of(kind: Any) -> Schema:
    """Return the JSON schema of a type as `--json` writes it: numbers are numbers, times end in `Z`.

    Raises TypeError for a type that has no JSON form.
    """
    if kind in _LEAVES:
        return _LEAVES[kind]
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _either([schema_of(one) for one in inside])
    if origin is Literal:
        return _words([one.value if isinstance(one, Enum) else one for one in inside])
    if isinstance(origin, type):
        if issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": schema_of(inside[1])}
        return {"type": "array", "items": schema_of(inside[0])}
    return _of_class(kind)


def _of_class(kind: type) -> Schema:
    if issubclass(kind, Enum):
        return _words([one.value for one in kind])
    if issubclass(kind, PurePath):
        return {"type": "string"}
    names = getattr(kind, "__struct_fields__", None)
    if names is None:
        raise TypeError(f"{kind.__name__} has no JSON form")
    hints = get_type_hints(kind)
    return {
        "type": "object",
        "properties": {name: schema_of(hints[name]) for name in names},
        "required": [*names],
    }


def _words(values: list[Any]) -> Schema:
    return {"type": "string" if isinstance(values[0], str) else "integer", "enum": values}


def _either(options: list[Schema]) -> Schema:
    """Write "this or null" in one schema."""
    kinds = [option for option in options if option != {"type": "null"}]
    if len(kinds) == 1 and "type" in kinds[0]:
        only = kinds[0]
        enum = {"enum": [*only["enum"], None]} if "enum" in only else {}
        return {**only, **enum, "type": [only["type"], "null"]}
    return {"anyOf": options}
