"""Events of each account, numbered in the order this computer learned of them, and the polls' state."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from capcli.domain.account_events import EventKind, Happened, JournalEntry, Keyed, Numbered, Place
from capcli.domain.market import Side
from capcli.store.alerts import fire
from capcli.store.custody import Ask, asking
from capcli.store.db import Database
from capcli.store.events import Event, Writing
from capcli.store.records import row_of, stamp

_OF = "env = ? AND host = ? AND account_id = ?"
_AFTER = f"SELECT * FROM account_events WHERE {_OF} AND number > ? ORDER BY number LIMIT ?"  # noqa: S608
_LATEST = f"SELECT * FROM account_events WHERE {_OF} AND at >= ? ORDER BY number DESC LIMIT ?"  # noqa: S608
_LAST = f"SELECT max(number) AS number FROM account_events WHERE {_OF}"  # noqa: S608
_BY_KEY = f"SELECT * FROM account_events WHERE {_OF} AND name = ?"  # noqa: S608
_SIDES = f"SELECT deal_id, fact FROM account_events WHERE {_OF} AND deal_id IN ({{}})"  # noqa: S608
_INSERT = "INSERT INTO account_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_STATE = f"SELECT state FROM account_looks WHERE {_OF}"  # noqa: S608
_KEEP = """
    INSERT INTO account_looks VALUES (?, ?, ?, ?)
    ON CONFLICT (env, host, account_id) DO UPDATE SET state = excluded.state"""
_MOVES = """
    SELECT seq, hash, attempt_id, kind, at, from_state, to_state, detail FROM events
    WHERE seq > ? AND at >= ? AND kind IN ('move', 'halt', 'resume', 'approval') ORDER BY seq"""


class AccountEvents:
    """The `EventBook` port over the journal."""

    def __init__(self, db: Database, writing: Writing) -> None:
        self._db = db
        self._writing = writing

    def after(self, place: Place, number: int, limit: int) -> tuple[Numbered, ...]:
        return tuple(map(_numbered, self._db.rows(_AFTER, (*place, number, limit))))

    def latest(self, place: Place, since: datetime, limit: int) -> tuple[Numbered, ...]:
        return tuple(map(_numbered, self._db.rows(_LATEST, (*place, stamp(since), limit))[::-1]))

    def last(self, place: Place) -> int:
        """Return the number of the last event; 0 before the first."""
        row = self._db.row(_LAST, place)
        return int(row["number"] or 0) if row else 0

    def has(self, place: Place, key: str) -> bool:
        return self._db.row(_BY_KEY, (*place, key)) is not None

    def sides(self, place: Place, deal_ids: Iterable[str]) -> dict[str, Side]:
        rows = self._db.rows_about(_SIDES, place, deal_ids)
        facts = ((row["deal_id"], _read(row["fact"])) for row in rows)
        return {deal: fact.side for deal, fact in facts if fact.kind is EventKind.FILLED and fact.side}

    def state(self, place: Place) -> Mapping[str, Any] | None:
        row = self._db.row(_STATE, place)
        return None if row is None else dict(json.loads(row["state"]))

    def entries(self, after: int, since: datetime) -> tuple[JournalEntry, ...]:
        return tuple(
            JournalEntry(
                row["seq"],
                f"{row['seq']} {row['hash'][-12:]}",
                row["kind"],
                datetime.fromisoformat(row["at"]),
                row["attempt_id"],
                row["from_state"],
                row["to_state"],
                dict(json.loads(row["detail"])),
            )
            for row in self._db.rows(_MOVES, (after, stamp(since)))
        )

    def unknown(self, place: Place, facts: Iterable[Keyed]) -> list[Keyed]:
        return [(key, fact) for key, fact in facts for _ in _names(self._db.row, place, key, fact)]

    def record(self, place: Place, facts: Sequence[Keyed], state: Mapping[str, Any], *, at: datetime) -> None:
        """A stored alert fires together with its event, and only while it waits."""
        with self._writing() as (connection, append):
            last = connection.execute(_LAST, place).fetchone()["number"] or 0
            new = 0
            for key, fact in facts:
                if fact.alert_id is not None and not fire(connection, place, int(fact.alert_id), fact.at):
                    continue
                for name, repeat in _names(asking(connection), place, key, fact):
                    new += 1
                    row = (last + new, name, stamp(fact.at), fact.deal_id, _written(fact), int(repeat))
                    connection.execute(_INSERT, (*place, *row))
            text = json.dumps(dict(state), sort_keys=True, separators=(",", ":"))
            connection.execute(_KEEP, (*place, text))
            append(Event("account_events", at, detail={"account_id": place[2], "events": new}))


def _names(ask: Ask, place: Place, key: str, fact: Happened) -> Iterator[tuple[str, bool]]:
    """Yield an event's unique name, and whether it repeats one that lacked its price."""
    before = ask(_BY_KEY, (*place, key))
    if before is None:
        yield key, False
    elif fact.is_complete and not _read(before["fact"]).is_complete:
        full = f"{key} complete"
        if ask(_BY_KEY, (*place, full)) is None:
            yield full, True


def _numbered(row: sqlite3.Row) -> Numbered:
    return Numbered(row["number"], bool(row["repeat"]), _read(row["fact"]))


def _written(fact: Happened) -> str:
    known = {name: value for name, value in row_of(fact).items() if value is not None}
    return json.dumps(known, sort_keys=True, separators=(",", ":"))


def _read(text: str) -> Happened:
    return msgspec.json.decode(text, type=Happened)
