"""Which environment was chosen last, for the day when the settings that say so are gone."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from capcli.errors import CapcliError, StateFolderUnusable
from capcli.ports import Journal
from capcli.system import put_guarded, read_guarded

_NAME = "last-env.json"
_ENVS = ("live", "demo", "paper")


class LastEnv:
    """Remembers it in several folders, for one may be deleted with the settings; the journal knows it too."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.folders = folders

    def note(self, env: str) -> None:
        """Remember an environment that somebody chose. A folder that cannot be written is left out."""
        for folder in self.folders:
            with suppress(CapcliError, OSError):
                if self._read(folder) != env:
                    put_guarded(folder / _NAME, {"env": env})

    def read(self, journal: Callable[[], Journal] | None, kept: Iterable[str]) -> str | None:
        """Return the environment that was used last; None where nothing tells.

        `kept` names the environments that have credentials, for where nothing else remembers.
        """
        for folder in self.folders:
            if (env := self._read(folder)) is not None:
                return env
        with suppress(CapcliError, ValueError):
            book = journal and journal()
            latest = [row for env in _ENVS for row in book.attempts(env, limit=1)] if book else []
            if latest:
                return max(latest, key=lambda row: row.created_at).env
        return next(iter(kept), None)

    def _read(self, folder: Path) -> str | None:
        try:
            env = (read_guarded(folder / _NAME) or {}).get("env")
        except StateFolderUnusable:
            return None
        return env if env in _ENVS else None
