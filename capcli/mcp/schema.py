"""Output schemas of the tools, and results as JSON values that fit them."""

from decimal import Decimal
from typing import Any

from capcli.domain.attempt import PreviewState
from capcli.mcp.compact import Listing
from capcli.render.schema import Schema, schema_of

_NAMES = {"env": {"type": "string"}, "account_id": {"type": "string"}}
# Longer lists of words (the names of the checks) grow with every version.
_CLOSED_SET = 12
_NOISE = frozenset({"required", "format"})
_TABLE = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array"}},
    },
}


def output_schema(
    result: type,
    *,
    warns: bool = False,
    also: type | None = None,
    rows: Listing | None = None,
    notes_paper: bool = False,
) -> Schema:
    """Describe a result beside `env` and `account_id`; `warns`: an `error` can accompany it.

    `also` is a second result that the tool can have; the keys of both stand side by side. `rows`: how its
    list is told. `notes_paper`: on paper a `notice` says so. Nothing is required: what is absent is left out.
    """
    more = _lean(schema_of(also))["properties"] if also is not None else {}
    error: Schema = {"error": {"type": "object"}} if warns else {}
    properties = {**_lean(schema_of(result))["properties"], **more, **error, **_NAMES}
    if notes_paper:
        properties = {"notice": {"type": "string"}, **properties}
    if rows is not None:
        properties |= {"cursor": {"type": "string"}, "left": {"type": "integer"}}
        if rows.in_columns:
            properties[rows.key] = _TABLE
    state = properties.get("state", {})
    if "preview_id" in properties and "enum" in state:
        # After a refusal the state is the preview's, and some clients validate errors with the schema, too.
        either = [*dict.fromkeys([*state["enum"], *(each.value for each in PreviewState)])]
        properties["state"] = {**state, "enum": either}
    return {"type": "object", "properties": properties}


def _lean(node: Any) -> Any:
    """Drop null types, required names and formats: an absent value is left out."""
    if isinstance(node, list):
        return [_lean(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "enum" in node:
        words = [word for word in node["enum"] if word is not None]
        return {"type": "string", "enum": words} if len(words) <= _CLOSED_SET else {"type": "string"}
    if "properties" in node:
        return {
            "type": "object",
            "properties": {name: _lean(item) for name, item in node["properties"].items()},
        }
    lean = {key: _lean(value) for key, value in node.items() if key not in _NOISE}
    kinds = lean.get("type")
    return (
        {**lean, "type": next(kind for kind in kinds if kind != "null")} if isinstance(kinds, list) else lean
    )


def numbers(value: Any) -> Any:
    """Return a plain result with its Decimals as JSON numbers of the same digits."""
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return value


def number(value: Decimal) -> int | float:
    """Return the int or float with the Decimal's digits (exact up to 15)."""
    whole = int(value)
    return whole if whole == value else float(value)
