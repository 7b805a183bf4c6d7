"""Opens journal.db and runs transactions. A file that cannot be read is an error, never an empty journal."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

from msgspec import MsgspecError, Struct

from capcli.errors import JournalUnreadable
from capcli.sqlite_file import DatabaseFile
from capcli.store import seals
from capcli.store.records import record_of
from capcli.store.schema import MIGRATIONS, Migrations
from capcli.system import file_lock, make_private, private_folder, sync_folder

R = TypeVar("R")
S = TypeVar("S", bound=Struct)

_WAIT_S = 10.0
_BRIEF_S = 0.1
_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_AT_ONCE = 500
"""The most names in a statement: SQLite takes 999 variables everywhere."""

JOURNAL = DatabaseFile(
    name="The journal",
    error=JournalUnreadable,
    unchanged="Nothing was recorded.",
    damaged="Keep the file: it may know of a live order.",
)


class Database:
    """One connection, opened on first use and shared by the threads of a process, one at a time.

    A thread that was left behind may still record what became of its order after `close`: then the connection
    ends with each use. Another process's lock is waited for once: until the file answers again, later uses
    hardly wait, so that a way out of many steps does not wait at each of them.
    """

    def __init__(self, path: Path, *, wait_s: float = _WAIT_S, migrations: Migrations = MIGRATIONS) -> None:
        self._path = path
        self._wait_s = self._patience_s = wait_s
        self._migrations = migrations
        self._guard = RLock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._closed = False

    @property
    def path(self) -> Path:
        return self._path

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    @property
    def migrations(self) -> Migrations:
        return self._migrations

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """Run one read and return all of its rows."""
        with self._lent() as connection:
            return connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        """Run one read and return its first row."""
        return next(iter(self.rows(sql, values)), None)

    def records(self, kind: type[S], sql: str, values: tuple[Any, ...] = ()) -> tuple[S, ...]:
        """Run one read and return its rows as records."""
        return tuple(self.read(partial(record_of, kind), row) for row in self.rows(sql, values))

    def record(self, kind: type[S], sql: str, values: tuple[Any, ...]) -> S | None:
        """Run one read and return its first row as a record."""
        row = self.row(sql, values)
        return None if row is None else self.read(partial(record_of, kind), row)

    def rows_about(self, sql: str, place: tuple[str, ...], names: Iterable[str]) -> Iterator[sqlite3.Row]:
        """Run a read about a place and any number of names (`{}` in the statement), 500 at a time."""
        wanted = list(dict.fromkeys(names))
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            yield from self.rows(sql.format(", ".join("?" * len(some))), (*place, *some))

    def read(self, reader: Callable[[sqlite3.Row], R], row: sqlite3.Row) -> R:
        """Parse a row. Raises JournalUnreadable for an invalid one."""
        try:
            return reader(row)
        except (ValueError, TypeError, ArithmeticError, MsgspecError) as error:
            raise JournalUnreadable(
                f"The journal {self._path} holds an entry that cannot be understood ({row[0]}: {error}). "
                "Nothing was recorded. Keep the file: it may know of a live order.",
                next="capcli health",
                path=str(self._path),
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; commit (durably) at the end, roll back on any exception."""
        with self._lent() as connection, _begun(connection, "BEGIN IMMEDIATE"):
            yield connection

    @contextmanager
    def fresh(self) -> Iterator[sqlite3.Connection]:
        """Read the file from disk, bypassing this process's page cache."""
        with self._lent(), closing(_connect(self._path, self._patience_s, "ro")) as connection:
            # Bytes left by an editor must not cause a decoding error.
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            with _begun(connection, "BEGIN"):
                yield connection

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                with JOURNAL.explained(self._path, self._wait_s):
                    yield self._opened()
                self._wait(self._wait_s)
            except JournalUnreadable as error:
                if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in _BUSY_CODES:
                    self._wait(_BRIEF_S)
                raise
            finally:
                if self._closed:
                    self._shut()

    def _wait(self, seconds: float) -> None:
        """Wait this long from now on for another process that holds the file."""
        if seconds != self._patience_s:
            self._patience_s = seconds
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self._path, wait_s=self._patience_s, migrations=self._migrations)
            self._file = _identity(self._path)
        elif _identity(self._path) != self._file:
            # SQLite would continue writing to a deleted file.
            self._shut()
            raise JournalUnreadable(
                f"The journal {self._path} was deleted or replaced while in use. Nothing was recorded.",
                next="capcli health",
                path=str(self._path),
            )
        return self._connection


def _open(path: Path, *, wait_s: float, migrations: Migrations) -> sqlite3.Connection:
    """Open the journal, make it on a first run, bring its schema up to date."""
    private_folder(path.parent)
    # A dangling link (an unmounted disk) is not a first run.
    if not os.path.lexists(path):
        _create(path, wait_s, migrations)
    connection = _connect(path, wait_s)
    try:
        # By name, never by opening: closing a second handle would drop this process's locks on the file.
        for file in _files(path):
            with suppress(FileNotFoundError):
                if file.stat().st_mode & 0o077:
                    make_private(file)
        _prepare(connection, path, migrations)
        seals.watch(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, wait_s: float, mode: str = "rw") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=wait_s,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA synchronous=FULL")
        # On macOS a plain fsync leaves the bytes in the drive's cache.
        connection.execute("PRAGMA fullfsync=ON")
        connection.execute("PRAGMA foreign_keys=ON")
    except BaseException:
        # An open file would prevent unmounting a disk.
        connection.close()
        raise
    return connection


def _create(path: Path, wait_s: float, migrations: Migrations) -> None:
    """Create the journal under another name and rename it, so that an empty file means damage."""
    with file_lock(path.parent / "locks" / f"{path.stem}.lock", wait_s=wait_s):
        if os.path.lexists(path):
            return
        orphan = path.with_name(f"{path.name}-wal")
        if orphan.exists() and orphan.stat().st_size:
            # SQLite would apply it to the new file, or delete it.
            raise JournalUnreadable(
                f"{path} is gone but {orphan.name} holds entries that belong to it. Nothing was recorded. "
                "Restore the file from a backup, or move the rest away to begin a new journal.",
                next="capcli config path",
                path=str(path),
            )
        draft = path.with_name(f"{path.name}.new")
        for leftover in _files(draft):
            leftover.unlink(missing_ok=True)
        connection = _connect(draft, wait_s, mode="rwc")
        try:
            make_private(draft)
            _migrate(connection, migrations)
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()
        draft.replace(path)
        sync_folder(path.parent)


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Migrations) -> None:
    found = _version(connection)
    if found == 0:
        raise JournalUnreadable(
            f"{path} is not a capcli journal, or it was emptied. Nothing was recorded. "
            "Orders sent before may still be live: look at `capcli positions` before you move the file away.",
            next="capcli positions",
            path=str(path),
        )
    if found > len(migrations):
        raise JournalUnreadable(
            f"{path} was written by a newer capcli (schema {found}; this one knows {len(migrations)}). "
            "Nothing was recorded. Upgrade capcli.",
            next="pip install --upgrade capcli",
            path=str(path),
            schema=found,
        )
    connection.execute("PRAGMA journal_mode=WAL")
    if found < len(migrations):
        _migrate(connection, migrations)


def _migrate(connection: sqlite3.Connection, migrations: Migrations) -> None:
    with _begun(connection, "BEGIN IMMEDIATE"):
        # Read again: another process may have migrated while this one waited for the write lock.
        for statements in migrations[_version(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={max(len(migrations), _version(connection))}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _begun(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    try:
        connection.execute(begin)
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _files(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in ("", "-journal", "-wal", "-shm"))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
