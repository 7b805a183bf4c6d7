"""The tools as a client would list them, without a server process and without settings."""

import json
import re
from typing import Any

from capcli.app import App
from capcli.mcp.server import tools
from capcli.mcp.tool_filter import ToolFilter, changes, toolset
from capcli.mcp.tool_runner import ToolRunner

_COMMAND = re.compile(r" *Same as: (capcli .+)$")


def listed(offer: ToolFilter) -> list[dict[str, Any]]:
    """Return name, command, toolset and bytes on the wire of every tool that is offered.

    `asks`: it needs confirm=true, and with CAP_APPROVAL=human a person instead.

    Raises UsageError for an unknown toolset.
    """
    return [_row(tool) for tool in offer.of(tools(ToolRunner(App.build)))]


def _row(tool: Any) -> dict[str, Any]:
    wire = tool.to_mcp_tool().model_dump(mode="json", by_alias=True, exclude_none=True)
    about = tool.description or ""
    command = _COMMAND.search(about)
    return {
        "name": tool.name,
        "toolset": toolset(tool),
        "changes": changes(tool),
        "asks": "confirm" in tool.parameters.get("properties", {}),
        "command": command[1] if command else None,
        "bytes": _size(wire),
        "bytes_without_output": _size({key: part for key, part in wire.items() if key != "outputSchema"}),
        "description": _COMMAND.sub("", about),
    }


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
