"""Stored alerts in the journal. Numbers are never reused; fired and removed alerts stay so."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import astuple

from capcli.domain.account_events import Place
from capcli.domain.alerts import AlertState, Level, Measure, StoredAlert, Way
from capcli.store.db import Database
from capcli.store.events import Event, Writing
from capcli.store.records import stamp

_OF = "env = ? AND host = ? AND account_id = ?"
_WAITING = f"SELECT * FROM alerts WHERE {_OF} AND state = 'WAITING' ORDER BY number"  # noqa: S608
_FIRED = f"SELECT * FROM alerts WHERE {_OF} AND state = 'FIRED' ORDER BY ended_at DESC, number DESC LIMIT ?"  # noqa: S608
_LAST = f"SELECT max(number) AS number FROM alerts WHERE {_OF}"  # noqa: S608
_INSERT = "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, 'WAITING', ?, NULL)"
_END = f"UPDATE alerts SET state = ?, ended_at = ? WHERE {_OF} AND number = ? AND state <> 'REMOVED'"  # noqa: S608
_FIRE = f"UPDATE alerts SET state = 'FIRED', ended_at = ? WHERE {_OF} AND number = ? AND state = 'WAITING'"  # noqa: S608
_LEVEL = tuple[str, Way, Decimal, Measure, Decimal | None]


class Alerts:
    """The `AlertBook` port over the journal."""

    def __init__(self, db: Database, writing: Writing) -> None:
        self._db = db
        self._writing = writing

    def waiting(self, place: Place) -> tuple[StoredAlert, ...]:
        return tuple(map(_alert, self._db.rows(_WAITING, place)))

    def of(self, place: Place, *, fired: int | None) -> tuple[StoredAlert, ...]:
        rows = self._db.rows(_FIRED, (*place, -1 if fired is None else fired))
        return (*self.waiting(place), *map(_alert, rows))

    def add(
        self, place: Place, levels: Sequence[Level], *, at_most: int, at: datetime
    ) -> tuple[StoredAlert, ...] | None:
        with self._writing() as (connection, append):
            if len(connection.execute(_WAITING, place).fetchall()) + len(levels) > at_most:
                return None
            last = connection.execute(_LAST, place).fetchone()["number"] or 0
            kept = [
                StoredAlert(number, level, AlertState.WAITING, at)
                for number, level in enumerate(levels, last + 1)
            ]
            for one in kept:
                level = msgspec.json.encode(astuple(one.level)).decode()
                connection.execute(_INSERT, (*place, one.number, level, stamp(at)))
            detail = {"account_id": place[2], "count": len(kept)}
            append(Event("alert", at, to_state="WAITING", detail=detail))
        return tuple(kept)

    def remove(self, place: Place, numbers: Sequence[int], *, at: datetime) -> None:
        if numbers:
            with self._writing() as (connection, append):
                for number in numbers:
                    connection.execute(_END, ("REMOVED", stamp(at), *place, number))
                detail = {"account_id": place[2], "numbers": list(numbers)}
                append(Event("alert", at, to_state="REMOVED", detail=detail))


def fire(connection: sqlite3.Connection, place: Place, number: int, at: datetime) -> bool:
    """Fire an alert in its event's transaction; False if it does not wait any more."""
    return bool(connection.execute(_FIRE, (stamp(at), *place, number)).rowcount)


def _alert(row: sqlite3.Row) -> StoredAlert:
    level = Level(*msgspec.json.decode(row["level"], type=_LEVEL))
    return msgspec.convert({**dict(row), "level": level}, StoredAlert)
