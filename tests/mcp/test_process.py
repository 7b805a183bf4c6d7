"""The server as a client starts it: a process whose stdout carries the protocol and nothing else."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from capcli.app import App
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH, tool_count

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
CODE = (
    "from capcli.runtime import Options; from capcli.mcp.server import main; "
    "raise SystemExit(main(Options()))"
)
SERVE = ["-m", "capcli", "mcp", "serve"] if find_spec("capcli.cli.mcp") else ["-c", CODE]


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"CAPCLI_HOME": str(home), "PYTHONPATH": IMPORT_PATH, "PATH": os.environ["PATH"], **more}


@contextmanager
def started(home: Path, cwd: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *as_own_user(), *options.pop("code", SERVE)],
        stdin=options.pop("stdin", subprocess.PIPE),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home, **options),
        cwd=cwd,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def greet(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    client = {"name": "test", "version": "1"}
    parameters = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    say(process, {"id": 1, "method": "initialize", "params": parameters})
    answer = hear(process)
    say(process, {"method": "notifications/initialized"})
    return answer


@pytest.mark.faults
async def test_a_real_client_trades_over_stdio(own_home: Path, tmp_path: Path) -> None:
    transport = StdioTransport(
        sys.executable,
        [*as_own_user(), *SERVE],
        env=environment(own_home),
        cwd=str(tmp_path),
        keep_alive=False,
    )
    async with Client(transport, mode="auto") as client:
        silver = {"epic": "SILVER", "direction": "BUY", "size": "1.5", "stop_level": 24.5}
        preview = (await client.call_tool("cap_trade_preview_position", silver)).structured_content
        order = {"preview_id": preview["preview_id"], "confirm": True}
        sent = (await client.call_tool("cap_trade_execute_position", order)).structured_content
        assert (sent["state"], sent["env"]) == ("LANDED", "paper")
        shut = {"deal_id": sent["deal_id"], "confirm": True}
        await client.call_tool("cap_trade_positions_close", shut)


@pytest.mark.faults
def test_stdout_carries_only_the_protocol_and_a_dotenv_is_not_read(own_home: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FASTMCP_TRANSPORT=http\nFASTMCP_PORT=1\nCAP_ENV=live\n")
    with started(own_home, tmp_path, FASTMCP_TRANSPORT="http", FASTMCP_LOG_LEVEL="nonsense") as process:
        assert greet(process)["result"]["serverInfo"]["name"] == "capcli"
        say(process, {"id": 2, "method": "tools/call", "params": {"name": "cap_health", "arguments": {}}})
        answer = hear(process)
        out, err = process.communicate(timeout=20)

    assert answer["result"]["structuredContent"]["env"] == "paper"
    assert (process.returncode, out) == (0, b"")
    assert b"Traceback" not in err


@pytest.mark.faults
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can catch")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(own_home: Path, tmp_path: Path, number: signal.Signals) -> None:
    with started(own_home, tmp_path) as process:
        greet(process)
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == b""
        assert b"Traceback" not in process.stderr.read()


SLOW_ORDERS = """
import sys, time
from capcli.app import App
from capcli.runtime import Options, Runtime, utc_now
from capcli.mcp.server import main
from capcli.paper.transport import PaperTransport

class Slow(PaperTransport):
    def handle_request(self, request):
        if request.method == "POST" and request.url.path.endswith("/positions"):
            sys.stderr.write("sending\\n")
            sys.stderr.flush()
            time.sleep(0.7)
        return super().handle_request(request)

build = App.build
def slow(options, **more):
    app = build(options, **more)
    app.runtime = Runtime(transport=Slow(app.folders.paper, utc_now))
    return app
App.build = slow
raise SystemExit(main(Options()))
"""


@pytest.mark.faults
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can catch")
def test_a_signal_lets_the_order_under_way_finish(own_home: Path, tmp_path: Path) -> None:
    silver = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.5}
    with started(own_home, tmp_path, code=["-c", SLOW_ORDERS]) as process:
        greet(process)
        preview = call(process, 2, "cap_trade_preview_position", silver)
        order = {"name": "cap_trade_execute_position", "arguments": {**preview, "confirm": True}}
        say(process, {"id": 3, "method": "tools/call", "params": order})
        assert process.stderr is not None
        assert process.stderr.readline() == b"sending\n"
        process.send_signal(signal.SIGTERM)

        sent = hear(process)["result"]["structuredContent"]

        assert (sent["state"], sent["protected"]) == ("LANDED", "yes")
        assert process.wait(timeout=20) == 0


@pytest.mark.faults
def test_a_client_that_leaves_does_not_take_the_order_along(own_home: Path, tmp_path: Path) -> None:
    silver = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.5}
    with started(own_home, tmp_path, code=["-c", SLOW_ORDERS]) as process:
        greet(process)
        preview = call(process, 2, "cap_trade_preview_position", silver)
        order = {"name": "cap_trade_execute_position", "arguments": {**preview, "confirm": True}}
        say(process, {"id": 3, "method": "tools/call", "params": order})
        assert process.stderr is not None
        assert process.stderr.readline() == b"sending\n"
        _, err = process.communicate(timeout=20)

    assert process.returncode == 0
    assert b"Traceback" not in err
    with closing(App.build(environ={"CAPCLI_HOME": str(own_home)})) as app:
        assert app.executions.so_far(preview["preview_id"]).data.state.value == "LANDED"


def call(
    process: subprocess.Popen[bytes], number: int, tool: str, arguments: dict[str, Any]
) -> dict[str, str]:
    """Call a tool and return the preview id it answers with."""
    say(process, {"id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
    return {"preview_id": hear(process)["result"]["structuredContent"]["preview_id"]}


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing")
@pytest.mark.faults
def test_on_a_terminal_it_says_what_it_is(own_home: Path, tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    try:
        with started(own_home, tmp_path, stdin=slave) as process:
            assert process.stderr is not None
            line = process.stderr.readline().decode()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
    finally:
        os.close(slave)
        os.close(master)

    assert "MCP server" in line
    assert "env paper" in line
    assert f"{tool_count()} tools" in line
    assert "Ctrl-C" in line


@pytest.mark.faults
def test_a_client_that_died_is_no_bug(own_home: Path, tmp_path: Path) -> None:
    with started(own_home, tmp_path) as process:
        greet(process)
        assert process.stdout is not None
        process.stdout.close()
        say(process, {"id": 2, "method": "tools/list"})
        assert process.stdin is not None
        process.stdin.close()
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait(timeout=20) == 0
    assert b"Traceback" not in told
    assert b"BUG" not in told


@pytest.mark.faults
def test_it_starts_while_the_settings_are_wrong(own_home: Path, tmp_path: Path) -> None:
    with started(own_home, tmp_path, CAP_ENV="prod") as process:
        greet(process)
        say(process, {"id": 2, "method": "tools/list"})
        assert len(hear(process)["result"]["tools"]) == tool_count()
        process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.faults
def test_a_client_that_reads_no_more_and_leaves_holds_no_process(tmp_path: Path) -> None:
    with started(tmp_path / "home", tmp_path) as process:
        greet(process)
        # Each answer is larger than a pipe holds, and nobody reads one.
        for number in range(2, 6):
            say(process, {"id": number, "method": "tools/list"})
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
