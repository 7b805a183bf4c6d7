import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from capcli.errors import PaperFileUnusable
from capcli.paper.store import Store, reading, writing
from tests.paper.client import Client


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
    with closing(Store(path)) as store, pytest.raises(PaperFileUnusable, match="is damaged"), store.lent():
        pass
    assert path.read_bytes().startswith(b"something else")


def test_a_connection_that_comes_back_after_closing_is_closed(path):
    store = Store(path)
    with store.lent() as db:
        store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        db.execute("SELECT 1")


OLD_TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE faults (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE accounts (account_id TEXT PRIMARY KEY, name TEXT, currency TEXT, cash TEXT, preferred INTEGER);
CREATE TABLE sessions
    (cst TEXT PRIMARY KEY, token TEXT, account_id TEXT, created_ms INTEGER, used_ms INTEGER);
CREATE TABLE hits (bucket TEXT, at_ms INTEGER);
CREATE TABLE positions (deal_id TEXT PRIMARY KEY, account_id TEXT, epic TEXT, direction TEXT, size TEXT,
    level TEXT, leverage INTEGER, order_id TEXT, created_ms INTEGER, stop TEXT, profit TEXT,
    guaranteed INTEGER, trail TEXT, trail_since INTEGER);
CREATE TABLE orders (deal_id TEXT PRIMARY KEY, account_id TEXT, epic TEXT, direction TEXT, type TEXT,
    size TEXT, level TEXT, leverage INTEGER, created_ms INTEGER, good_till_ms INTEGER, stop_offset TEXT,
    profit_offset TEXT, guaranteed INTEGER, trail TEXT);
CREATE TABLE alarms (deal_id TEXT PRIMARY KEY, since_s INTEGER, wake_s INTEGER);
CREATE TABLE confirms (reference TEXT PRIMARY KEY, account_id TEXT, recorded_ms INTEGER,
    visible_ms INTEGER, body BLOB);
CREATE TABLE activity (id INTEGER PRIMARY KEY, account_id TEXT, at_ms INTEGER, epic TEXT, deal_id TEXT,
    source TEXT, type TEXT, status TEXT, details BLOB);
CREATE TABLE transactions (id INTEGER PRIMARY KEY, account_id TEXT, at_ms INTEGER, epic TEXT, type TEXT,
    note TEXT, amount TEXT, deal_id TEXT);
CREATE INDEX alarms_by_time ON alarms (wake_s);
INSERT INTO settings VALUES ('seed', 'capcli'), ('epoch_ms', '1795188600000'), ('start_ms', NULL),
    ('speed', '1'), ('limits', 'False'), ('session_cap', 'False'), ('confirm_delay_ms', NULL),
    ('serial', '1795188600004');
INSERT INTO accounts VALUES ('100482915730264817', 'USD paper', 'USD', '10000.00', 1),
    ('100482915730264825', 'EUR paper', 'EUR', '5000.00', 0);
INSERT INTO transactions (account_id, at_ms, type, note, amount)
    VALUES ('100482915730264817', 1795188600000, 'DEPOSIT', 'Deposit', '10000.00'),
    ('100482915730264825', 1795188600000, 'DEPOSIT', 'Deposit', '5000.00');
INSERT INTO positions VALUES ('0e3bf9f6-0001-54c4-0000-01a1f9b7a2b9', '100482915730264817', 'SILVER', 'BUY',
    '2', '33.000', 10, 'o', 1795188600000, '20.000', NULL, 0, NULL, 1795188600);
INSERT INTO alarms VALUES ('0e3bf9f6-0001-54c4-0000-01a1f9b7a2b9', 1795188601, 1795188602);
PRAGMA user_version = 1;
"""


def test_a_file_of_the_first_version_goes_on(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as old:
        old.executescript(OLD_TABLES)
    client = Client(path)
    client.login()
    (position,) = client.positions()
    assert client.balance()["profitLoss"] == position["upl"].quantize(Decimal("0.01"))
    assert client.balance()["available"] < client.balance()["balance"]
    deal = client.buy("GOLD", 1)
    client.delete(f"/positions/{deal}")
    client.wait(hours=7)
    client.login()
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT type, currency, status FROM transactions ORDER BY id").fetchall()
    assert rows == [
        ("DEPOSIT", "USD", "PROCESSED"),
        ("DEPOSIT", "EUR", "PROCESSED"),
        ("TRADE", "USD", "PROCESSED"),
        ("SWAP", "USD", "PROCESSED"),
    ]


def test_a_file_of_an_older_version_gets_the_tables_it_lacks(path):
    with closing(Store(path)) as store, store.lent() as db:
        db.execute("INSERT INTO faults VALUES ('a', 'b')")
        db.execute("DROP TABLE preferences")
        db.execute("PRAGMA user_version = 1")
    with closing(Store(path)) as store, store.lent() as db:
        assert db.execute("SELECT count(*) FROM preferences").fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM faults").fetchone()[0] == 1
