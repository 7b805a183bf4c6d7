"""The desk's budget: forty markets at 50 ticks a second each, on a terminal of 200 by 60. Printed only.

The baselines are one core for the same seconds, and the memory after the first seconds. Run it with
`pytest -m bench -s`.
"""

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.support.children import Child
from tests.support.flood import BEGIN, OPEN, capcli

pytestmark = pytest.mark.bench

SECONDS = 60
SETTLED = 10
MARKETS = 40


def test_desk(tmp_path: Path) -> None:
    serve = (*capcli(), "paper", "serve", "--port", "0", "--no-limits", "--ticks", "50", "--json")
    with Child(
        (*serve, "--start", f"{BEGIN:%Y-%m-%dT%H:%M}"),
        env={**os.environ, "CAPCLI_HOME": str(tmp_path / "broker")},
        stdout=subprocess.PIPE,
        text=True,
    ) as broker:
        assert broker.stdout
        url = json.loads(broker.stdout.readline())["data"]["base_url"]
        _report(*_used(tmp_path / "client", url))
        broker.terminate()


def _used(home: Path, url: str) -> tuple[list[float], float, list[int], int]:
    """Use the desk for a minute: open the page of its keys again and again, and time each answer."""
    environ = {**os.environ, "CAPCLI_HOME": str(home), "CAP_ENV": "demo", "CAP_API_URL": url, "TERM": "xterm"}
    environ |= {"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    command = (*capcli(), "desk", *OPEN[:MARKETS])
    with Child(command, env=environ, stdin=slave, stdout=slave, stderr=slave) as desk:
        window, answers, memory = Window(master), list[float](), list[int]()
        window.until("Market")
        window.read_for(SETTLED)
        busy, began = _cpu(desk.pid), time.monotonic()
        while time.monotonic() - began < SECONDS:
            pressed = time.monotonic()
            window.press("?")
            window.until("This page.")
            answers.append(time.monotonic() - pressed)
            window.read_for(0.2)
            window.press("x")
            window.read_for(0.4)
            pressed = time.monotonic()
            window.press("c")
            window.until("Choose a position")
            answers.append(time.monotonic() - pressed)
            window.read_for(0.4)
            memory.append(_memory(desk.pid))
        used, took = _cpu(desk.pid) - busy, time.monotonic() - began
        window.press("q")
        window.read_for(1)
        desk.terminate()
    os.close(master)
    os.close(slave)
    return answers, used / took, memory, window.taken


class Window:
    """The other end of the terminal: it reads all that is drawn."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._text = ""
        self.taken = 0

    def press(self, key: str) -> None:
        self._text = ""
        os.write(self._handle, key.encode())

    def until(self, words: str) -> None:
        end = time.monotonic() + 30
        while words not in self._text:
            assert time.monotonic() < end, self._text[-2000:]
            self._take(0.5)

    def read_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take(left)

    def _take(self, seconds: float) -> None:
        if select.select([self._handle], [], [], seconds)[0]:
            found = os.read(self._handle, 65536)
            self.taken += len(found)
            self._text = self._text[-4000:] + found.decode(errors="replace")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(row for row in rows if row.startswith("VmRSS")).split()[1])


def _report(answers: list[float], share: float, memory: list[int], taken: int) -> None:
    answers.sort()
    print(f"\nbaseline: one core for {SECONDS} s, {sys.platform}; {MARKETS} markets, 50 ticks a second each")
    print(f"{'desk, CPU':<46}{share:>8.2f} x   budget 1 x")
    print(f"{'desk, a key answered (p50, p95, most)':<46}", end="")
    marks = (answers[len(answers) // 2], answers[len(answers) * 95 // 100], answers[-1])
    print("".join(f"{one * 1000:>8.0f} ms" for one in marks), f"  of {len(answers)}; budget p95 100 ms")
    steps = memory[:: max(1, len(memory) // 6)]
    print(f"{'desk, memory after 10 s, and on':<46}{' '.join(f'{one / 1024:.1f}' for one in steps)} MB")
    print(f"{'desk, drawn':<46}{taken / 1024:>8.0f} kB")
