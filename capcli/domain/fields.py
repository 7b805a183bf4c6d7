"""Builds a value from the fields of another, such as a displayed row."""

from typing import Any, TypeVar

from msgspec import Struct

K = TypeVar("K", bound=Struct)


def with_fields_of(source: object, kind: type[K], /, **facts: Any) -> K:
    """Build a value from facts and the source's fields. Raises TypeError for a field in neither."""
    names = [name for name in kind.__struct_fields__ if name not in facts and hasattr(source, name)]
    return kind(**{name: getattr(source, name) for name in names}, **facts)
