"""A journal in a temporary folder, and a second, plain connection that looks at its file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from capcli.store.journal import SqliteJournal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(path)) as opened:
        yield opened


@pytest.fixture
def raw(journal: SqliteJournal, path: Path) -> Iterator[sqlite3.Connection]:
    assert journal.preview("p_none") is None
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
