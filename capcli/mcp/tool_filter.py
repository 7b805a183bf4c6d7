"""Which tools a server offers: all, those of some toolsets, or only those that read."""

from collections.abc import Iterable

from msgspec import Struct

from capcli.errors import UsageError
from capcli.mcp.toolset import Tool


class ToolFilter(Struct, frozen=True):
    """`--toolsets` (None for all) and `--read-only`, with which the broker refuses every change."""

    toolsets: frozenset[str] | None = None
    read_only: bool = False

    def of(self, tools: Iterable[Tool]) -> tuple[Tool, ...]:
        """Return the tools that are offered. Raises UsageError for an unknown toolset."""
        tools = tuple(tools)
        known = {tool.toolset: None for tool in tools}
        unknown = sorted((self.toolsets or frozenset()) - known.keys())
        if unknown:
            raise UsageError(
                f"--toolsets: there is no toolset {', '.join(name[:40] for name in unknown)}. "
                f"There are: {', '.join(known)}.",
                next="capcli mcp tools",
                option="--toolsets",
            )
        offered = tuple(
            tool
            for tool in tools
            if (self.toolsets is None or tool.toolset in self.toolsets)
            and not (self.read_only and tool.changes)
        )
        if not offered:
            raise UsageError(
                "Of these toolsets --read-only leaves no tool.", next="capcli mcp tools", option="--toolsets"
            )
        return offered


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
