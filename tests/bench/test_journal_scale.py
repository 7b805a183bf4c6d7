"""What a journal of 200,000 executions costs beside an empty one. Printed, never asserted.

Run it with `pytest -m bench -s tests/bench/test_journal_scale.py`; CAPCLI_BENCH_EXECUTIONS sets the number.
"""

import json
import os
import resource
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from capcli.domain.attempt import AttemptState
from capcli.store import seals
from capcli.store.events import Event, as_text, chain_hash
from capcli.store.journal import SqliteJournal
from capcli.store.records import stamp
from tests.support.clock import Time
from tests.support.seat import Seat

pytestmark = pytest.mark.bench

EXECUTIONS = int(os.environ.get("CAPCLI_BENCH_EXECUTIONS", "200000"))
ROUNDS = 15
# What is quick and changes nothing is measured many times: a median of few tells more of the machine.
REPEATS = {"positions": 15, "history executions": 40}
BATCH = 5000


class Row(dict[str, Any]):
    """A row as SQLite gives it: iterating yields the values."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())


@cache
def mark(value: Any) -> str:
    return seals._hash(value)[: seals._MARK]


def sealed(table: str, key: tuple[Any, ...], row: Row) -> seals.Seal:
    """Seal a row as the journal does; the marks of what most rows have in common are made once."""
    return seals.Seal(table, key, seals.row_hash(row), "".join(map(mark, row.values())))  # type: ignore[arg-type]


def executions(
    samples: dict[str, list[Row]], until: datetime
) -> Iterator[tuple[dict[str, list[Row]], Event]]:
    """Yield the rows of one execution after the other, spread over two years, and the event of each."""
    step = timedelta(days=730) / EXECUTIONS
    for number in range(EXECUTIONS):
        at = stamp(moment := until - timedelta(days=731) + step * number)
        preview, attempt, deal = f"p_{number:012}", f"a_{number:012}", f"D{number}"
        changes = {
            "previews": {"id": preview, "created_at": at, "expires_at": at},
            "attempts": {"id": attempt, "preview_id": preview, "created_at": at, "sent_at": at},
            "owned_deals": {"attempt_id": attempt},
        }
        rows = {table: [Row(one | changes[table]) for one in found] for table, found in samples.items()}
        rows["attempts"][0] |= {"deal_ids": f'["{deal}"]', "opened_deal_ids": f'["{deal}"]'}
        for place, owned in enumerate(rows["owned_deals"]):
            owned["name"] = f"{deal}.{place}"
        yield rows, Event("move", moment, attempt, AttemptState.ACKED, AttemptState.LANDED)


def fill(journal: SqliteJournal, until: datetime) -> None:
    """Give a journal that knows executions many more of their like, as another connection would."""
    with closing(sqlite3.connect(journal._db.path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        samples = {table: _samples(connection, table) for table in ("previews", "attempts", "owned_deals")}
        keys = {table: seals.key_of(connection, table) for table in samples}
        chain = Chain(*connection.execute("SELECT max(seq), hash FROM events").fetchone())
        every = executions(samples, until)
        while batch := list(islice(every, BATCH)):
            connection.execute("BEGIN IMMEDIATE")
            for table in samples:
                rows = [tuple(row.values()) for found, _ in batch for row in found[table]]
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            events = [chain.link(event, [*_sealed(found, keys)]) for found, event in batch]
            connection.executemany(f"INSERT INTO events VALUES ({', '.join('?' * 10)})", events)
            connection.execute("COMMIT")
    journal.accept((), at=until, reason="filled for a measurement")


def _samples(connection: sqlite3.Connection, table: str) -> list[Row]:
    """Return the rows of one execution."""
    of = "id = (SELECT preview_id FROM attempts LIMIT 1)" if table == "previews" else "true"
    rows = [Row(dict(row)) for row in connection.execute(f"SELECT * FROM {table} WHERE {of}")]
    first = rows[0].get("attempt_id")
    return [row for row in rows if row["attempt_id"] == first] if first else rows[:1]


def _sealed(rows: dict[str, list[Row]], keys: dict[str, list[str]]) -> Iterator[seals.Seal]:
    for table, found in rows.items():
        for row in found:
            yield sealed(table, tuple(row[name] for name in keys[table]), row)


@dataclass
class Chain:
    """The end of the event chain."""

    count: int
    head: str

    def link(self, event: Event, rows: list[seals.Seal]) -> tuple[Any, ...]:
        self.count += 1
        states = event.from_state, event.to_state
        told = as_text(event.detail), json.dumps(rows, separators=(",", ":"))
        row = (self.count, event.attempt_id, event.kind, stamp(event.at), *states, *told, self.head)
        self.head = chain_hash(row)
        return (*row, self.head)


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
                for turn in range(number, number + REPEATS.get(name, 1)):
                    for side in (0, 1) if turn % 2 else (1, 0):
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
