import hashlib
import json
import sqlite3
from decimal import Decimal

import pytest

from capcli.domain.attempt import AttemptState
from capcli.store.journal import SqliteJournal

from .builders import NOW, a_close, a_preview, an_attempt

S = AttemptState


def some_history(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview())
    journal.claim("p_000000000001", an_attempt(), now=NOW)
    journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW, broker_time_at_send=NOW, baseline=b"{}")
    journal.move("a_000000000001", S.SENDING, S.UNKNOWN, at=NOW, note="ünlesbar")
    journal.note(None, "halt", at=NOW, detail={"reason": "by hand", "loss": Decimal("12.50")})
    journal.note("a_000000000001", "alarm", at=NOW, detail={"deals": ["D1"]})
    journal.open_attempt(a_close())


def recomputed(raw: sqlite3.Connection) -> list[str]:
    """Verify the chain from what is in the file, sharing no code with it."""
    previous, hashes = "0" * 64, []
    for row in raw.execute(
        "SELECT seq, attempt_id, kind, at, from_state, to_state, detail, rows, prev_hash "
        "FROM events ORDER BY seq"
    ):
        assert row[8] == previous
        previous = hashlib.sha256(json.dumps(list(row), separators=(",", ":")).encode()).hexdigest()
        hashes.append(previous)
    return hashes


def stored(raw: sqlite3.Connection) -> list[str]:
    return [row[0] for row in raw.execute("SELECT hash FROM events ORDER BY seq")]


def test_every_change_has_its_event(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    some_history(journal)
    rows = raw.execute(
        "SELECT seq, kind, attempt_id, from_state, to_state FROM events ORDER BY seq"
    ).fetchall()
    assert rows == [
        (1, "begin", None, None, None),
        (2, "preview", None, None, "READY"),
        (3, "claim", "a_000000000001", "READY", "CLAIMED"),
        (4, "move", "a_000000000001", "CLAIMED", "SENDING"),
        (5, "move", "a_000000000001", "SENDING", "UNKNOWN"),
        (6, "halt", None, None, None),
        (7, "alarm", "a_000000000001", None, None),
        (8, "open", "a_00000000000c", None, "CLAIMED"),
    ]
    (opened,) = raw.execute("SELECT detail FROM events WHERE kind = 'open'").fetchone()
    assert json.loads(opened) == {"kind": "CLOSE", "body_sha256": a_close("a_00000000000c").body_sha256}


def test_the_chain_can_be_verified_from_outside(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    some_history(journal)
    assert recomputed(raw) == stored(raw)
    assert len(set(stored(raw))) == 8


def test_a_changed_event_breaks_the_chain(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    some_history(journal)
    raw.execute("DROP TRIGGER events_are_not_changed")
    raw.execute("UPDATE events SET detail = '{}' WHERE seq = 8")
    assert recomputed(raw) != stored(raw)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET detail = '{}'",
        "DELETE FROM events",
        "DELETE FROM previews",
        "DELETE FROM attempts",
    ],
)
def test_nothing_is_deleted_and_no_event_changed(
    journal: SqliteJournal, raw: sqlite3.Connection, statement: str
) -> None:
    some_history(journal)
    with pytest.raises(sqlite3.IntegrityError, match=r"append only|are kept"):
        raw.execute(statement)


def test_facts_are_plain_text_in_the_event(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    some_history(journal)
    details = [json.loads(row[0]) for row in raw.execute("SELECT detail FROM events ORDER BY seq")]
    assert details[3] == {
        "baseline": f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
        "broker_time_at_send": "2026-05-04T14:02:11.250000Z",
        "sent_at": "2026-05-04T14:02:11.250000Z",
    }
    assert details[5] == {"reason": "by hand", "loss": "12.50"}


def test_a_note_that_cannot_be_written_leaves_no_trace(
    journal: SqliteJournal, raw: sqlite3.Connection
) -> None:
    for attempt_id, detail in ((None, {"x": object()}), ("a_unknown", {})):
        with pytest.raises(ValueError):
            journal.note(attempt_id, "alarm", at=NOW, detail=detail)
    assert stored(raw) == []
