"""Values that repeat the fields of another one, such as a row that is shown."""

from typing import Any, TypeVar

from msgspec import Struct

K = TypeVar("K", bound=Struct)


def with_fields_of(source: object, kind: type[K], /, **facts: Any) -> K:
    """Return a value of a kind from facts and the source's fields. Raises TypeError for one in neither."""
    names = [name for name in kind.__struct_fields__ if name not in facts and hasattr(source, name)]
    return kind(**{name: getattr(source, name) for name in names}, **facts)
