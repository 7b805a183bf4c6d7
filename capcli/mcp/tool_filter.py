"""Which tools a server offers: all, those of some toolsets, or only what changes nothing at the broker."""

from collections.abc import Iterable

from fastmcp.tools import FunctionTool
from msgspec import Struct

from capcli.errors import UsageError

# They write here (a preview, a verdict, a halt) and change nothing at the broker, nor the session that the
# terminal shares. A tool that is not named and does not say that it only reads is left out: forgetting one
# must not make it pass. The broker of a read-only server refuses whatever else would change something.
_WRITES_HERE = frozenset(
    {
        "cap_halt",
        "cap_trade_preview_position",
        "cap_trade_preview_working_order",
        "cap_trade_preview_working_order_update",
        "cap_trade_propose",
        "cap_trade_reconcile",
    }
)


class ToolFilter(Struct, frozen=True):
    """What was asked for on the line: names of toolsets (None for all), and whether it must only look."""

    toolsets: frozenset[str] | None = None
    read_only: bool = False

    def of(self, tools: Iterable[FunctionTool]) -> tuple[FunctionTool, ...]:
        """Return the tools that are offered. Raises UsageError for a toolset that none has."""
        tools = tuple(tools)
        known = {toolset(tool): None for tool in tools}
        unknown = sorted((self.toolsets or frozenset()) - known.keys())
        if unknown:
            raise UsageError(
                f"--toolsets: there is no toolset {', '.join(name[:40] for name in unknown)}. "
                f"There are: {', '.join(known)}.",
                next="capcli mcp tools",
                option="--toolsets",
            )
        offered = tuple(tool for tool in tools if self._takes(tool))
        if not offered:
            raise UsageError(
                "Of these toolsets --read-only leaves no tool.", next="capcli mcp tools", option="--toolsets"
            )
        return offered

    def _takes(self, tool: FunctionTool) -> bool:
        named = self.toolsets is None or toolset(tool) in self.toolsets
        return named and not (self.read_only and changes(tool))


EVERYTHING = ToolFilter()


def read_tool_filter(toolsets: str | None, *, read_only: bool) -> ToolFilter:
    """Read `market,account`. Raises UsageError for an empty list."""
    if toolsets is None:
        return ToolFilter(read_only=read_only)
    names = {name.strip().lower().replace("_", "-") for name in toolsets.split(",")} - {""}
    if not names:
        raise UsageError(
            "--toolsets needs names such as market,account.", next="capcli mcp tools", option="--toolsets"
        )
    return ToolFilter(frozenset(names), read_only)


def toolset(tool: FunctionTool) -> str:
    """Name the toolset of a tool as it is typed."""
    return next(iter(tool.tags)).replace("_", "-")


def changes(tool: FunctionTool) -> bool:
    """Say whether a tool can change something at the broker."""
    reads = tool.annotations is not None and tool.annotations.read_only_hint is True
    return not reads and tool.name not in _WRITES_HERE
