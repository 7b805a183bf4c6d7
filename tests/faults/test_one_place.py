"""A halt typed into a shell stops a server that a desktop program started with nothing but HOME and PATH."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from capcli import system
from tests.support.launched import program

pytestmark = [
    pytest.mark.faults,
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="the launcher is a shell script"),
]

XDG = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
SHELLS: dict[str, tuple[str, ...]] = {
    "bare": (),
    "CAPCLI_HOME": ("CAPCLI_HOME",),
    "XDG_STATE_HOME": ("XDG_STATE_HOME",),
    "every XDG variable": XDG,
    "both": ("CAPCLI_HOME", *XDG),
}
SILVER = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.5}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """What `env -i HOME=… PATH=…` leaves."""
    home = system.system_home()
    assert home is not None
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join((str(program(tmp_path / "bin").parent), "/usr/bin", "/bin")),
    }


def typed(environ: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    command = ["capcli", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


@asynccontextmanager
async def server(environ: dict[str, str]) -> AsyncIterator["Client[Any]"]:
    capcli = str(Path(environ["PATH"].partition(os.pathsep)[0]) / "capcli")
    transport = StdioTransport(capcli, ["mcp", "serve"], env=environ, keep_alive=False)
    async with Client(transport, mode="auto") as client:
        yield client


async def call(client: "Client[Any]", tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    found: dict[str, Any] = result.structured_content or {}
    return found


@pytest.mark.parametrize("desktop", ["bare", "CAPCLI_HOME"])
@pytest.mark.parametrize("shell", SHELLS)
async def test_a_halt_typed_anywhere_refuses_the_order_of_a_server_from_the_desktop(
    shell: str, desktop: str, bare: dict[str, str], tmp_path: Path
) -> None:
    typing = bare | {name: str(tmp_path / "shell" / name) for name in SHELLS[shell]}
    starting = bare | {name: str(tmp_path / "desktop" / name) for name in SHELLS[desktop]}
    async with server(starting) as client:
        shown = await call(client, "cap_trade_preview_position", **SILVER)
        order = {"preview_id": shown["preview_id"], "confirm": True}

        typed(typing, "halt", "--reason", "stop it")
        refused = await call(client, "cap_trade_execute_position", **order)

        assert (refused["error"]["code"], refused["error"]["details"]["reason"]) == ("HALTED", "stop it")
        assert (await call(client, "cap_trade_positions_list"))["positions"] == []

        typed(typing, "resume", "--confirm")
        assert (await call(client, "cap_trade_execute_position", **order))["state"] == "LANDED"
