"""50 processes and five calls of an assistant on one preview, over sockets; the winner's answer is cut."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from capcli.paper.state import set_fault
from capcli.runtime import utc_now
from tests.faults.assistant import assistant, execute
from tests.faults.checker import Told, violations
from tests.faults.child import Job
from tests.faults.lives import Life, a_broker
from tests.faults.processes import child, line, release

pytestmark = pytest.mark.faults

PROCESSES, CALLS = 50, 5
_PATIENCE_S = 120


@pytest.fixture
def life(memory: Path) -> Iterator[Life]:
    home = memory / "home"
    with ExitStack() as stack:
        broker = stack.enter_context(a_broker(memory, 1, journal=home / "journal.db"))
        yield Life(home, broker, Random(1), stack)


def test_everybody_is_told_of_the_same_attempt(
    life: Life, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    preview_id = life.preview()
    set_fault(life.broker.paper, "drop-after", at=utc_now(), on="orders", times=1)
    told = asyncio.run(_race(life, preview_id, tmp_path))
    life.told += told
    found = life.evidence()
    assert violations(found) == []
    assert (found.posts_of(preview_id), found.orders_of(preview_id)) == (1, 1)
    assert len(told) == PROCESSES + CALLS
    assert {one.attempt_id for one in told} == set(found.books.attempts), "one attempt, and all know it"
    (winner,) = [one for one in told if not one.replayed]
    assert (winner.state, winner.exit) == ("UNKNOWN", 8), "its answer was cut"
    ends = sorted(f"{one.state} {one.exit}" for one in told)
    assert set(ends) <= {"UNKNOWN 8", "LANDED 0", "SENDING 10", "CLAIMED 10"}
    with capfd.disabled():
        print("\n55 on one preview, the winner's answer cut:", {end: ends.count(end) for end in set(ends)})


async def _race(life: Life, preview_id: str, cwd: Path) -> list[Told]:
    """Get everybody ready, then let all of them go."""
    settings = {name: value for name, value in life.settings.items() if name != "CAPCLI_HOME"}
    copies = {"copies": PROCESSES, "served": True, "gate": True}
    job = Job(str(life.home), [preview_id], settings=settings, **copies)
    async with assistant(life.settings, cwd) as client:
        await client.list_tools()
        with child(job) as racers:
            await asyncio.to_thread(line, racers, "here")
            release(racers)
            calls = await asyncio.gather(*(execute(client, preview_id) for _ in range(CALLS)))
            others = await asyncio.to_thread(_ended, racers, life.home)
    return [*calls, *others]


def _ended(racers: "subprocess.Popen[str]", home: Path) -> list[Told]:
    _, err = racers.communicate(timeout=_PATIENCE_S)
    assert racers.returncode == 0, err
    return [Told.read(path.read_text()) for path in home.glob("told-*.json")]
