"""The stream's budget, the server's side: forty markets at 250 ticks a second. Printed, never asserted.

The baseline is one core for the same seconds. Run it with `pytest -m bench -s`.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.support.children import Child
from tests.support.launched import as_own_user

pytestmark = pytest.mark.bench

SECONDS = 8


def test_stream(tmp_path: Path) -> None:
    options = ("--port", "0", "--no-limits", "--ticks", "250", "--start", "2026-11-23T15:00", "--json")
    command = (sys.executable, *as_own_user(), "-m", "capcli", "paper", "serve", *options)
    env = {**os.environ, "CAPCLI_HOME": str(tmp_path / "home")}
    with Child(command, env=env, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout
        served = json.loads(broker.stdout.readline())["data"]
        body = {"identifier": "paper", "password": "paper"}
        login = httpx.post(
            f"{served['base_url']}/api/v1/session", json=body, headers={"X-CAP-API-KEY": "paper"}
        )
        tokens = {"cst": login.headers["cst"], "securityToken": login.headers["x-security-token"]}
        frame = {"destination": "marketData.subscribe", "correlationId": "1", **tokens}
        frame["payload"] = {"epics": _open_epics(served["base_url"], login)[:40]}
        with connect(f"{served['stream_url']}connect", compression=None, max_queue=None) as socket:
            socket.send(json.dumps(frame))
            socket.recv()
            busy, began, texts = _cpu(broker.pid), time.monotonic(), []
            while time.monotonic() - began < SECONDS:
                texts.append(socket.recv())
            used, took = _cpu(broker.pid) - busy, time.monotonic() - began
        broker.terminate()
    _print(texts, used, took)


def _open_epics(url: str, login: httpx.Response) -> list[str]:
    headers = {"CST": login.headers["cst"], "X-SECURITY-TOKEN": login.headers["x-security-token"]}
    rows = httpx.get(f"{url}/api/v1/markets", headers=headers).json()["markets"]
    return [row["epic"] for row in rows if row["marketStatus"] == "TRADEABLE"]


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(texts: list[str], used: float, took: float) -> None:
    seen: dict[str, list[int]] = {}
    for text in texts:
        event = json.loads(text)["payload"]
        seen.setdefault(event["epic"], []).append(event["timestamp"])
    lost = sum((times[-1] - times[0]) // 4 + 1 - len(times) for times in seen.values())
    print(f"\nbaseline: one core for {took:.1f} s")
    print(f"{len(seen)} markets, {len(texts) / took:.0f} ticks a second, {lost} lost")
    print(f"{'paper serve, CPU of the stream':<46}{used:>8.2f} s {used / took:>6.2f} x   budget 1 x")
