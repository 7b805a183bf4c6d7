"""The tools as a client would list them, without a server process and without settings."""

import json
from typing import Any

from capcli.app import App
from capcli.mcp.server import tools
from capcli.mcp.tool_filter import ToolFilter
from capcli.mcp.tool_runner import ToolRunner


def listed(offer: ToolFilter) -> list[dict[str, Any]]:
    """Return name, command, toolset and bytes on the wire of every tool that is offered.

    Raises UsageError for an unknown toolset.
    """
    rows = []
    for tool in offer.of(tools(ToolRunner(App.build))):
        wire = tool.to_mcp_tool().model_dump(mode="json", by_alias=True, exclude_none=True)
        without_output = {key: part for key, part in wire.items() if key != "outputSchema"}
        rows.append(
            {
                "name": tool.name,
                "toolset": tool.toolset,
                "changes": tool.changes,
                "asks": tool.asks,
                "command": tool.command,
                "bytes": _size(wire),
                "bytes_without_output": _size(without_output),
                "description": tool.about,
            }
        )
    return rows


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
