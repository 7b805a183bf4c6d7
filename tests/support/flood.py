"""Forty markets at 250 ticks a second from a served paper broker through `capcli watch`, counted."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from capcli.paper.catalogue import MARKETS
from tests.support.children import Child
from tests.support.launched import as_own_user

BEGIN = datetime(2026, 11, 23, 15, tzinfo=UTC)  # a Monday: Europe and New York are open
OPEN = [m.epic for m in MARKETS.values() if not m.suspended and m.hours.is_open(int(BEGIN.timestamp()))]

Line = tuple[int, bytes]


def capcli() -> tuple[str, ...]:
    return (sys.executable, *as_own_user(), "-m", "capcli")


@dataclass(frozen=True)
class Flood:
    """What went in and what came out. `delays` in ms, sorted; `cpu` and `took` in seconds."""

    epics: int
    sent: int
    printed: int
    cpu: float
    took: float
    delays: list[int]

    def delay(self, percent: int) -> int:
        return self.delays[min(len(self.delays) - 1, len(self.delays) * percent // 100)]


def flood(home: Path, seconds: int) -> Flood:
    """Run both processes and read every line as it arrives."""
    serve = (*capcli(), "paper", "serve", "--port", "0", "--no-limits", "--ticks", "250", "--json")
    environ = {**os.environ, "CAPCLI_HOME": str(home / "broker")}
    with Child(
        (*serve, "--start", f"{BEGIN:%Y-%m-%dT%H:%M}"),
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as broker:
        assert broker.stdout
        assert broker.stderr
        try:
            served = json.loads(broker.stdout.readline())["data"]
            lines, cpu, took = _watched(home / "client", served["base_url"], seconds)
        finally:
            broker.terminate()
        sent = int(broker.stderr.read().split()[0])
    ticks = [(arrived, _tick(line)) for arrived, line in lines]
    return Flood(len({tick["epic"] for _, tick in ticks}), sent, len(ticks), cpu, took, _delays(ticks))


def _watched(home: Path, url: str, seconds: int) -> tuple[list[Line], float, float]:
    environ = {**os.environ, "CAPCLI_HOME": str(home), "CAP_ENV": "demo", "CAP_API_URL": url}
    environ |= {"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}
    command = (*capcli(), "watch", *OPEN[:40], "--json", "--every", "0", "--for", str(seconds))
    began = time.monotonic()
    with Child(command, env=environ, stdout=subprocess.PIPE) as watch:
        assert watch.stdout
        lines = [(time.time_ns() // 1_000_000, line) for line in watch.stdout]
        _, _, used = os.wait4(watch.pid, 0)
        watch.returncode = 0
    return lines, used.ru_utime + used.ru_stime, time.monotonic() - began


def _tick(line: bytes) -> dict[str, str]:
    document = json.loads(line)
    found: dict[str, str] = document["data"]
    assert document["ok"], line
    assert found["event"] == "tick", line
    return found


def _delays(ticks: list[tuple[int, dict[str, str]]]) -> list[int]:
    """From the broker's stamp to the arrival of the line, less the distance of the two clocks.

    The market's clock stands on that Monday. The distance is taken as the least difference seen, so what
    remains is the time on the way beyond the fastest.
    """
    differences = [arrived - _ms(tick["at"]) for arrived, tick in ticks]
    least = min(differences)
    return sorted(difference - least for difference in differences)


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
