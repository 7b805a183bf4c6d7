"""What a journal of 200,000 executions costs beside an empty one. Printed, never asserted.

Run it with `pytest -m bench -s tests/bench/test_journal_scale.py`; CAPCLI_BENCH_EXECUTIONS sets the number.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from capcli.domain.attempt import AttemptState
from capcli.store import seals
from capcli.store.events import Event, append
from capcli.store.journal import SqliteJournal
from capcli.store.records import stamp
from tests.support.clock import Time
from tests.support.desk import Seat

pytestmark = pytest.mark.bench

EXECUTIONS = int(os.environ.get("CAPCLI_BENCH_EXECUTIONS", "200000"))
ROUNDS = 15


def fill(journal: SqliteJournal, until: datetime) -> None:
    """Give a journal that knows one execution many more of its like, spread over two years."""
    step = timedelta(days=730) / EXECUTIONS
    with journal._db.transaction() as connection:
        preview = dict(connection.execute("SELECT * FROM previews").fetchone())
        attempt = dict(connection.execute("SELECT * FROM attempts").fetchone())
        seals.changed(connection)
        for number in range(EXECUTIONS):
            at = until - timedelta(days=731) + step * number
            preview |= {"id": f"p_{number:012}", "created_at": stamp(at), "expires_at": stamp(at)}
            attempt |= {"id": f"a_{number:012}", "preview_id": preview["id"], "created_at": stamp(at)}
            attempt |= {"sent_at": stamp(at), "deal_ids": f'["D{number}"]'}
            for table, row in (("previews", preview), ("attempts", attempt)):
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", tuple(row.values()))
            event = Event("move", at, attempt["id"], AttemptState.ACKED, AttemptState.LANDED)
            append(connection, event, seals.changed(connection))
    journal.accept((), at=until, reason="filled for a measurement")


def timed(work: Callable[[], Any]) -> float:
    """Return the processor time, in ms: what else runs on the machine tells nothing of the journal."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def tasks(seat: Seat) -> dict[str, Callable[[], Any]]:
    previews: list[str] = []
    return {
        "preview": lambda: previews.append(seat.preview().preview_id),
        "execute": lambda: seat.execute(previews[-1], again=True),
        "positions": seat.app.portfolio.positions,
        "history executions": seat.app.executions_log.latest,
    }


def test_an_old_journal_beside_an_empty_one(tmp_path: Path) -> None:
    clock = Time()
    with (
        closing(Seat(tmp_path / "old", clock, number=1)) as old,
        closing(Seat(tmp_path / "new", clock, number=2)) as new,
    ):
        for _ in range(20):
            # As many as a list shows.
            clock.tick(1)
            old.open()
            new.open()
        print(f"\nfilled in {timed(lambda: fill(old.app.journal, clock.now())) / 1000:.0f} s")
        found: dict[str, tuple[list[float], list[float]]] = {}
        work = [tasks(seat) for seat in (old, new)]
        for number in range(ROUNDS):
            clock.tick(60)
            for name in work[0]:
                times = found.setdefault(name, ([], []))
                # In turns, since whoever comes first pays for what both have in common.
                for side in (0, 1) if number % 2 else (1, 0):
                    times[side].append(timed(work[side][name]))
        for name, (slow, quick) in found.items():
            measured, baseline = statistics.median(slow), statistics.median(quick)
            print(f"{name:<20}{measured:>8.1f} ms {measured / baseline:>6.2f} x   budget 1.1 x")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        told: list[int] = []
        took = timed(lambda: old.app.verification.verify(progress=lambda done, _all: told.append(done)))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"verify {took / 1000:>19.1f} s for {EXECUTIONS} events, {grown / 1024:.0f} MB more memory")
        assert told
