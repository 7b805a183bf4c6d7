"""SIGKILL at any moment of `capcli execute`: afterwards the broker's ledger and the journal agree."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from tests.faults.lives import Life, a_broker, broken, table

pytestmark = pytest.mark.faults

SEED = 20260302
# Two minutes of quiet and the half minute between two looks are five seconds.
FACTOR = 30
HOMES, KILLS_EACH = 3, 60


def test_killed_at_180_random_moments(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(HOMES) as pool:
        homes = list(pool.map(lambda number: _one_home(memory / str(number), number), range(HOMES)))
    kills = [kill for home in homes for kill in home.kills]
    with capsys.disabled():
        print(f"\nclock {FACTOR} times as fast, seed {SEED}: {table(kills)}")
    assert [wrong for home in homes for wrong in broken(home.kills, home.evidence())] == []
    assert len(kills) == HOMES * KILLS_EACH


def _one_home(folder: Path, number: int) -> Life:
    folder.mkdir()
    home = folder / "home"
    with ExitStack() as stack:
        broker = stack.enter_context(a_broker(folder, FACTOR, journal=home / "journal.db"))
        life = Life(home, broker, Random(SEED + number), stack)
        span = life.measure(3)
        while len(life.kills) < KILLS_EACH:
            life.kill_one(span)
    return life
