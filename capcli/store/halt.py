"""The kill switch on disk: while the file `halted` is there, nothing that adds risk is sent by anybody.

A file and not a row of the journal: it works while the journal is locked, damaged or out of space, costs one
look, and whatever cannot be read of it means halted.
"""

import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from capcli.domain.halt import Halt
from capcli.errors import StateFolderUnusable
from capcli.system import private_folder

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class FileHalt:
    """The `HaltSwitch` port: one for every environment, account, face and process of a state folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Halt | None:
        """Return the halt in force, None without one. Never raises: what cannot be read is a halt."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(f"{self._path} cannot be read ({error.strerror or error})")
        try:
            found = json.loads(text)
            return Halt(
                datetime.fromisoformat(found["at"]), str(found["by"]), int(found["pid"]), str(found["reason"])
            )
        except (ValueError, KeyError, TypeError):
            return _unreadable(f"{self._path} says nothing that can be read")

    def set(self, halt: Halt) -> Halt:
        """Halt, unless that is so already; return the halt in force. Raises StateFolderUnusable.

        The file alone halts, before a word is in it: a full disk keeps nobody from halting.
        """
        try:
            private_folder(self._path.parent)
            handle = os.open(self._path, _NEW, 0o600)
        except FileExistsError:
            return self.read() or halt
        except OSError as error:
            raise _unusable("halted", self._path, error) from error
        with suppress(OSError), os.fdopen(handle, "wb") as file:
            at = halt.at.isoformat() if halt.at else None
            file.write(json.dumps({"at": at, "by": halt.by, "pid": halt.pid, "reason": halt.reason}).encode())
            file.flush()
            os.fsync(file.fileno())
        _sync(self._path.parent)
        return halt

    def clear(self) -> None:
        """Take the halt away. Raises StateFolderUnusable, and then it stays."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _unusable("resumed", self._path, error) from error
        _sync(self._path.parent)


def _unreadable(why: str) -> Halt:
    return Halt(None, "", None, why)


def _unusable(what: str, path: Path, error: OSError) -> StateFolderUnusable:
    return StateFolderUnusable(
        f"Not {what}: {path} cannot be changed ({error.strerror or error}).", next="capcli config path"
    )


def _sync(folder: Path) -> None:
    # Windows cannot open a folder and logs its renames.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
