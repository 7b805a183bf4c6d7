"""The budget table: each row a ratio to a baseline measured in the same run. Printed, never asserted.

What a process costs is its CPU time (user and system), which a busy computer hardly changes.

Run it with `pytest -m bench -s`, from an installed package (compiled bytecode).
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.children import Child
from tests.support.launched import as_own_user

pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(not hasattr(os, "wait4"), reason="CPU time of a child"),
]

ROUNDS = 12
PASS = (sys.executable, "-c", "pass")
CAPCLI = (sys.executable, "-m", "capcli")
BARE_HTTPX = """
import sys, json, httpx
url, cst, token = sys.argv[1:]
answer = httpx.get(url + "/api/v1/positions", headers={"CST": cst, "X-SECURITY-TOKEN": token})
print(json.dumps(answer.json()))
"""
ONE_TOOL_SERVER = """
import os
os.environ["FASTMCP_ENV_FILE"] = os.devnull
from fastmcp import FastMCP
server = FastMCP("one")
@server.tool(description="Say pong.")
def ping() -> str:
    return "pong"
server.run("stdio", show_banner=False)
"""


def median_ms(commands: dict[str, tuple[str, ...]], env: dict[str, str]) -> dict[str, float]:
    """Run the commands in turn, so that a noisy moment hits all of them; return their medians of CPU time."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(ROUNDS + 1):
        for name, command in commands.items():
            with Child(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                taken = cpu_ms(process)
            assert process.returncode == 0
            if round_number:
                times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def cpu_ms(process: "subprocess.Popen[Any]") -> float:
    """Wait for the end of a process and return its CPU time."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (used.ru_utime + used.ru_stime) * 1000


def row(what: str, measured: float, baseline: float, budget: float) -> None:
    print(f"{what:<46}{measured:>8.1f} ms {measured / baseline:>6.2f} x   budget {budget:g} x")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAP")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **kept,
        "HOME": str(tmp_path),
        "CAPCLI_HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }


@pytest.fixture
def served(env: dict[str, str]) -> Iterator[str]:
    command = (sys.executable, *as_own_user(), "-m", "capcli", "paper", "serve", "--port", "0", "--no-limits")
    with Child(command, env=env, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout
        yield next(word for line in broker.stdout for word in line.split() if word.startswith("http://"))
        broker.terminate()


def test_start_up(env: dict[str, str]) -> None:
    found = median_ms({"pass": PASS, "--version": (*CAPCLI, "--version"), "--help": (*CAPCLI, "--help"),
                       "preview --help": (*CAPCLI, "preview", "--help"),
                       "positions": (*CAPCLI, "positions", "--json"),
                       "a Tab": (*CAPCLI, "__complete", "epics")}, env)  # fmt: skip
    print(f"\nbaseline: python -c pass {found['pass']:.1f} ms")
    row("capcli --version", found["--version"], found["pass"], 2)
    row("capcli --help", found["--help"], found["pass"], 8)
    row("capcli preview --help", found["preview --help"], found["pass"], 8)
    row("capcli positions --json, embedded", found["positions"], found["pass"], 16)
    own = found["a Tab"] - found["pass"]
    print(f"{'a Tab that asks for values':<46}{own:>8.1f} ms of our own time   budget 100 ms")


def test_warm_positions(env: dict[str, str], served: str) -> None:
    demo = {
        **env,
        "CAP_ENV": "demo",
        "CAP_API_URL": served,
        "CAP_API_KEY": "paper",
        "CAP_IDENTIFIER": "paper",
        "CAP_API_PASSWORD": "paper",
    }
    import httpx

    body = {"identifier": "paper", "password": "paper"}
    answer = httpx.post(f"{served}/api/v1/session", json=body, headers={"X-CAP-API-KEY": "paper"})
    bare = (
        sys.executable,
        "-c",
        BARE_HTTPX,
        served,
        answer.headers["cst"],
        answer.headers["x-security-token"],
    )
    time.sleep(1.1)
    found = median_ms(
        {"bare": bare, "positions": (sys.executable, *as_own_user(), "-m", "capcli", "positions", "--json")},
        demo,
    )
    print(f"\nbaseline: a bare httpx script, same GET {found['bare']:.1f} ms")
    row("warm capcli positions --json, loopback", found["positions"], found["bare"], 1)


def until_tools(command: tuple[str, ...], env: dict[str, str]) -> float:
    """Return the CPU milliseconds from spawn to an answered tools/list."""
    hello = (
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
        '"capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}\n'
        '{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
        '{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n'
    )
    with Child(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        server.stdin.write(hello)
        server.stdin.flush()
        for line in server.stdout:
            if '"id":2' in line:
                break
        server.kill()
        return cpu_ms(server)


def test_mcp_start(env: dict[str, str]) -> None:
    servers = {
        "one": (sys.executable, "-c", ONE_TOOL_SERVER),
        "capcli": (sys.executable, *as_own_user(), "-m", "capcli", "mcp", "serve"),
    }
    times: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(5):
        for name, command in servers.items():
            times[name].append(until_tools(command, env))
    one, ours = (statistics.median(times[name]) for name in ("one", "capcli"))
    print(f"\nbaseline: a one-tool FastMCP server {one:.1f} ms")
    row("capcli mcp serve, spawn to tools/list", ours, one, 1.15)


def test_preview_over_a_slow_line(tmp_path: Path) -> None:
    """A warm preview with 100 ms on every request, against one such request."""
    import httpx

    from capcli.app import App
    from capcli.domain.market import Side
    from capcli.domain.order import ExitForm, ExitOrder, OrderRequest
    from capcli.paper.transport import PaperTransport
    from capcli.runtime import Runtime, utc_now

    class Slow(httpx.BaseTransport):
        def __init__(self) -> None:
            self.inner, self.requests = PaperTransport(tmp_path / "paper.db", utc_now), 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            self.requests += 1
            time.sleep(0.1)
            return self.inner.handle_request(request)

        def close(self) -> None:
            self.inner.close()

    slow = Slow()
    stop = ExitOrder(ExitForm.LEVEL, Decimal("24.50"))
    bare = OrderRequest("SILVER", Side.BUY, Decimal("1.5"))
    environ = {"CAPCLI_HOME": str(tmp_path), "CAP_MAX_OPEN_POSITIONS": "9"}
    app = App.build(environ=environ, runtime=Runtime(transport=slow))
    app.previews.preview(bare)
    for name, request in (("with a stop", replace(bare, stop=stop)), ("without one", bare)):
        time.sleep(1.1)
        before, started = slow.requests, time.perf_counter()
        app.previews.preview(request)
        taken = (time.perf_counter() - started) * 1000
        made = slow.requests - before
        print(f"\nbaseline: one request of 100 ms; a warm preview {name} made {made} (budget 6)")
        row(f"preview {name}, 100 ms per request", taken, 100, 2)
    app.close()
