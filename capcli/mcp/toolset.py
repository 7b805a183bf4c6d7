"""How a tool is declared: no docstrings (they import a parser), lean metadata, honest hints."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastmcp.tools import FunctionTool, ToolResult
from mcp_types import ToolAnnotations

from capcli.mcp.compact import Listing
from capcli.mcp.schema import output_schema

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
SETTLES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
STORES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
# Changes what is only looked at; the same call again finds it done.
ARRANGES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
DELETES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)
# Idempotent by preview id or deal id: the same call again sends nothing. The close of a part is not, so its
# repetition within a minute is refused.
TRADES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)


class Lean(FunctionTool):
    """A tool without the library's own metadata on the wire; null is an argument that is left out."""

    def get_meta(self) -> dict[str, Any] | None:  # type: ignore[override]
        return None

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        return await super().run({name: value for name, value in arguments.items() if value is not None})


def tool(  # noqa: PLR0917  one declaration
    call: Callable[..., ToolResult | Awaitable[ToolResult]],
    title: str,
    about: str,
    result: type,
    hints: ToolAnnotations,
    toolset: str,
    *,
    warns: bool = False,
    also: type | None = None,
    rows: Listing | None = None,
    notes_paper: bool = False,
) -> FunctionTool:
    """Make a tool of a method; its name is the method's.

    `warns`: an `error` can stand beside the data; `also`: what some arguments make of the result; `rows`: how
    its list is told; `notes_paper`: whether it says so on paper.
    """
    made = Lean.from_function(
        call,
        title=title,
        description=about,
        annotations=hints,
        tags={toolset},
        output_schema=output_schema(result, warns=warns, also=also, rows=rows, notes_paper=notes_paper),
    )
    return made.model_copy(update={"parameters": _one_type(made.parameters)})


def _one_type(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an input schema in the subset that every client takes: one type each, optional by absence."""
    properties = {name: _plain(argument) for name, argument in schema.get("properties", {}).items()}
    required = {"required": schema["required"]} if schema.get("required") else {}
    return {"type": "object", "properties": properties, **required}


def _plain(argument: dict[str, Any]) -> dict[str, Any]:
    empty = argument.get("default", ...) in (None, [], "")
    return {key: value for key, value in argument.items() if key != "default" or not empty}
