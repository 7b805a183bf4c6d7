"""The stream's budget, the client's side: forty markets at 250 ticks a second through `watch`. Printed.

The baseline is one core for the same seconds. Run it with `pytest -m bench -s`.
"""

from pathlib import Path

import pytest

from tests.support.flood import flood

pytestmark = pytest.mark.bench

SECONDS = 60


def test_watch(tmp_path: Path) -> None:
    found = flood(tmp_path, SECONDS)
    print(f"\nbaseline: one core for {found.took:.1f} s")
    print(f"{found.epics} markets, {found.printed / found.took:.0f} ticks a second")
    print(f"sent {found.sent}, printed {found.printed}, lost {found.sent - found.printed}")
    print(f"{'capcli watch, CPU':<46}{found.cpu:>8.2f} s {found.cpu / found.took:>6.2f} x   budget 1 x")
    print(f"{'from the tick to its line, p50 / p99':<46}{found.delay(50)} / {found.delay(99)} ms")
