"""Field selection for `--fields`: the keys of a result's rows, dotted for nested ones."""

from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from capcli.errors import UsageError


def rows_key(kind: Any) -> str | None:
    """Return the field with a result type's rows; a preview's checks are not rows."""
    if "preview_id" in kind.__struct_fields__:
        return None
    return next((name for name, hint in get_type_hints(kind).items() if _row_type(hint)), None)


def field_names(kind: Any) -> tuple[str, ...]:
    """Return the keys of the rows, else of the result itself."""
    return tuple(_body(kind).__struct_fields__)


def check_fields(kind: Any, only: Iterable[str], option: str = "--fields") -> None:
    """Raise UsageError for a field that a result type lacks. Called before anything is sent."""
    missing = [name for name in only if not (_is_in(_body(kind), name) or _is_in(kind, name))]
    if missing:
        known = ", ".join(field_names(kind))
        raise UsageError(f"{option}: there is no field {', '.join(missing)}; there are: {known}.")


def pick(kind: Any, data: dict[str, Any], only: Sequence[str]) -> dict[str, Any]:
    """Return the data of a result with these fields of each row, in this order.

    The rest stays, unless a field of it is named too. Without rows the fields are the result's own.
    """
    if not only:
        return data
    key = rows_key(kind)
    if key is None:
        return dict(narrowed(next(iter(data.values())) if _wrapped(kind) else data, only))
    ours = [name for name in only if _is_in(_body(kind), name)]
    others = [name for name in only if name not in ours]
    rows = {key: [narrowed(row, ours) for row in data[key]]} if ours else {}
    return (narrowed(data, others) if others else data) | rows


def narrowed(value: Any, only: Iterable[str]) -> Any:
    """Return a value with only these nested members; of a list each item."""
    if isinstance(value, list):
        return [narrowed(item, only) for item in value]
    if not isinstance(value, dict):
        return value
    inner: dict[str, list[str]] = {}
    for name in only:
        head, _, rest = name.partition(".")
        inner.setdefault(head, []).append(rest)
    return {
        head: value.get(head) if "" in rests else narrowed(value.get(head), rests)
        for head, rests in inner.items()
    }


def value_at(row: Any, name: str) -> Any:
    """Return the value of a dotted name, in a list that of each item; None if missing."""
    for part in name.split("."):
        if isinstance(row, list):
            row = [value_at(item, part) for item in row]
        elif isinstance(row, dict):
            row = row.get(part)
        else:
            return None
    return row


def _body(kind: Any) -> Any:
    key = rows_key(kind)
    return _row_type(get_type_hints(kind)[key]) if key else _wrapped(kind) or kind


def _is_in(kind: Any, name: str) -> bool:
    for part in name.split("."):
        kind = _member(kind, part)
        if kind is None:
            return False
    return True


def _member(hint: Any, name: str) -> Any:
    """Return the type of a member, None if there is none of that name."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return next((found for kind in get_args(hint) if (found := _member(kind, name))), None)
    if hint is Any or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return Any
    if origin is tuple:
        return _member(get_args(hint)[0], name)
    return get_type_hints(hint).get(name) if _is_struct(hint) else None


def _row_type(hint: Any) -> Any:
    """Return the type in a `tuple[Row, ...]`."""
    inside = get_args(hint)
    return inside[0] if get_origin(hint) is tuple and _is_struct(inside[0]) else None


def _wrapped(kind: Any) -> Any:
    """Return the type of a result that only wraps one object (`market`)."""
    (first, *more) = get_type_hints(kind).values()
    return first if _is_struct(first) and not more else None


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Struct)
