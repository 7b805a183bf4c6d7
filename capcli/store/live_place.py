"""Identifies the state folder that live was unlocked for: a random id stored there, and its path."""

import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from capcli.errors import StateFolderUnusable
from capcli.system import private_folder

_PREFIX, _SUFFIX = "live-", ".id"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class FileLivePlace:
    """The `LivePlace` port. A copy of the folder has the id and another path, so it is another place."""

    def __init__(self, folder: Path, profile: str) -> None:
        self._path = folder / f"{_PREFIX}{profile}{_SUFFIX}"

    def read(self) -> str | None:
        """Return this place's id; None if live was never unlocked."""
        try:
            return self._digest(self._path.read_text("ascii", "replace"))
        except OSError:
            return None

    def make(self) -> str:
        """Create and return this place's id. Raises StateFolderUnusable."""
        try:
            private_folder(self._path.parent)
            with suppress(FileExistsError), os.fdopen(os.open(self._path, _NEW, 0o600), "w") as file:
                file.write(secrets.token_hex(16))
            return self._digest(self._path.read_text("ascii", "replace"))
        except OSError as error:
            raise StateFolderUnusable(
                f"{self._path} cannot be written ({error.strerror or error}). Live is unchanged.",
                next="capcli config path",
            ) from error

    @property
    def unlocked_profiles(self) -> tuple[str, ...]:
        """Return the profiles that unlocked live from this state folder."""
        found = sorted(self._path.parent.glob(f"{_PREFIX}*{_SUFFIX}"))
        return tuple(path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for path in found)

    def drop(self) -> None:
        """Remove this place's id: live is locked."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _digest(self, name: str) -> str:
        place = str(self._path.absolute().resolve())
        return sha256(f"{name}\n{place}".encode("utf-8", "surrogateescape")).hexdigest()
