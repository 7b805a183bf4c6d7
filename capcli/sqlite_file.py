"""Turns errors of SQLite and the file system about a database file into capcli's errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from capcli.errors import Busy, ConfigError, StateFolderUnusable

_FOLDER_ERRORS = {"SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"}
_DAMAGE_ERRORS = {"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT"}
_BUSY_ERRORS = {"SQLITE_BUSY", "SQLITE_LOCKED"}
_LOCK_ERRORS = {"SQLITE_NOLFS", "SQLITE_PROTOCOL"}


class DatabaseFile(Struct, frozen=True):
    """A kind of SQLite file, for its errors: what was not done, and what to do with a damaged file."""

    name: str
    error: type[ConfigError]
    unchanged: str
    damaged: str

    @contextmanager
    def explained(self, path: Path, wait_s: float) -> Iterator[None]:
        """Turn errors of SQLite and the file system into this file's error; a broken constraint is a bug."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise ValueError(f"{self.name} refused a row: {error}") from error
        except sqlite3.Error as error:
            raise self._of_sqlite(path, error, wait_s) from error
        except (StateFolderUnusable, Busy) as error:
            # Only the cause: whether something was sent is not known here.
            cause = error.__cause__ or error.message
            raise self._error(path, f"cannot be opened ({cause})", error.next or "capcli health") from error
        except OSError as error:
            raise self._error(
                path, f"cannot be opened: {error.strerror or error}", "capcli config path"
            ) from error

    def _of_sqlite(self, path: Path, error: sqlite3.Error, wait_s: float) -> ConfigError:
        cause = getattr(error, "sqlite_errorname", type(error).__name__)
        what, then, command = self._explain("_".join(cause.split("_")[:2]), str(error), wait_s)
        return self._error(path, what, command, then, cause=cause)

    def _explain(self, family: str, text: str, wait_s: float) -> tuple[str, str, str]:
        """Return what happened to the file, what to do about it, and the next command."""
        if family in _BUSY_ERRORS:
            return f"was locked by another process for {wait_s:g} s", "", "capcli health"
        if family == "SQLITE_FULL":
            return "has no space left on its disk", " Free some space first.", "capcli health"
        if family in _DAMAGE_ERRORS:
            return f"is damaged ({text})", f" {self.damaged}", "capcli health"
        if family in _FOLDER_ERRORS:
            return f"cannot be opened or written ({text})", "", "capcli config path"
        if family in _LOCK_ERRORS:
            fix = " Keep it on a local disk: name a folder there in CAPCLI_HOME."
            return f"cannot be locked on its file system ({text})", fix, "capcli config path"
        disk = " Its disk may be full or broken." if family == "SQLITE_IOERR" else ""
        return f"failed ({text})", disk, "capcli health"

    def _error(self, path: Path, what: str, command: str, then: str = "", **details: str) -> ConfigError:
        message = f"{self.name} {path} {what}. {self.unchanged}{then}"
        return self.error(message, next=command, path=str(path), **details)
