"""The file paper.db: its tables, its connections and its two kinds of transaction."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

BUSY_SECONDS = 20.0
VERSION = 2  # of the tables below
_WAL_TRIES = 200

TABLES = {
    "settings": "name TEXT PRIMARY KEY, value TEXT",
    "faults": "name TEXT PRIMARY KEY, value TEXT",
    "replays": "epic TEXT PRIMARY KEY, level INTEGER, source TEXT, rounded INTEGER, bars BLOB",
    "accounts": "account_id TEXT PRIMARY KEY, name TEXT, currency TEXT, cash TEXT, preferred INTEGER",
    "sessions": "cst TEXT PRIMARY KEY, token TEXT, account_id TEXT, created_ms INTEGER, used_ms INTEGER",
    "hits": "bucket TEXT, at_ms INTEGER",
    "positions": """deal_id TEXT PRIMARY KEY, account_id TEXT, epic TEXT, direction TEXT, size TEXT,
        level TEXT, leverage INTEGER, order_id TEXT, created_ms INTEGER, stop TEXT, profit TEXT,
        guaranteed INTEGER, trail TEXT, trail_since INTEGER""",
    "orders": """deal_id TEXT PRIMARY KEY, account_id TEXT, epic TEXT, direction TEXT, type TEXT, size TEXT,
        level TEXT, leverage INTEGER, created_ms INTEGER, good_till_ms INTEGER, stop_offset TEXT,
        profit_offset TEXT, guaranteed INTEGER, trail TEXT""",
    # When a deal next needs a look: prices are a function of time, so that instant is known ahead.
    "alarms": "deal_id TEXT PRIMARY KEY, since_s INTEGER, wake_s INTEGER",
    "confirms": """reference TEXT PRIMARY KEY, account_id TEXT, recorded_ms INTEGER, visible_ms INTEGER,
        body BLOB""",
    "activity": """id INTEGER PRIMARY KEY, account_id TEXT, at_ms INTEGER, epic TEXT, deal_id TEXT,
        source TEXT, type TEXT, status TEXT, details BLOB""",
    "transactions": """id INTEGER PRIMARY KEY, account_id TEXT, at_ms INTEGER, epic TEXT, type TEXT,
        note TEXT, amount TEXT, deal_id TEXT""",
}
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS hits_by_bucket ON hits (bucket, at_ms)",
    "CREATE INDEX IF NOT EXISTS alarms_by_time ON alarms (wake_s)",
    "CREATE INDEX IF NOT EXISTS activity_by_account ON activity (account_id, at_ms)",
    "CREATE INDEX IF NOT EXISTS confirms_by_age ON confirms (recorded_ms)",
)


class Store:
    """Connections are lent out, so any thread may use the store; other processes share the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            db = self._idle.pop() if self._idle else None
        db = db or _open(self.path)
        try:
            yield db
        finally:
            self._take_back(db)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()

    def _take_back(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(db)
                return
        db.close()


@contextmanager
def reading(db: sqlite3.Connection) -> Iterator[None]:
    """One consistent view; takes no lock that a writer would wait for."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _open(path: Path) -> sqlite3.Connection:
    _make_private(path)
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(db)
        db.execute("PRAGMA synchronous = NORMAL")
        _create(db)
    except BaseException:
        db.close()
        raise
    db.row_factory = sqlite3.Row
    return db


def _make_private(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _use_wal(db: sqlite3.Connection) -> None:
    """Switching the journal ignores the busy timeout, so two first users would collide."""
    for _ in range(_WAL_TRIES):
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            time.sleep(0.01)
        else:
            return


def _create(db: sqlite3.Connection) -> None:
    if _version(db) == VERSION:
        return
    with writing(db):
        for name, columns in TABLES.items():
            db.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
        for index in _INDEXES:
            db.execute(index)
        db.execute(f"PRAGMA user_version = {VERSION}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
