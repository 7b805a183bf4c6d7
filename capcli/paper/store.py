"""The file paper.db: its tables, its connections and its two kinds of transaction."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from threading import Lock

from capcli.errors import PaperFileUnusable
from capcli.sqlite_file import DatabaseFile
from capcli.system import private_folder

BUSY_SECONDS = 20.0
FILE = DatabaseFile(
    name="The paper broker's file",
    error=PaperFileUnusable,
    unchanged="Nothing was changed on paper.",
    damaged="Move it away to begin with a new paper account.",
)
VERSION = 6  # of the tables below
DEAL, FEE, MARGIN = 0, 1, 2  # ranks of alarms
OVERNIGHT = "overnight"  # what the alarm of the fee stands under

TABLES = {
    "settings": "name TEXT PRIMARY KEY, value TEXT",
    "faults": "name TEXT PRIMARY KEY, value TEXT",
    "replays": "epic TEXT PRIMARY KEY, level INTEGER, source TEXT, rounded INTEGER, bars BLOB",
    "accounts": """account_id TEXT PRIMARY KEY, name TEXT, currency TEXT, cash TEXT, preferred INTEGER""",
    "preferences": "account_id TEXT, name TEXT, value INTEGER, PRIMARY KEY (account_id, name)",
    "watchlists": "id INTEGER PRIMARY KEY, name TEXT, epics TEXT",
    # One login (cst) has a token for each account that it was on.
    "sessions": """cst TEXT, token TEXT, account_id TEXT, created_ms INTEGER, used_ms INTEGER,
        PRIMARY KEY (cst, token)""",
    "hits": "bucket TEXT, at_ms INTEGER",
    "positions": """deal_id TEXT PRIMARY KEY, account_id TEXT, epic TEXT, direction TEXT, size TEXT,
        level TEXT, leverage INTEGER, order_id TEXT, created_ms INTEGER, stop TEXT, profit TEXT,
        guaranteed INTEGER, trail TEXT, trail_since INTEGER""",
    "orders": """deal_id TEXT PRIMARY KEY, account_id TEXT, epic TEXT, direction TEXT, type TEXT, size TEXT,
        level TEXT, leverage INTEGER, created_ms INTEGER, good_till_ms INTEGER, stop_offset TEXT,
        profit_offset TEXT, guaranteed INTEGER, trail TEXT""",
    # When a deal, an account's margin or the overnight fee is next due: prices are a function of
    # time, so that instant is known ahead. Checks of one second run in the order of their ranks.
    "alarms": "deal_id TEXT PRIMARY KEY, since_s INTEGER, wake_s INTEGER, rank INTEGER",
    "confirms": """reference TEXT PRIMARY KEY, account_id TEXT, recorded_ms INTEGER, visible_ms INTEGER,
        body BLOB""",
    "activity": """id INTEGER PRIMARY KEY, account_id TEXT, at_ms INTEGER, epic TEXT, deal_id TEXT,
        source TEXT, type TEXT, status TEXT, details BLOB""",
    "transactions": """id INTEGER PRIMARY KEY, account_id TEXT, at_ms INTEGER, epic TEXT, type TEXT,
        note TEXT, amount TEXT, deal_id TEXT, currency TEXT, status TEXT""",
}
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS hits_by_bucket ON hits (bucket, at_ms)",
    "DROP INDEX IF EXISTS alarms_by_time",
    "DROP TABLE IF EXISTS holdings",
    *(f"DROP TRIGGER IF EXISTS positions_{what}" for what in ("come", "change", "go")),
    "CREATE INDEX IF NOT EXISTS alarms_in_order ON alarms (wake_s, rank, deal_id)",
    "CREATE INDEX IF NOT EXISTS positions_by_age ON positions (account_id, deal_id)",
    "CREATE INDEX IF NOT EXISTS positions_by_side ON positions (account_id, epic, direction, deal_id)",
    "CREATE INDEX IF NOT EXISTS orders_by_age ON orders (account_id, deal_id)",
    "CREATE INDEX IF NOT EXISTS activity_by_account ON activity (account_id, at_ms)",
    "CREATE INDEX IF NOT EXISTS confirms_by_age ON confirms (recorded_ms)",
    "CREATE INDEX IF NOT EXISTS transactions_by_account ON transactions (account_id, at_ms)",
)


class _Connection(sqlite3.Connection):
    """Connections of one store take turns at writing, since waiting for SQLite's lock is slow."""

    turn: Lock


class Store:
    """A pool of connections, so any thread may use the store; other processes share the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._turn = Lock()
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection. Raises PaperFileUnusable when the file cannot be read or written."""
        with self._lock:
            db = self._idle.pop() if self._idle else None
        with FILE.explained(self.path, BUSY_SECONDS):
            db = db or _open(self.path, self._turn)
            try:
                yield db
            finally:
                with self._lock:
                    kept = not self._closed
                    if kept:
                        self._idle.append(db)
                if not kept:
                    db.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()


def insert(db: sqlite3.Connection, table: str, **columns: object) -> None:
    """Insert or replace a row; decimals are stored as text."""
    values = [str(value) if isinstance(value, Decimal) else value for value in columns.values()]
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608


@contextmanager
def reading(db: sqlite3.Connection) -> Iterator[None]:
    """One consistent view; does not block writers."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """Continues without its turn after a while: if another process holds the lock, SQLite's error says so."""
    turn = db.turn if isinstance(db, _Connection) else Lock()
    taken = turn.acquire(timeout=BUSY_SECONDS)
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    finally:
        if taken:
            turn.release()


def _open(path: Path, turn: Lock) -> sqlite3.Connection:
    if not path.exists():
        private_folder(path.parent)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    db = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=_Connection
    )
    db.turn = turn
    try:
        _use_wal(db)
        db.execute("PRAGMA synchronous = NORMAL")
        _create(db)
    except BaseException:
        db.close()
        raise
    db.row_factory = sqlite3.Row
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Switching the journal may ignore the busy timeout, so that two first users would collide."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


def _create(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    with writing(db):
        new = not db.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master)").fetchone()[0]
        # An older file's sessions had one token each; losing them costs a login.
        db.execute("DROP TABLE IF EXISTS sessions")
        for name, columns in TABLES.items():
            db.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
            if not new:
                _widen(db, name, columns)
        for definition in _INDEXES:
            db.execute(definition)
        if not new:
            _complete(db)
        db.execute(f"PRAGMA user_version = {VERSION}")


def _widen(db: sqlite3.Connection, table: str, columns: str) -> None:
    """Add new columns to an older file, at the end of their tables."""
    present = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    with closing(sqlite3.connect(":memory:")) as model:
        model.execute(f"CREATE TABLE {table} ({columns})")
        wanted = model.execute(f"PRAGMA table_info({table})").fetchall()
    for _, name, kind, *_ in wanted:
        if name not in present:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


def _complete(db: sqlite3.Connection) -> None:
    """Fill in missing values of an older file's rows."""
    db.execute(
        "UPDATE transactions SET status = 'PROCESSED', currency = ("
        "SELECT currency FROM accounts WHERE accounts.account_id = transactions.account_id"
        ") WHERE status IS NULL"
    )
    db.execute("UPDATE alarms SET rank = 0 WHERE rank IS NULL")
    # A file from before fees or close-outs: they are due at once.
    accounts = db.execute("SELECT DISTINCT account_id FROM positions ORDER BY account_id").fetchall()
    alarms = [(account, MARGIN) for (account,) in accounts] + [(OVERNIGHT, FEE)] * bool(accounts)
    db.executemany("INSERT OR IGNORE INTO alarms VALUES (?, 0, 0, ?)", alarms)
