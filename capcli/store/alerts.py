"""Stored alerts in the journal. A number is given once; what fired or was removed stays so."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal

from capcli.domain.alerts import AlertState, Level, Measure, StoredAlert, Way
from capcli.ports import Place
from capcli.store.db import Database
from capcli.store.events import Event
from capcli.store.records import stamp

Writing = Callable[[], AbstractContextManager[tuple[sqlite3.Connection, Callable[[Event], None]]]]

_OF = "env = ? AND host = ? AND account_id = ?"
_WAITING = f"SELECT * FROM alerts WHERE {_OF} AND state = 'WAITING' ORDER BY number"  # noqa: S608
_FIRED = f"SELECT * FROM alerts WHERE {_OF} AND state = 'FIRED' ORDER BY ended_at DESC, number DESC LIMIT ?"  # noqa: S608
_LAST = f"SELECT max(number) AS number FROM alerts WHERE {_OF}"  # noqa: S608
_INSERT = "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, 'WAITING', ?, NULL)"
_END = f"UPDATE alerts SET state = ?, ended_at = ? WHERE {_OF} AND number = ? AND state <> 'REMOVED'"  # noqa: S608
_FIRE = f"UPDATE alerts SET state = 'FIRED', ended_at = ? WHERE {_OF} AND number = ? AND state = 'WAITING'"  # noqa: S608


class Alerts:
    """The stored alerts of every account. Each method raises JournalUnreadable."""

    def __init__(self, db: Database, writing: Writing) -> None:
        self._db = db
        self._writing = writing

    def waiting(self, place: Place) -> tuple[StoredAlert, ...]:
        return tuple(map(_alert, self._db.rows(_WAITING, place)))

    def of(self, place: Place, *, fired: int | None) -> tuple[StoredAlert, ...]:
        """Return what waits, and so many of what fired last; None for all of it."""
        rows = self._db.rows(_FIRED, (*place, -1 if fired is None else fired))
        return (*self.waiting(place), *map(_alert, rows))

    def add(
        self, place: Place, levels: Sequence[Level], *, at_most: int, at: datetime
    ) -> tuple[StoredAlert, ...] | None:
        """Keep levels; None, and none of them, where more than `at_most` would wait."""
        with self._writing() as (connection, append):
            if len(connection.execute(_WAITING, place).fetchall()) + len(levels) > at_most:
                return None
            last = connection.execute(_LAST, place).fetchone()["number"] or 0
            kept = [
                StoredAlert(number, level, AlertState.WAITING, at)
                for number, level in enumerate(levels, last + 1)
            ]
            for one in kept:
                connection.execute(_INSERT, (*place, one.number, _written(one.level), stamp(at)))
            append(
                Event("alert", at, to_state="WAITING", detail={"account_id": place[2], "count": len(kept)})
            )
        return tuple(kept)

    def remove(self, place: Place, numbers: Sequence[int], *, at: datetime) -> None:
        if numbers:
            with self._writing() as (connection, append):
                for number in numbers:
                    connection.execute(_END, ("REMOVED", stamp(at), *place, number))
                detail = {"account_id": place[2], "numbers": list(numbers)}
                append(Event("alert", at, to_state="REMOVED", detail=detail))


def fire(connection: sqlite3.Connection, place: Place, number: int, at: datetime) -> bool:
    """Fire an alert in the transaction that tells of it; False where it does not wait any more."""
    return bool(connection.execute(_FIRE, (stamp(at), *place, number)).rowcount)


def _written(level: Level) -> str:
    start = None if level.start is None else str(level.start)
    return json.dumps([level.epic, level.way, str(level.price), level.measure, start])


def _alert(row: sqlite3.Row) -> StoredAlert:
    epic, way, price, measure, start = json.loads(row["level"])
    level = Level(epic, Way(way), Decimal(price), Measure(measure), None if start is None else Decimal(start))
    ended = row["ended_at"]
    return StoredAlert(
        row["number"],
        level,
        AlertState(row["state"]),
        datetime.fromisoformat(row["created_at"]),
        None if ended is None else datetime.fromisoformat(ended),
    )
