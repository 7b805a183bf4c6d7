"""Output schemas from the result dataclasses, and results as JSON values that fit them."""

from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from capcli.domain.attempt import PreviewState

Schema = dict[str, Any]

_NAMES = {"env": {"type": ["string", "null"]}, "account_id": {"type": ["string", "null"]}}
# Every key is always there, so `required` would only repeat the names: a third of what an assistant reads.
_NOISE = frozenset({"title", "description", "default", "format", "required", "$defs"})
# Longer lists of words (the names of the checks) grow with every version.
_CLOSED_SET = 12


class _Numbers(GenerateJsonSchema):
    def decimal_schema(self, schema: Any) -> Schema:  # noqa: ARG002
        return {"type": "number"}


def output_schema(result: type, *, warns: bool = False, also: type | None = None) -> Schema:
    """Describe a result dataclass beside `env` and `account_id`; `warns`: an `error` can stand beside it.

    `also` is a second result that the tool can have; the keys of both stand side by side.
    """
    schema = _described(result)
    more = _described(also)["properties"] if also is not None else {}
    error: Schema = {"error": {"type": "object"}} if warns else {}
    properties = {**schema["properties"], **more, **error, **_NAMES}
    if also is not None and (named := properties.get("preview_id")) is not None:
        # The dry run of a whole close names no preview, that of a part does.
        properties["preview_id"] = _nullable([named, {"type": "null"}])
    state = properties.get("state", {})
    if "preview_id" in properties and "enum" in state:
        # After a refusal the state is that of the preview, and some clients hold errors to the schema, too.
        either = [*dict.fromkeys([*state["enum"], *(each.value for each in PreviewState)])]
        properties["state"] = {**state, "enum": either}
    return {**schema, "properties": properties}


@cache
def _described(result: type) -> Schema:
    found = TypeAdapter(result).json_schema(mode="serialization", schema_generator=_Numbers)
    schema: Schema = _lean(found, found.get("$defs", {}))
    return schema


def _lean(node: Any, defs: Schema) -> Any:
    """Put references in place and drop what only repeats the names."""
    if isinstance(node, list):
        return [_lean(item, defs) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _lean(defs[node["$ref"].rsplit("/", 1)[1]], defs)
    if "anyOf" in node:
        return _nullable(_lean(node["anyOf"], defs))
    if "enum" in node:
        return {"enum": node["enum"]} if len(node["enum"]) <= _CLOSED_SET else {"type": "string"}
    lean = {key: _lean(value, defs) for key, value in node.items() if key not in _NOISE}
    if "properties" in node:
        lean["properties"] = {name: _lean(item, defs) for name, item in node["properties"].items()}
    return lean


def _nullable(options: list[Schema]) -> Schema:
    """Write "this or null" in one schema."""
    kinds = [option for option in options if option != {"type": "null"}]
    if len(kinds) != 1 or len(kinds) == len(options):
        return {"anyOf": options}
    only = kinds[0]
    if "enum" in only:
        return {"enum": [*only["enum"], None]}
    return {**only, "type": [only["type"], "null"]}


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
    """Return the int or float that is written with the Decimal's digits (exact up to 15 of them)."""
    whole = int(value)
    return whole if whole == value else float(value)
