"""Broker sessions that outlive the process, in a private file. Losing one costs one login."""

import json
import os
import stat
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from capcli.errors import CapcliError
from capcli.ports.login import StoredSession
from capcli.system import private_folder, put_in_place

_LARGEST_FILE = 16_384
_FAILURES = (OSError, ValueError, RecursionError, CapcliError, msgspec.MsgspecError)


class FileSessionCache:
    """A SessionCache in one file (0600) of a folder that only we can enter; with no folder it keeps nothing.

    `key` is any text that tells logins apart (fingerprint, env, host), `account` the one that was asked for,
    if any; the file name is made of their hashes.
    """

    def __init__(self, folder: Path | None, key: str, account: str = "") -> None:
        self.folder = folder
        self.key = key
        self.account = account

    @property
    def file(self) -> Path | None:
        if self.folder is None:
            return None
        account = f"-{_hash(self.account)[:8]}" if self.account else ""
        return self.folder / f"session-{_hash(self.key)}{account}.json"

    def load(self) -> StoredSession | None:
        return None if self.file is None else _read(self.file)

    def save(self, session: StoredSession) -> None:
        with suppress(*_FAILURES):
            if self.file is not None and _prepared(self.file.parent):
                put_in_place(self.file, msgspec.json.encode(session))

    def drop(self) -> None:
        with suppress(*_FAILURES):
            if self.file is not None:
                self.file.unlink(missing_ok=True)

    def forget(self) -> None:
        """Forget the sessions of all accounts of the key."""
        for file in self._files():
            with suppress(*_FAILURES):
                file.unlink(missing_ok=True)

    def take_all(self) -> tuple[StoredSession, ...]:
        """Remove and return the sessions of all accounts of the key."""
        found = tuple(filter(None, map(_read, self._files())))
        self.forget()
        return found

    def _files(self) -> tuple[Path, ...]:
        with suppress(*_FAILURES):
            return tuple(self.folder.glob(f"session-{_hash(self.key)}*.json")) if self.folder else ()
        return ()

    def describe(self) -> str:
        """Say where sessions are kept, for `health`."""
        try:
            usable = self.file is not None and _prepared(self.file.parent)
        except _FAILURES:
            usable = False
        return f"file {self.file}" if usable else "not cached (no private folder on this computer)"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def session_of(fields: Any) -> StoredSession:
    """Read a session from JSON. Raises ValueError and msgspec.MsgspecError for anything else."""
    found = msgspec.convert(fields, StoredSession)
    if found.created_at.tzinfo is None:
        raise ValueError
    return found


def _read(file: Path) -> StoredSession | None:
    with suppress(*_FAILURES):
        if _is_ours(file.parent):
            handle = os.open(file, _OPEN_FLAGS)
            try:
                found = os.fstat(handle)
                if stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST_FILE and _is_private(found):
                    return session_of(json.loads(os.read(handle, _LARGEST_FILE)))
            finally:
                os.close(handle)
    return None


def _prepared(folder: Path) -> bool:
    """Create the folder if that is safe; not below another user's folder (sudo -E)."""
    if folder.is_symlink() or not (folder.exists() or _may_create_in(folder.parent)):
        return False
    private_folder(folder)
    return _is_ours(folder)


if sys.platform == "win32":
    # The cache folder has the profile's permissions; only paper's sessions are stored there.
    _OPEN_FLAGS = os.O_RDONLY | os.O_BINARY

    def _is_private(_found: os.stat_result) -> bool:
        return True

    def _is_ours(folder: Path) -> bool:
        return folder.is_dir()

    def _may_create_in(_parent: Path) -> bool:
        return True

else:
    # Without O_NONBLOCK a named pipe in the file's place would hang here.
    _OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

    def _is_private(found: os.stat_result) -> bool:
        return found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077

    def _is_ours(folder: Path) -> bool:
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and _is_private(found)

    def _may_create_in(parent: Path) -> bool:
        nearest = next(folder for folder in (parent, *parent.parents) if folder.exists())
        return nearest.stat().st_uid in {0, os.getuid()}
