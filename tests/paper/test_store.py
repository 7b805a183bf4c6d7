import sqlite3
from contextlib import closing

import pytest

from capcli.paper.store import Store, reading, writing


def write_by_half(db):
    with writing(db):
        db.execute("INSERT INTO faults VALUES ('a', 'b')")
        raise ZeroDivisionError


def test_a_failed_write_leaves_nothing_and_frees_the_connection(path):
    with closing(Store(path)) as store, store.lent() as db:
        with pytest.raises(ZeroDivisionError):
            write_by_half(db)
        with writing(db):
            assert db.execute("SELECT count(*) FROM faults").fetchone()[0] == 0


def test_a_reader_waits_for_no_writer(path):
    with closing(Store(path)) as store, store.lent() as writer, store.lent() as reader:
        assert writer is not reader
        with writing(writer):
            writer.execute("INSERT INTO faults VALUES ('a', 'b')")
            with reading(reader):
                assert reader.execute("SELECT count(*) FROM faults").fetchone()[0] == 0


def test_connections_are_lent_again(path):
    with closing(Store(path)) as store:
        with store.lent() as first:
            pass
        with store.lent() as second:
            assert second is first


def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(path):
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 100)
    with closing(Store(path)) as store, pytest.raises(sqlite3.DatabaseError), store.lent():
        pass
    assert path.read_bytes().startswith(b"something else")


def test_a_connection_that_comes_back_after_closing_is_closed(path):
    store = Store(path)
    with store.lent() as db:
        store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        db.execute("SELECT 1")


def test_a_file_of_an_older_version_gets_the_tables_it_lacks(path):
    with closing(Store(path)) as store, store.lent() as db:
        db.execute("INSERT INTO faults VALUES ('a', 'b')")
        db.execute("DROP TABLE preferences")
        db.execute("PRAGMA user_version = 1")
    with closing(Store(path)) as store, store.lent() as db:
        assert db.execute("SELECT count(*) FROM preferences").fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM faults").fetchone()[0] == 1
