"""Approvals in the journal: requested, decided and used, each in the caller's transaction."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from capcli.domain.approval import ApprovalRecord, ApprovalState
from capcli.errors import ApprovalsFull, ApprovalUnknown
from capcli.store import seals
from capcli.store.events import Append, Event
from capcli.store.records import broker_text, insert, record_of, row_of, stamp

BY_CODE = "SELECT * FROM approvals WHERE code_hash = ? ORDER BY rowid"
BY_DIGEST = "SELECT * FROM approvals WHERE digest = ? AND expires_at > ? ORDER BY rowid"
WAITING = """
    SELECT * FROM approvals WHERE state IN ('PENDING', 'APPROVED')
    AND expires_at > ? ORDER BY created_at, rowid"""
VOID_ALL = "UPDATE approvals SET state = 'VOID' WHERE state IN ('PENDING', 'APPROVED') AND expires_at > ?"

_INSERT = insert(ApprovalRecord, "approvals")

# A repeated request has another code, but counts as one.
_WAITING_FOR = """
    SELECT DISTINCT min(digest) AS first FROM approvals
    WHERE state IN ('PENDING', 'APPROVED') AND expires_at > ? AND state = 'PENDING' AND client IS ?
    GROUP BY code_hash"""

_DECIDE = """
    UPDATE approvals SET state = ?, decided_at = ?, decided_by = ?
    WHERE code_hash = ? AND state IN ('PENDING', ?) AND expires_at > ? RETURNING digest"""

# Of a request's codes the oldest approved one is used, and the others become void. A request from the future
# is from a wrong clock: its end is unknown.
_USABLE = """
    SELECT * FROM approvals WHERE digest = ? AND state = 'APPROVED' AND expires_at > ? AND created_at <= ?
    ORDER BY created_at, rowid LIMIT 1"""
_USE = "UPDATE approvals SET state = 'USED' WHERE code_hash = ? AND digest = ?"
_VOID = """
    UPDATE approvals SET state = 'VOID' WHERE digest = ? AND state IN ('PENDING', 'APPROVED')
    RETURNING code_hash"""
_ROW = "SELECT * FROM approvals WHERE code_hash = ? AND digest = ?"
# Decisions from before the journal was accepted do not count.
_TOLD = """
    SELECT seq, to_state, rows FROM events WHERE kind = 'approval'
    AND seq > (SELECT coalesce(max(seq), 0) FROM events WHERE kind = 'accepted')"""
_LAST_STATE = f"{_TOLD} AND instr(detail, ?) AND instr(detail, ?) ORDER BY seq DESC LIMIT 1"
_LATEST = "SELECT max(at) AS at FROM events WHERE seq >= ?"
_LAST_SEAL = f"{_TOLD} AND instr(rows, ?) ORDER BY seq DESC LIMIT 1"


def ask(
    connection: sqlite3.Connection, append: Append, approvals: Sequence[ApprovalRecord], at_most: int | None
) -> bool:
    """Insert the requests of one code; False when the code was given out before. Raises ApprovalsFull."""
    first = approvals[0]
    if connection.execute("SELECT 1 FROM approvals WHERE code_hash = ?", (first.code_hash,)).fetchall():
        return False
    if at_most is not None:
        rows = connection.execute(_WAITING_FOR, (stamp(first.created_at), first.client)).fetchall()
        waiting = {row["first"] for row in rows}
        if len(waiting) >= at_most and min(one.digest for one in approvals) not in waiting:
            raise ApprovalsFull(
                f"{len(waiting)} requests of {first.client or 'this client'} are already waiting for a"
                f" person, the maximum. Nothing was sent, and nobody was asked about this one. Decide"
                f" those first.",
                next=f"capcli approve --watch --env {first.env}",
                waiting=len(waiting),
            )
    for approval in approvals:
        connection.execute(_INSERT, row_of(approval))
        shared = {"code_hash": approval.code_hash, "digest": approval.digest, "by": ""}
        detail = {**shared, "text": broker_text(approval.text).encode()}
        append(Event("approval", approval.created_at, to_state=approval.state, detail=detail))
    return True


def decide(
    connection: sqlite3.Connection,
    append: Append,
    code_hash: str,
    state: ApprovalState,
    shown: Sequence[ApprovalRecord] | None,
    *,
    at: datetime,
    by: str,
) -> bool:
    """Compare and set the requests of a code; False where none waits.

    With `shown` only if they are exactly what a person was shown. No yes for a row that was edited.
    """
    rows = connection.execute(BY_CODE, (code_hash,)).fetchall()
    if shown is not None and [record_of(ApprovalRecord, row) for row in rows] != list(shown):
        return False
    approved = state is ApprovalState.APPROVED
    if approved and not all(_is_as_written(connection, code_hash, row["digest"]) for row in rows):
        return False
    # A yes can be withdrawn until it is used; a no is final.
    before = ApprovalState.PENDING if approved else ApprovalState.APPROVED
    values = (state.value, stamp(at), by, code_hash, before.value, stamp(at))
    decided = connection.execute(_DECIDE, values).fetchall()
    for row in decided:
        append(_decision_event(state, code_hash, row["digest"], at, by))
    return bool(decided)


def use(connection: sqlite3.Connection, append: Append, permit: str | None, now: datetime) -> None:
    """Use an approval in the transaction of its change. Raises ApprovalUnknown."""
    if permit is None:
        return
    row = connection.execute(_USABLE, (permit, stamp(now), stamp(now))).fetchone()
    if (
        row is None
        or not _is_as_written(connection, row["code_hash"], permit)
        # A clock that was set back revives no approval that had expired by the journal's times.
        or _latest(connection, row["code_hash"], permit) >= row["expires_at"]
    ):
        raise ApprovalUnknown(
            "Its approval was used, withdrawn or has expired in the meantime.",
            "Nothing was sent.",
            next="capcli approve",
        )
    connection.execute(_USE, (row["code_hash"], permit))
    append(_decision_event(ApprovalState.USED, row["code_hash"], permit, now))
    for other in connection.execute(_VOID, (permit,)).fetchall():
        append(_decision_event(ApprovalState.VOID, other["code_hash"], permit, now))


def _latest(connection: sqlite3.Connection, code_hash: str, digest: str) -> str:
    """Return the latest time in the journal since an approval was decided."""
    last = connection.execute(_LAST_STATE, (code_hash, digest)).fetchone()
    return str(connection.execute(_LATEST, (last["seq"],)).fetchone()["at"])


def _is_as_written(connection: sqlite3.Connection, code_hash: str, digest: str) -> bool:
    """Whether a row matches its last events, so nobody edited it."""
    row = connection.execute(_ROW, (code_hash, digest)).fetchone()
    last = connection.execute(_LAST_STATE, (code_hash, digest)).fetchone()
    sealed = connection.execute(_LAST_SEAL, (code_hash,)).fetchone()
    if last is None or sealed is None or last["to_state"] != row["state"]:
        return False
    key = ["approvals", [code_hash, digest], seals.row_hash(row)]
    return any(one[:3] == key for one in json.loads(sealed["rows"]))


def _decision_event(state: ApprovalState, code_hash: str, digest: str, at: datetime, by: str = "") -> Event:
    detail = {"code_hash": code_hash, "digest": digest, "by": by}
    return Event("approval", at, to_state=state, detail=detail)
