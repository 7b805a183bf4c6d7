"""The journal of previews, attempts and events in SQLite. Nothing in it is ever deleted or given back."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from capcli.domain.approval import ApprovalRecord, ApprovalState
from capcli.domain.attempt import TRANSITIONS, AttemptRecord, AttemptState, PreviewRecord, PreviewState
from capcli.domain.chain import Anchor
from capcli.domain.mandate import MandateState, Permit, Spend
from capcli.errors import JournalUnreadable
from capcli.ports.journal import DealTaken
from capcli.store import approvals, seals
from capcli.store.account_events import AccountEvents
from capcli.store.alerts import Alerts
from capcli.store.chain import Chain
from capcli.store.custody import Custody
from capcli.store.db import Database
from capcli.store.deal_numbers import DealNumbers
from capcli.store.events import Append, Event
from capcli.store.mandates import Mandates, end, spend
from capcli.store.records import insert, record_of, row_of, stamp
from capcli.system import guard_folder

_BRIEF_S = 1.0

_FIXED = frozenset(
    {
        "attempt_id",
        "kind",
        "env",
        "host",
        "account_id",
        "method",
        "path",
        "preview_id",
        "state",
        "body_sha256",
    }
    | {"created_at", "deal_id"}
)
_SHARED = ("kind", "env", "host", "account_id", "method", "path", "body_sha256")
"""What an attempt has from the preview that it claims."""

_FACTS = frozenset(AttemptRecord.__struct_fields__) - _FIXED
"""What a move may change of an attempt."""

_INSERT_PREVIEW = insert(PreviewRecord, "previews")
_INSERT_ATTEMPT = f"{insert(AttemptRecord, 'attempts')} ON CONFLICT (preview_id) DO NOTHING"
_MOVE = f"""
    UPDATE attempts SET state = :state, {", ".join(f"{name} = :{name}" for name in sorted(_FACTS))}
    WHERE id = :id AND state = :from_state"""  # noqa: S608  our own words

_OWNERS = "SELECT name, attempt_id FROM owned_deals WHERE env = ? AND host = ? AND name IN ({})"
_CHANGED = """
    SELECT DISTINCT deal_id FROM attempts WHERE env = ? AND host = ? AND kind IN ('AMEND', 'WORKING_UPDATE')
    AND state NOT IN ('NOT_SENT', 'REFUSED', 'REJECTED', 'ABSENT') AND deal_id IN ({})"""
# The states are literals, to match the partial index.
_FIND_UNRESOLVED = f"""
    SELECT * FROM attempts WHERE env = ? AND host = ? AND account_id = ?
    AND state IN ({", ".join(f"'{state.value}'" for state in AttemptState if state.unresolved)})
    ORDER BY created_at, rowid"""  # noqa: S608  our own words

_CLAIM = (
    "UPDATE previews SET state = 'CLAIMED' WHERE id = ? AND state = 'READY' AND expires_at > ? RETURNING *"
)
_EXPIRE = "UPDATE previews SET state = 'EXPIRED' WHERE id = ? AND state = 'READY' AND expires_at <= ?"

# No preview and no approval lives longer, by any clock.
_LONGEST_LIFE = timedelta(days=1)
_EXPIRE_ALL = "UPDATE previews SET state = 'EXPIRED' WHERE state = 'READY' AND expires_at > ?"
_CLAIMED = "SELECT * FROM attempts WHERE state = 'CLAIMED'"
_ATTEMPT = "SELECT * FROM attempts WHERE id = ?"


class SqliteJournal:
    """The `Journal` port over one SQLite file. Safe to share between threads; opened on first use."""

    def __init__(
        self,
        path: Path,
        *,
        key: Callable[[], bytes | None] = lambda: None,
        anchor: Callable[[], Anchor | None] = lambda: None,
        database: Database | None = None,
        guard: Path | None = None,
    ) -> None:
        """`key` and `anchor` ask the keychain; `guard` is the guard folder, by default this user's own."""
        self._db = database or Database(path)
        self._chain = Chain(self._db, Custody(path, guard or guard_folder()), key, anchor)
        # The port's methods about the whole file are the chain's.
        self._writing = self._chain.writing
        self.close = self._chain.close
        self.inspect = self._chain.inspect
        self.require_intact = self._chain.require_intact
        self.remembered = self._chain.remembered

    @property
    def keyed_head(self) -> tuple[int, str] | None:
        """Return number and hash of the last event that this process wrote with the chain's key."""
        return self._chain.keyed_head

    def accept(
        self, altered: Sequence[tuple[str, tuple[Any, ...]]], *, at: datetime, reason: str
    ) -> tuple[int, str]:
        """Accept the journal as it is now, with its altered rows.

        Earlier previews, approvals and mandates become void: they may have been used without a record. A
        claimed order may have been sent: it is searched like a lost one. Return number and hash of the last
        event. Raises JournalUnreadable, StateFolderUnusable.
        """
        with self._writing(accepting=True) as (connection, append):
            for table, key in altered:
                seals.touch(connection, table, key)
            # They may have been used without a record.
            connection.execute(_EXPIRE_ALL, (stamp(at - _LONGEST_LIFE),))
            connection.execute(approvals.VOID_ALL, (stamp(at - _LONGEST_LIFE),))
            active = [row[0] for row in connection.execute("SELECT id FROM mandates WHERE state = 'ACTIVE'")]
            end(connection, append, active, MandateState.VOID, at=at, by="capcli history accept")
            for row in connection.execute(_CLAIMED).fetchall():
                claimed = self._db.read(partial(record_of, AttemptRecord), row)
                begun = replace(claimed, state=AttemptState.SENDING, sent_at=claimed.created_at)
                connection.execute(_MOVE, row_of(begun) | {"from_state": claimed.state.value})
                facts = {"sent_at": begun.sent_at}
                append(Event("move", at, begun.attempt_id, claimed.state, begun.state, facts))
            append(Event("accepted", at, detail={"reason": reason, "altered": len(altered)}))
        row = self._db.rows("SELECT seq, hash FROM events WHERE seq = (SELECT max(seq) FROM events)")[0]
        return row["seq"], row["hash"]

    def save_preview(self, preview: PreviewRecord) -> None:
        detail = {"document": preview.document, **_named(preview)}
        event = Event("preview", preview.created_at, to_state=preview.state, detail=detail)
        with self._writing() as (connection, append):
            connection.execute(_INSERT_PREVIEW, row_of(preview))
            append(event)

    def preview(self, preview_id: str) -> PreviewRecord | None:
        return self._db.record(PreviewRecord, "SELECT * FROM previews WHERE id = ?", (preview_id,))

    def previews(self, env: str, *, limit: int) -> tuple[PreviewRecord, ...]:
        newest = "SELECT * FROM previews WHERE env = ? ORDER BY created_at DESC, rowid DESC LIMIT ?"
        return self._db.records(PreviewRecord, newest, (env, limit))

    def attempt(self, attempt_id: str) -> AttemptRecord | None:
        return self._db.record(AttemptRecord, _ATTEMPT, (attempt_id,))

    def check(self) -> None:
        """Run SQLite's integrity check. Raises JournalUnreadable for a damaged file."""
        found = [str(row[0]) for row in self._db.rows("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise JournalUnreadable(
                f"The journal {self._db.path} is damaged ({found[0][:100]}). It is not written to any more:"
                " trading stops. Keep the file and restore a copy of it.",
                next="capcli config path",
            )

    def attempt_of(self, preview_id: str) -> AttemptRecord | None:
        return self._db.record(AttemptRecord, "SELECT * FROM attempts WHERE preview_id = ?", (preview_id,))

    def unresolved(self, env: str, host: str, account_id: str) -> tuple[AttemptRecord, ...]:
        return self._db.records(AttemptRecord, _FIND_UNRESOLVED, (env, host, account_id))

    def recent(self, env: str, host: str, account_id: str, since: datetime) -> tuple[AttemptRecord, ...]:
        sent = """SELECT * FROM attempts WHERE env = ? AND host = ? AND account_id = ? AND sent_at >= ?
            ORDER BY sent_at, rowid"""
        return self._db.records(AttemptRecord, sent, (env, host, account_id, stamp(since)))

    def attempts(self, env: str, *, limit: int) -> tuple[AttemptRecord, ...]:
        newest = "SELECT * FROM attempts WHERE env = ? ORDER BY created_at DESC, rowid DESC LIMIT ?"
        return self._db.records(AttemptRecord, newest, (env, limit))

    def moved_at(self, attempt_id: str) -> datetime | None:
        latest = """SELECT seq, at FROM events WHERE attempt_id = ? AND to_state IS NOT NULL
            ORDER BY seq DESC LIMIT 1"""
        row = self._db.row(latest, (attempt_id,))
        return None if row is None else self._db.read(lambda row: datetime.fromisoformat(row["at"]), row)

    def claim(
        self, preview_id: str, attempt: AttemptRecord, *, now: datetime, permit: Permit | None = None
    ) -> PreviewRecord | None:
        if attempt.preview_id != preview_id or attempt.state is not AttemptState.CLAIMED:
            raise ValueError(f"{attempt.attempt_id} is not a claim of {preview_id}")
        with self._writing(risk=True) as (connection, append):
            # Fetch all rows: an open statement would block the commit.
            won = connection.execute(_CLAIM, (preview_id, stamp(now))).fetchall()
            if not won:
                if connection.execute(_EXPIRE, (preview_id, stamp(now))).rowcount:
                    named = {"preview_id": preview_id}
                    append(Event("expired", now, None, PreviewState.READY, PreviewState.EXPIRED, named))
                return None
            preview = self._db.read(partial(record_of, PreviewRecord), won[0])
            if wrong := [name for name in _SHARED if getattr(preview, name) != getattr(attempt, name)]:
                raise ValueError(f"{attempt.attempt_id} is not for {preview_id}: {', '.join(wrong)} differ")
            # A preview with an attempt was claimed before, whatever its state says: leave it CLAIMED.
            if connection.execute(_INSERT_ATTEMPT, row_of(attempt)).rowcount == 0:
                append(Event("claimed_before", now, detail=_named(preview)))
                return None
            _use(connection, append, permit, attempt.attempt_id, now)
            states = (PreviewState.READY, AttemptState.CLAIMED)
            append(Event("claim", now, attempt.attempt_id, *states, _named(preview)))
            return preview

    def open_attempt(self, attempt: AttemptRecord, *, permit: Permit | None = None) -> None:
        if attempt.preview_id is not None:
            raise ValueError(f"{attempt.attempt_id} has a preview: it has to be claimed")
        detail = {"kind": attempt.kind, "body_sha256": attempt.body_sha256}
        opened = Event("open", attempt.created_at, attempt.attempt_id, None, attempt.state, detail)
        with self._writing() as (connection, append):
            connection.execute(_INSERT_ATTEMPT, row_of(attempt))
            _use(connection, append, permit, attempt.attempt_id, attempt.created_at)
            append(opened)

    def unrecorded(self, _attempt_id: str) -> tuple[str, ...]:
        return ()

    def move(
        self,
        attempt_id: str,
        from_state: AttemptState,
        to_state: AttemptState,
        *,
        at: datetime,
        **facts: Any,
    ) -> bool:
        if to_state not in TRANSITIONS[from_state]:
            raise ValueError(f"An attempt never goes from {from_state} to {to_state}")
        if to_state is AttemptState.SENDING:
            # Set here, so that no caller can forget it: daily limits count attempts with a send time.
            facts.setdefault("sent_at", at)
        if not to_state.unresolved:
            facts.setdefault("ended_at", at)
        return self._set(attempt_id, from_state, Event("move", at, attempt_id, from_state, to_state, facts))

    def observe(self, attempt_id: str, state: AttemptState, *, at: datetime, **facts: Any) -> bool:
        return self._set(attempt_id, state, Event("observe", at, attempt_id, state, None, facts))

    def _set(self, attempt_id: str, from_state: AttemptState, event: Event) -> bool:
        if unknown := event.detail.keys() - _FACTS:
            raise ValueError(f"Not a fact that a move may change: {', '.join(sorted(unknown))}")
        with self._writing() as (connection, append):
            row = connection.execute(_ATTEMPT, (attempt_id,)).fetchone()
            if row is None:
                raise ValueError(f"No attempt has the id {attempt_id}")
            before = self._db.read(partial(record_of, AttemptRecord), row)
            if before.state is not from_state:
                return False
            state = AttemptState(event.to_state or from_state)
            after = replace(before, state=state, **event.detail)
            connection.execute(_MOVE, row_of(after) | {"from_state": from_state.value})
            if _owned(after) != _owned(before):
                _own(connection, after)
            append(event)
            return True

    def owners(self, env: str, host: str, names: Iterable[str]) -> Mapping[str, str]:
        return {row["name"]: row["attempt_id"] for row in self._db.rows_about(_OWNERS, (env, host), names)}

    def changed_deals(self, env: str, host: str, deal_ids: Iterable[str]) -> frozenset[str]:
        return frozenset(row["deal_id"] for row in self._db.rows_about(_CHANGED, (env, host), deal_ids))

    @property
    def mandates(self) -> Mandates:
        return Mandates(self._db, self._writing)

    @property
    def account_events(self) -> AccountEvents:
        return AccountEvents(self._db, self._writing)

    @property
    def alerts(self) -> Alerts:
        return Alerts(self._db, self._writing)

    @property
    def deal_numbers(self) -> DealNumbers:
        """The deals' numbers, for use at a terminal."""
        return DealNumbers(self._db, lambda: self._writing(wait_s=_BRIEF_S))

    def note(
        self,
        attempt_id: str | None,
        kind: str,
        *,
        at: datetime,
        detail: Mapping[str, Any],
        permit: Permit | None = None,
    ) -> None:
        with self._writing() as (connection, append):
            _use(connection, append, permit, attempt_id, at)
            append(Event(kind, at, attempt_id, detail=detail))

    def notes(self, kind: str) -> tuple[tuple[datetime, Mapping[str, Any]], ...]:
        rows = self._db.rows("SELECT seq, at, detail FROM events WHERE kind = ? ORDER BY seq", (kind,))
        return tuple(
            self._db.read(lambda row: (datetime.fromisoformat(row["at"]), json.loads(row["detail"])), row)
            for row in rows
        )

    def ask_approval(self, requests: Sequence[ApprovalRecord], *, at_most: int | None = None) -> bool:
        with self._writing() as (connection, append):
            return approvals.ask(connection, append, requests, at_most)

    def approvals(self, code_hash: str) -> tuple[ApprovalRecord, ...]:
        return self._db.records(ApprovalRecord, approvals.BY_CODE, (code_hash,))

    def approvals_of(self, digest: str, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        return self._db.records(ApprovalRecord, approvals.BY_DIGEST, (digest, stamp(now)))

    def approvals_waiting(self, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        return self._db.records(ApprovalRecord, approvals.WAITING, (stamp(now),))

    def decide(
        self,
        code_hash: str,
        state: ApprovalState,
        *,
        at: datetime,
        by: str,
        shown: Sequence[ApprovalRecord] | None = None,
    ) -> bool:
        if state not in {ApprovalState.APPROVED, ApprovalState.DENIED, ApprovalState.VOID}:
            raise ValueError(f"Nobody decides that an approval is {state}")
        with self._writing() as (connection, append):
            return approvals.decide(connection, append, code_hash, state, shown, at=at, by=by)


def _owned(attempt: AttemptRecord) -> list[str]:
    """Return the names that an opening order alone owns: its reference, its id, its deals."""
    names = (attempt.deal_reference, attempt.order_id, *attempt.opened_deal_ids)
    return sorted(set(filter(None, names))) if attempt.kind.is_order else []


def _own(connection: sqlite3.Connection, attempt: AttemptRecord) -> None:
    """Record the names an opening order owns. Raises DealTaken."""
    connection.execute("DELETE FROM owned_deals WHERE attempt_id = ?", (attempt.attempt_id,))
    for name in _owned(attempt):
        place = (attempt.env, attempt.host, name)
        sql = "SELECT attempt_id FROM owned_deals WHERE env = ? AND host = ? AND name = ?"
        for owner in connection.execute(sql, place).fetchall():
            raise DealTaken(name, owner["attempt_id"])
        connection.execute("INSERT INTO owned_deals VALUES (?, ?, ?, ?)", (*place, attempt.attempt_id))


def _use(
    connection: sqlite3.Connection,
    append: Append,
    permit: Permit | None,
    attempt_id: str | None,
    now: datetime,
) -> None:
    """Use an approval or a mandate in the change's transaction. Raises ApprovalUnknown, MandateEnded."""
    if not isinstance(permit, Spend):
        approvals.use(connection, append, permit, now)
    elif attempt_id is None:
        raise ValueError("A mandate covers attempts only")
    else:
        spend(connection, append, permit, attempt_id, now)


def _named(preview: PreviewRecord) -> dict[str, str]:
    return {"preview_id": preview.preview_id, "body_sha256": preview.body_sha256}
