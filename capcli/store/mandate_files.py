"""The secrets of mandates: one small file each, read by its client."""

from dataclasses import dataclass
from pathlib import Path

from capcli.errors import StateFolderUnusable
from capcli.system import private_folder, put_in_place


@dataclass(frozen=True, slots=True)
class MandateFiles:
    """Files in a folder that only this user can read."""

    folder: Path

    def place(self, env: str, name: str) -> str:
        """Return where the secret of a mandate is kept."""
        return str(self.folder / f"{env}-{name}.secret")

    def write(self, env: str, name: str, secret: str) -> None:
        """Write a secret for this user only. Raises StateFolderUnusable."""
        private_folder(self.folder)
        try:
            put_in_place(Path(self.place(env, name)), f"{secret}\n".encode())
        except OSError as error:
            raise StateFolderUnusable(
                f"{self.place(env, name)} cannot be written: {error.strerror or error}."
            ) from error

    def drop(self, env: str, name: str) -> None:
        """Remove a secret. Raises StateFolderUnusable."""
        try:
            Path(self.place(env, name)).unlink(missing_ok=True)
        except OSError as error:
            raise StateFolderUnusable(
                f"{self.place(env, name)} cannot be removed: {error.strerror or error}."
            ) from error
