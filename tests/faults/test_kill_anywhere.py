"""SIGKILL at any moment of `capcli execute`: afterwards the broker's ledger and the journal agree."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from random import Random
from threading import Semaphore

import pytest

from tests.faults.checker import Books, Evidence, Ledger
from tests.faults.lives import Broker, Life, Span, a_broker, broken, table
from tests.faults.wire import read_log

pytestmark = pytest.mark.faults

SEED = 20260302
# Two minutes of quiet and the half minute between two looks are five seconds.
FACTOR = 30
HOMES, KILLS_EACH = 3, 60
REAL_HOMES = 20
# As many as were alive together when a life was measured.
STARTING = Semaphore(2)


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


def test_killed_at_20_random_moments_on_the_real_clock(
    memory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Strangers to each other on one account: what takes two minutes and a half they wait for together."""
    with ExitStack() as stack:
        broker = stack.enter_context(a_broker(memory, 1))
        homes = [_stranger(memory, number, broker, stack) for number in range(REAL_HOMES)]
        span = homes[0].measure(3)
        with ThreadPoolExecutor(REAL_HOMES) as pool:
            waiting = [pool.submit(_dies, life, span) for life in homes]
            for one in waiting:
                one.result()
        kills = [kill for life in homes for kill in life.kills]
        books = Books.of_all(life.journal for life in homes)
    told = tuple(told for life in homes for told in life.told)
    found = Evidence(Ledger.read(broker.paper), books, tuple(read_log(broker.log)), told)
    with capsys.disabled():
        print(f"\nreal clock, {REAL_HOMES} homes: {table(kills)}")
    assert broken(kills, found) == []
    assert len(kills) == REAL_HOMES


def _stranger(folder: Path, number: int, broker: Broker, stack: ExitStack) -> Life:
    # Sizes of its own, so that nobody's order can be taken for somebody else's.
    first = Decimal(1) + number
    return Life(folder / f"home-{number}", broker, Random(SEED - 1 - number), stack, first)


def _dies(life: Life, span: Span) -> None:
    while not life.kills:
        life.kill_one(span, STARTING)
