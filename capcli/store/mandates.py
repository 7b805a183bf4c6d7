"""Mandates in the journal: granted, used in the transaction of a change, and ended permanently."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from capcli.domain.attempt import AttemptRecord
from capcli.domain.mandate import Deed, Mandate, MandateState, Spend, Use
from capcli.errors import MandateEnded, NameTaken
from capcli.store.db import Database
from capcli.store.events import Append, Event, Writing
from capcli.store.records import insert, record_of, row_of, stamp

_INSERT = insert(Mandate, "mandates")
_IN_FORCE = "SELECT * FROM mandates WHERE state = 'ACTIVE' AND expires_at > ?"
_END = "UPDATE mandates SET state = ?, ended_at = ? WHERE id = ? AND state = 'ACTIVE'"
_USES = """
    SELECT attempt_id, mandate_id, deed, number, reserved, at, attempts.*
    FROM mandate_uses AS uses JOIN attempts ON attempts.id = uses.attempt_id
    WHERE mandate_id = ? ORDER BY uses.at, uses.rowid"""
_LATEST = """
    SELECT max(at) AS at FROM events WHERE seq >= (
        SELECT min(seq) FROM events WHERE kind = 'mandate' AND to_state = 'ACTIVE' AND detail LIKE ?)"""
_NAMES = """
    SELECT attempt_id, name FROM mandate_uses JOIN mandates ON mandates.id = mandate_id
    WHERE attempt_id IN ({})"""


class Mandates:
    """The `MandateBook` port over the journal."""

    def __init__(self, db: Database, writing: Writing) -> None:
        self._db = db
        self._writing = writing

    def grant(self, mandate: Mandate) -> None:
        one = mandate
        with self._writing() as (connection, append):
            for row in connection.execute(_IN_FORCE, (stamp(one.granted_at),)).fetchall():
                if (row["name"], row["env"]) == (one.name, one.env):
                    raise NameTaken(
                        f"The mandate {one.name} is in force on {one.env} until {row['expires_at'][:16]}Z. "
                        "Nothing was granted.",
                        next=f"capcli mandate revoke {one.name} --env {one.env}",
                    )
            connection.execute(_INSERT, row_of(one))
            detail = {"mandate_id": one.mandate_id, "name": one.name}
            append(Event("mandate", one.granted_at, to_state=one.state, detail=detail))

    def end(self, mandate_ids: Iterable[str], state: MandateState, *, at: datetime, by: str) -> None:
        wanted = tuple(mandate_ids)
        if wanted:
            with self._writing() as (connection, append):
                end(connection, append, wanted, state, at=at, by=by)

    def by_secret(self, secret_hash: str) -> Mandate | None:
        return self._db.record(Mandate, "SELECT * FROM mandates WHERE secret_hash = ?", (secret_hash,))

    def of(self, *, since: datetime) -> tuple[Mandate, ...]:
        known = "SELECT * FROM mandates WHERE state = 'ACTIVE' OR ended_at > ? ORDER BY granted_at DESC"
        return self._db.records(Mandate, known, (stamp(since),))

    def active(self) -> tuple[Mandate, ...]:
        return self._db.records(Mandate, "SELECT * FROM mandates WHERE state = 'ACTIVE'")

    def uses(self, mandate_id: str) -> tuple[tuple[Use, AttemptRecord], ...]:

        def both(row: sqlite3.Row) -> tuple[Use, AttemptRecord]:
            return record_of(Use, row), record_of(AttemptRecord, row)

        return tuple(self._db.read(both, row) for row in self._db.rows(_USES, (mandate_id,)))

    def names(self, attempt_ids: Iterable[str]) -> dict[str, str]:
        return {row["attempt_id"]: row["name"] for row in self._db.rows_about(_NAMES, (), attempt_ids)}

    def latest_event_at(self, mandate_id: str) -> datetime:
        """Return the latest time in the journal since a grant: a clock before that was set back."""
        row = self._db.row(_LATEST, (f'%"{mandate_id}"%',))
        return datetime.fromisoformat(row["at"] if row is not None else "")


def spend(connection: sqlite3.Connection, append: Append, use: Spend, attempt_id: str, at: datetime) -> None:
    """Use a mandate in the transaction of the change. Raises MandateEnded.

    The later of this computer's clock and the journal's latest time counts, so that setting a clock back does
    not revive a mandate.
    """
    (latest,) = connection.execute(_LATEST, (f'%"{use.mandate_id}"%',)).fetchone()
    now = max(stamp(at), latest or "")
    row = connection.execute("SELECT * FROM mandates WHERE id = ?", (use.mandate_id,)).fetchone()
    if row is None or row["state"] != MandateState.ACTIVE or row["expires_at"] <= now:
        raise MandateEnded(f"The mandate {use.name} ended a moment ago.", "Nothing was sent.")
    number = None
    if use.deed is Deed.OPEN:
        count = "SELECT count(number) FROM mandate_uses WHERE mandate_id = ?"
        number = connection.execute(count, (use.mandate_id,)).fetchone()[0] + 1
        if number > row["orders"]:
            raise MandateEnded(
                f"The last order of the mandate {use.name} was used a moment ago.", "Nothing was sent."
            )
    values = (attempt_id, use.mandate_id, use.deed.value, number, str(use.reserved), stamp(at))
    connection.execute("INSERT INTO mandate_uses VALUES (?, ?, ?, ?, ?, ?)", values)
    detail = {"mandate_id": use.mandate_id, "name": use.name, "deed": use.deed.value, "number": number}
    append(Event("mandate_used", at, attempt_id, detail=detail))


def end(
    connection: sqlite3.Connection,
    append: Append,
    mandate_ids: Iterable[str],
    state: MandateState,
    *,
    at: datetime,
    by: str,
) -> None:
    """End mandates in a transaction of the journal."""
    for mandate_id in mandate_ids:
        if connection.execute(_END, (state.value, stamp(at), mandate_id)).rowcount:
            detail = {"mandate_id": mandate_id, "by": by}
            append(Event("mandate", at, None, MandateState.ACTIVE, state, detail))
