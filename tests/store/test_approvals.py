"""What a person was asked and said: every step leaves an event, and a yes is used once."""

import json
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.domain.approval import ApprovalState
from capcli.errors import ApprovalUnknown
from capcli.store.journal import SqliteJournal

from .builders import NOW, a_close, a_preview, an_approval, an_attempt

S = ApprovalState
ASKED = an_approval()
CODE, DIGEST = ASKED.code_hash, ASKED.digest
TWIN = replace(ASKED, code_hash="twin", created_at=NOW + timedelta(seconds=1))


@pytest.fixture(autouse=True)
def shown(journal: SqliteJournal) -> None:
    """The preview that the approvals are for."""
    journal.save_preview(a_preview())


def told(raw: sqlite3.Connection) -> list[tuple[str, Any]]:
    """Return state, code and digest of every event about an approval."""
    rows = raw.execute("SELECT to_state, detail FROM events WHERE kind = 'approval' ORDER BY seq")
    return [(state, json.loads(detail)) for state, detail in rows]


def states(journal: SqliteJournal) -> dict[str, S]:
    return {one.code_hash: one.state for one in journal.approvals_of(DIGEST, now=NOW)}


@pytest.mark.parametrize("table", ["approvals", "switches"])
def test_what_was_asked_and_switched_is_not_deleted(
    journal: SqliteJournal, raw: sqlite3.Connection, table: str
) -> None:
    assert journal.ask_approval([ASKED])
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} are kept"):
        raw.execute(f"DELETE FROM {table}")


def test_every_step_of_an_approval_is_told_with_the_request_that_it_is_for(
    journal: SqliteJournal, raw: sqlite3.Connection
) -> None:
    assert journal.ask_approval([ASKED, TWIN])
    assert journal.decide(CODE, S.APPROVED, at=NOW, by="terminal")
    journal.open_attempt(a_close(), permit=DIGEST)
    assert states(journal) == {CODE: S.USED, "twin": S.VOID}
    steps = told(raw)
    assert [state for state, _ in steps] == ["PENDING", "PENDING", "APPROVED", "USED", "VOID"]
    assert {detail["digest"] for _, detail in steps} == {DIGEST}


def test_a_yes_is_used_once(journal: SqliteJournal) -> None:
    journal.ask_approval([ASKED])
    journal.decide(CODE, S.APPROVED, at=NOW, by="terminal")
    assert journal.claim("p_000000000001", an_attempt(), now=NOW, permit=DIGEST)
    with pytest.raises(ApprovalUnknown):
        journal.open_attempt(a_close(), permit=DIGEST)
    assert journal.attempt("a_00000000000c") is None


@pytest.mark.parametrize("state", [S.PENDING, S.USED])
def test_nobody_decides_that_an_approval_waits_or_was_used(journal: SqliteJournal, state: S) -> None:
    journal.ask_approval([ASKED])
    with pytest.raises(ValueError, match=state.value):
        journal.decide(CODE, state, at=NOW, by="terminal")
    assert states(journal) == {CODE: S.PENDING}


def test_a_no_stays_one_and_a_yes_can_be_taken_back(journal: SqliteJournal) -> None:
    journal.ask_approval([ASKED, TWIN])
    assert journal.decide("twin", S.DENIED, at=NOW, by="terminal")
    assert not journal.decide("twin", S.APPROVED, at=NOW, by="terminal")
    assert journal.decide(CODE, S.APPROVED, at=NOW, by="terminal")
    assert journal.decide(CODE, S.VOID, at=NOW, by="terminal")
    assert not journal.decide(CODE, S.APPROVED, at=NOW, by="terminal")
    assert states(journal) == {CODE: S.VOID, "twin": S.DENIED}


def test_an_approval_that_ran_out_is_neither_given_nor_shown(journal: SqliteJournal) -> None:
    journal.ask_approval([ASKED])
    end = ASKED.expires_at
    assert journal.approvals_waiting(now=end - timedelta(seconds=1)) == (ASKED,)
    assert journal.approvals_waiting(now=end) == ()
    assert journal.approvals_of(DIGEST, now=end) == ()
    assert not journal.decide(CODE, S.APPROVED, at=end, by="terminal")
    assert journal.decide(CODE, S.APPROVED, at=end - timedelta(seconds=1), by="terminal")
    with pytest.raises(ApprovalUnknown):
        journal.open_attempt(a_close(created_at=end), permit=DIGEST)
