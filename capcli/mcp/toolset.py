"""How a tool is declared: no docstrings (they import a parser), lean metadata, honest hints."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastmcp.tools import FunctionTool, ToolResult
from mcp_types import Tool, ToolAnnotations

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
    """A tool without the library's own metadata on the wire."""

    def get_meta(self) -> dict[str, Any] | None:  # type: ignore[override]
        return None

    def to_mcp_tool(self, **overrides: Any) -> Tool:
        # The title that the library derives repeats the name.
        return super().to_mcp_tool(**{"title": None, **overrides})


def tool(
    call: Callable[..., ToolResult | Awaitable[ToolResult]],
    about: str,
    result: type,
    hints: ToolAnnotations,
    toolset: str,
    *,
    warns: bool = False,
    also: type | None = None,
) -> FunctionTool:
    """Make a tool of a method; its name is the method's.

    `warns`: an `error` can stand beside the data; `also`: what some arguments make of the result.
    """
    return Lean.from_function(
        call,
        description=about,
        annotations=hints,
        tags={toolset},
        output_schema=output_schema(result, warns=warns, also=also),
    )
