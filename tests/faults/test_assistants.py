"""C13 and D3 through `capcli mcp serve`: a call that is cancelled, and a command line at the same time."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.assistant import EXECUTE, assistant, execute, rest, told
from tests.faults.checker import Books, counts, mismatches, violations
from tests.faults.lives import Life, a_broker
from tests.faults.matrix import Case, cases
from tests.mcp.test_process import greet, hear, say, started

pytestmark = pytest.mark.faults

_PATIENCE_S = 60


@pytest.fixture
def life(memory: Path) -> Iterator[Life]:
    home = memory / "home"
    with ExitStack() as stack:
        broker = stack.enter_context(a_broker(memory, 1, journal=home / "journal.db", latency_s=0.7))
        yield Life(home, broker, Random(1), stack, Decimal("1.5"))


def call(process: Any, number: int, preview_id: str) -> None:
    order = {"name": EXECUTE, "arguments": {"preview_id": preview_id, "confirm": True}}
    say(process, {"id": number, "method": "tools/call", "params": order})


def answer(process: Any, number: int) -> dict[str, Any]:
    """Return the answer to a call; a cancelled one may be answered, or not."""
    while True:
        heard = hear(process)
        if heard.get("id") == number:
            document: dict[str, Any] = heard["result"]["structuredContent"]
            return document


@cases("C13")
def test_case_a_cancelled_call(case: Case, life: Life, tmp_path: Path) -> None:
    preview_id = life.preview()
    with started(life.home, tmp_path, **rest(life.settings)) as process:
        greet(process)
        call(process, 2, preview_id)
        _wait_for_the_order(life)
        say(process, {"method": "notifications/cancelled", "params": {"requestId": 2, "reason": "too slow"}})
        found = life.evidence()
        assert violations(found) + mismatches(case, case.first, None, found, preview_id) == []
        call(process, 3, preview_id)
        replay = told(preview_id, answer(process, 3))
        process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0
    life.told.append(replay)
    found = life.evidence()
    assert case.then is not None
    wrong = violations(found) + counts(case, found) + mismatches(case, case.then, replay, found, preview_id)
    assert wrong == []
    assert replay.replayed


def _wait_for_the_order(life: Life) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not life.broker.arrivals():
        assert time.monotonic() < until
        time.sleep(0.01)


@cases("D3")
def test_case_a_command_line_and_an_assistant(case: Case, life: Life, tmp_path: Path) -> None:
    preview_id = life.preview()
    said, code = asyncio.run(_both(life, preview_id, tmp_path))
    life.told.append(said)
    found = life.evidence()
    assert violations(found) + counts(case, found) == []
    assert mismatches(case, case.first, said, found, preview_id) == []
    assert code == 0
    assert {said.attempt_id} == set(Books.read(life.journal).attempts)


async def _both(life: Life, preview_id: str, cwd: Path) -> Any:
    async with assistant(life.settings, cwd) as client:
        await client.list_tools()
        with life.process(preview_id) as process:
            said = await execute(client, preview_id)
            await asyncio.to_thread(process.communicate, timeout=_PATIENCE_S)
    return said, process.returncode
