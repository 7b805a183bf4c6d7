"""Mandates in the journal: used in one transaction with the claim, never changed, ended for good."""

import sqlite3
from datetime import timedelta
from decimal import Decimal

import pytest

from capcli.domain.attempt import PreviewState
from capcli.domain.mandate import Deed, MandateState, Spend
from capcli.errors import MandateEnded, NameTaken
from capcli.store.journal import SqliteJournal

from .builders import NOW, a_close, a_mandate, a_preview, an_attempt

OPEN = Spend("m_1", "night", Deed.OPEN, Decimal("7.5"))
CLOSE = Spend("m_1", "night", Deed.CLOSE)
LATER = NOW + timedelta(hours=6)


@pytest.fixture(autouse=True)
def granted(journal: SqliteJournal) -> None:
    journal.mandates.grant(a_mandate())


def claim(journal: SqliteJournal, number: int, *, use: Spend = OPEN, hours: float = 0) -> None:
    at = NOW + timedelta(hours=hours)
    preview = a_preview(f"p_{number}", created_at=at, expires_at=at + timedelta(seconds=120))
    journal.save_preview(preview)
    attempt = an_attempt(f"a_{number}", preview_id=f"p_{number}", created_at=at)
    journal.claim(f"p_{number}", attempt, now=at, permit=use)


def test_a_use_is_kept_with_the_attempt_that_it_is_for(journal: SqliteJournal) -> None:
    claim(journal, 1)
    journal.open_attempt(a_close("a_c"), permit=CLOSE)
    (opened, first), (closed, second) = journal.mandates.uses("m_1")
    assert (opened.number, opened.reserved, first.attempt_id) == (1, Decimal("7.5"), "a_1")
    assert (closed.number, closed.deed, second.attempt_id) == (None, Deed.CLOSE, "a_c")
    assert journal.mandates.names(["a_1", "a_c", "a_x"]) == {"a_1": "night", "a_c": "night"}
    assert journal.inspect(None).breaks == ()


def test_the_last_order_is_used_once_and_the_next_claims_nothing(journal: SqliteJournal) -> None:
    for number in (1, 2, 3):
        claim(journal, number)
    with pytest.raises(MandateEnded, match="last order"):
        claim(journal, 4)
    assert journal.attempt("a_4") is None
    preview = journal.preview("p_4")
    assert preview is not None
    assert preview.state is PreviewState.READY
    # Closing takes none of its orders.
    journal.open_attempt(a_close("a_c"), permit=CLOSE)


@pytest.mark.parametrize("state", [state for state in MandateState if state is not MandateState.ACTIVE])
def test_what_ended_covers_nothing_and_stays_ended(journal: SqliteJournal, state: MandateState) -> None:
    journal.mandates.end(["m_1"], state, at=NOW, by="a person")
    with pytest.raises(MandateEnded):
        claim(journal, 1)
    with pytest.raises(MandateEnded):
        journal.open_attempt(a_close("a_c"), permit=CLOSE)
    assert journal.attempt("a_c") is None
    journal.mandates.end(["m_1"], MandateState.EXPIRED, at=LATER, by="another")
    (mandate,) = journal.mandates.of(since=NOW - timedelta(days=1))
    assert (mandate.state, mandate.ended_at) == (state, NOW)
    assert journal.mandates.active() == ()


def test_its_end_counts_by_the_latest_time_that_the_journal_holds(journal: SqliteJournal) -> None:
    journal.note(None, "alarm", at=LATER, detail={})
    journal.note(None, "alarm", at=NOW, detail={})
    assert journal.mandates.latest_event_at("m_1") == LATER
    with pytest.raises(MandateEnded):
        claim(journal, 1)


def test_entries_from_before_the_grant_do_not_count(journal: SqliteJournal) -> None:
    journal.note(None, "alarm", at=LATER + timedelta(days=1), detail={})
    journal.mandates.grant(a_mandate("m_2", name="day"))
    claim(journal, 1, use=Spend("m_2", "day", Deed.OPEN))
    assert len(journal.mandates.uses("m_2")) == 1


def test_one_name_is_in_force_once_in_an_environment(journal: SqliteJournal) -> None:
    with pytest.raises(NameTaken, match="is in force on demo until"):
        journal.mandates.grant(a_mandate("m_2"))
    journal.mandates.grant(a_mandate("m_3", env="paper"))
    journal.mandates.end(["m_1"], MandateState.REVOKED, at=NOW, by="a person")
    journal.mandates.grant(a_mandate("m_4"))
    assert {one.mandate_id for one in journal.mandates.active()} == {"m_3", "m_4"}


def test_a_mandate_past_its_end_gives_its_name_free(journal: SqliteJournal) -> None:
    journal.mandates.grant(a_mandate("m_2", granted_at=LATER, expires_at=LATER + timedelta(hours=1)))
    assert journal.mandates.by_secret(a_mandate("m_2").secret_hash) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM mandates",
        "DELETE FROM mandate_uses",
        "UPDATE mandate_uses SET reserved = '0'",
    ],
)
def test_the_file_itself_forgets_no_mandate_and_no_use(
    journal: SqliteJournal, raw: sqlite3.Connection, statement: str
) -> None:
    claim(journal, 1)
    with pytest.raises(sqlite3.IntegrityError, match="kept"):
        raw.execute(statement)


def test_only_its_state_and_the_time_of_its_end_can_change(
    journal: SqliteJournal, raw: sqlite3.Connection
) -> None:
    columns = [row[1] for row in raw.execute("PRAGMA table_info(mandates)")]
    assert columns[-2:] == ["state", "ended_at"]
    for column in columns[:-2]:
        with pytest.raises(sqlite3.IntegrityError, match="only ends"):
            raw.execute(f"UPDATE mandates SET {column} = 7")
    raw.execute("UPDATE mandates SET state = 'REVOKED', ended_at = 'x'")


def test_the_file_itself_revives_none(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    journal.mandates.end(["m_1"], MandateState.REVOKED, at=NOW, by="a person")
    with pytest.raises(sqlite3.IntegrityError, match="only ends"):
        raw.execute("UPDATE mandates SET state = 'ACTIVE'")


def test_two_uses_cannot_share_a_number(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    claim(journal, 1)
    journal.save_preview(a_preview("p_2"))
    journal.claim("p_2", an_attempt("a_2", preview_id="p_2"), now=NOW)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        raw.execute("INSERT INTO mandate_uses VALUES ('a_2', 'm_1', 'OPEN', 1, '0', 'x')")


def test_a_decision_of_another_kind_is_covered_by_none(journal: SqliteJournal) -> None:
    with pytest.raises(ValueError, match="attempts only"):
        journal.note(None, "account_change", at=NOW, detail={}, permit=OPEN)
