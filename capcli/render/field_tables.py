"""Tables of rows' fields: for `--fields`, and for lists without a view."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from capcli.render.blocks import Cell, Column, Table
from capcli.render.envelope import instant
from capcli.render.fields import value_at


def fields_table(rows: Sequence[dict[str, Any]], names: tuple[str, ...]) -> Table:
    """Return fields of rows as a table under their own names."""
    return Table(
        tuple(Column(name, right=any(_is_number(field_of(row, name)) for row in rows)) for name in names),
        tuple(tuple(Cell(cell_text(field_of(row, name))) for name in names) for row in rows),
    )


def cell_text(value: Any) -> str:
    """Write a plain value of a result for a cell or a CSV field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list | dict):
        return ",".join(cell_text(item) for item in value)
    return instant(value) if hasattr(value, "astimezone") else str(value)


def field_of(row: Mapping[str, Any], name: str) -> Any:
    return value_at(row, name) if "." in name else row[name]


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal | int) and not isinstance(value, bool)
