"""The journal against its event chain: whatever is altered, removed, moved or cut off is found."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from capcli.domain.attempt import AttemptState
from capcli.store.events import KEYED
from capcli.store.journal import SqliteJournal

from .builders import NOW, a_close, a_preview, an_attempt
from .test_events import some_history

S = AttemptState
KEY = b"k" * 32

TAMPERING = {
    "altered event": ('UPDATE events SET detail = \'{"reason":"none"}\' WHERE seq = 6', "events", "6"),
    "altered time": ("UPDATE events SET at = '2026-05-04T15:00:00.000000Z' WHERE seq = 3", "events", "3"),
    "removed event": ("DELETE FROM events WHERE seq = 7", "events", "8"),
    "removed first event": ("DELETE FROM events WHERE seq = 1", "events", "2"),
    "renumbered event": ("UPDATE events SET seq = 99 WHERE seq = 8", "events", "99"),
    "other order": ("UPDATE previews SET body = '{}'", "previews", "p_000000000001"),
    "other figures": ("UPDATE previews SET document = '{}'", "previews", "p_000000000001"),
    "preview used again": ("UPDATE previews SET state = 'READY'", "previews", "p_000000000001"),
    "removed attempt": ("DELETE FROM attempts WHERE id = 'a_00000000000c'", "attempts", "a_00000000000c"),
    "settled by hand": (
        "UPDATE attempts SET state = 'REJECTED' WHERE id = 'a_000000000001'",
        "attempts",
        "a_000000000001",
    ),
    "other note": ("UPDATE attempts SET note = 'x' WHERE note != ''", "attempts", "a_000000000001"),
    "invented attempt": (
        "UPDATE attempts SET id = 'a_00000000000d' WHERE id = 'a_00000000000c'",
        "attempts",
        "a_00000000000d",
    ),
}


@pytest.fixture(params=[None, KEY], ids=["plain", "keyed"])
def journal(path: Path, request: pytest.FixtureRequest) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(path, key=lambda: request.param)) as opened:
        yield opened


def unguarded(raw: sqlite3.Connection) -> sqlite3.Connection:
    """Let the file be changed as somebody with an editor would."""
    raw.execute("PRAGMA foreign_keys=OFF")
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    return raw


def test_an_untouched_journal_has_no_breaks(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    some_history(journal)
    journal.observe("a_000000000001", S.UNKNOWN, at=NOW, note="half \ud83d", deal_ids=("D1", "D2"))

    found = journal.inspect(KEY)

    assert (found.events, found.breaks, found.unread) == (9, (), 0)


@pytest.mark.parametrize("case", TAMPERING)
def test_tampering_is_found_where_it_was_done(
    journal: SqliteJournal, raw: sqlite3.Connection, case: str
) -> None:
    some_history(journal)
    statement, table, row = TAMPERING[case]
    unguarded(raw).execute(statement)

    breaks = journal.inspect(KEY).breaks

    assert (table, row) in {(found.table, found.row) for found in breaks}


def test_two_rows_that_changed_places_are_found(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    some_history(journal)
    unguarded(raw)
    for before, after in ((3, 99), (4, 3), (99, 4)):
        raw.execute("UPDATE events SET seq = ? WHERE seq = ?", (after, before))

    assert {found.row for found in journal.inspect(KEY).breaks} >= {"3", "4"}


def test_a_chain_made_anew_without_the_key_is_found(path: Path) -> None:
    with closing(SqliteJournal(path, key=lambda: KEY)) as journal:
        some_history(journal)
    with closing(SqliteJournal(path, key=lambda: b"x" * 32)) as forger:
        forger.note(None, "forged", at=NOW, detail={})
        found = forger.inspect(KEY)

    assert [one.row for one in found.breaks] == ["9"]


def test_keyed_rows_are_not_vouched_for_without_the_key(path: Path) -> None:
    with closing(SqliteJournal(path, key=lambda: KEY)) as journal:
        some_history(journal)
        found = journal.inspect(None)

    assert (found.keyed, found.unread, found.breaks) == (8, 8, ())
    assert found.head.startswith(KEYED)


def test_plain_and_keyed_rows_make_one_chain(path: Path) -> None:
    with closing(SqliteJournal(path)) as paper:
        paper.save_preview(a_preview())
    with closing(SqliteJournal(path, key=lambda: KEY)) as demo:
        demo.claim("p_000000000001", an_attempt(), now=NOW)
    with closing(SqliteJournal(path)) as paper:
        paper.open_attempt(a_close())
        found = paper.inspect(KEY)

    assert (found.events, found.keyed, found.breaks) == (4, 1, ())


def test_the_key_is_fetched_before_the_file_is_locked(path: Path) -> None:
    with closing(SqliteJournal(path)) as other:

        def key() -> bytes:
            other.note(None, "meanwhile", at=NOW, detail={})
            return KEY

        with closing(SqliteJournal(path, key=key)) as journal:
            journal.note(None, "later", at=NOW, detail={})
            assert journal.keyed_head is not None
            assert journal.keyed_head[0] == 3


def test_an_event_that_tells_of_no_row_that_can_be_read_is_found(
    journal: SqliteJournal, raw: sqlite3.Connection
) -> None:
    some_history(journal)
    unguarded(raw).execute("UPDATE events SET rows = '[[' WHERE seq = 4")

    faults = {(found.row, found.fault) for found in journal.inspect(KEY).breaks}

    assert ("4", "what it tells of other rows cannot be read") in faults


def test_an_index_and_a_table_that_were_changed_are_named_in_order(
    journal: SqliteJournal, raw: sqlite3.Connection
) -> None:
    some_history(journal)
    raw.execute("CREATE TABLE aaa (x)")
    raw.execute("CREATE TABLE zzz (x)")
    raw.execute("CREATE TABLE mmm (x)")

    found = [one.row for one in journal.inspect(KEY).breaks if one.table == "schema"]

    assert found == ["aaa", "mmm", "zzz"]


def test_progress_is_told_at_each_step_of_all_entries(
    journal: SqliteJournal, raw: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_history(journal)
    entries = journal.inspect(KEY).events + sum(
        raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("previews", "attempts", "approvals", "switches", "owned_deals")
    )
    monkeypatch.setattr("capcli.store.audit._STEP", 5)
    told: list[tuple[int, int]] = []

    journal.inspect(KEY, progress=lambda done, of: told.append((done, of)))

    assert told == [(done, entries) for done in range(5, entries + 1, 5)]
