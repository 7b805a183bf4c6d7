"""An assistant: `capcli mcp serve` as a process, and what its answers say."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.faults.checker import Told
from tests.mcp.test_process import SERVE, environment
from tests.support.launched import as_own_user

EXECUTE = "cap_trade_execute_position"
_EXITS = {"MAY_BE_LIVE": 8, "IN_PROGRESS": 10, "BUSY": 10}


@asynccontextmanager
async def assistant(settings: dict[str, str], cwd: Path) -> AsyncIterator["Client[Any]"]:
    """Start a server of its own and connect to it."""
    environ = environment(Path(settings["CAPCLI_HOME"]), **rest(settings))
    transport = StdioTransport(
        sys.executable, [*as_own_user(), *SERVE], env=environ, cwd=str(cwd), keep_alive=False
    )
    async with Client(transport, mode="auto") as client:
        yield client


def rest(settings: dict[str, str]) -> dict[str, str]:
    """Return the settings without the home."""
    return {name: value for name, value in settings.items() if name != "CAPCLI_HOME"}


async def execute(client: "Client[Any]", preview_id: str) -> Told:
    """Execute a preview and return what the assistant was told."""
    order = {"preview_id": preview_id, "confirm": True}
    result = await client.call_tool(EXECUTE, order, raise_on_error=False)
    return told(preview_id, result.structured_content or {})


def told(preview_id: str, document: dict[str, Any]) -> Told:
    """Read a tool's document; exit codes are what the command line would have ended with."""
    error = document.get("error", {})
    return Told(
        exit=_EXITS[error["code"]] if error else 0,
        sentence=document.get("sentence") or error["message"],
        preview_id=preview_id,
        attempt_id=document.get("attempt_id", ""),
        state=document.get("state", ""),
        code=error.get("code", ""),
        replayed=document.get("replayed", False),
        retry_safe=document.get("retry_safe", False),
    )
