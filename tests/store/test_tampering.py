"""Columns, indexes and pages that a hand changed: each one is found."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from capcli.store.journal import SqliteJournal

from .test_audit import unguarded
from .test_events import some_history

BY_HAND = {
    "the account of an attempt": "UPDATE attempts SET account_id = '7654321'",
    "what was open before the send": "UPDATE attempts SET baseline = '{}' WHERE id = 'a_00000000000c'",
    "when a preview ends": "UPDATE previews SET expires_at = '2036-05-04T14:04:11.250000Z'",
    "the price of a preview": "UPDATE previews SET quote = '{}'",
    "an index that is gone": "DROP INDEX attempts_newest",
}


@pytest.mark.parametrize("case", BY_HAND)
def test_what_a_hand_changed_is_found(journal: SqliteJournal, raw: sqlite3.Connection, case: str) -> None:
    some_history(journal)
    unguarded(raw).execute(BY_HAND[case])

    assert journal.inspect(None).breaks


def test_a_page_of_an_index_that_was_overwritten_is_found(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        some_history(journal)
    with closing(sqlite3.connect(path)) as raw:
        roots = dict(raw.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'index'"))
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    page, other = roots["attempts_by_send"], roots["attempts_newest"]
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = content[(other - 1) * size : other * size]
    path.write_bytes(content)

    with closing(SqliteJournal(path)) as journal:
        assert journal.inspect(None).breaks
