"""Defects that the matrix found: an order that counted twice for the day, a connection left open."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from capcli.errors import JournalUnreadable
from capcli.store import db
from capcli.store.journal import SqliteJournal
from tests.faults.bench import Bench, order
from tests.faults.wire import after


def test_a_lost_order_that_was_found_counts_once_for_the_day(bench: Bench) -> None:
    """Its hidden order in the activity is taken for a stranger's: the attempt does not know its order id."""
    bench.restart(CAP_MAX_ORDERS_PER_DAY="2")
    bench.wire.on("POST", "/positions", after(httpx.ReadTimeout))
    preview_id = bench.preview()
    bench.execute(preview_id)
    bench.time.tick(5)
    assert bench.execute(preview_id).state == "LANDED"
    second = bench.app.previews.preview(order("2")).data
    assert [check.rule.value for check in second.checks if not check.passed] == []


def test_a_journal_that_cannot_be_set_up_is_not_left_open(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection lives on in the exception; Python 3.13 warns about it."""
    path = memory / "journal.db"
    with closing(SqliteJournal(path)) as journal:
        journal.preview("p_none")
    opened: list[sqlite3.Connection] = []
    real = sqlite3.connect

    class Refusing(sqlite3.Connection):
        def execute(self, *args: object) -> sqlite3.Cursor:
            raise sqlite3.OperationalError("unable to open database file")

    def connect(*args: object, **options: object) -> sqlite3.Connection:
        opened.append(real(*args, factory=Refusing, **options))  # type: ignore[call-overload]
        return opened[-1]

    monkeypatch.setattr(db.sqlite3, "connect", connect)
    with pytest.raises(JournalUnreadable):
        SqliteJournal(path).preview("p_none")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        sqlite3.Connection.execute(opened[0], "SELECT 1")
    assert os.path.lexists(path)
