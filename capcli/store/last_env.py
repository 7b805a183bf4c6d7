"""The environment chosen last, in case the settings are lost."""

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from capcli.errors import CapcliError, StateFolderUnusable
from capcli.system import Folders, put_guarded, read_guarded

_NAME = "last-env.json"
_ENVS = ("live", "demo", "paper")


class LastEnv:
    """Stores it in two folders, since one may be deleted with the settings; the journal has it too."""

    def __init__(self, places: Folders) -> None:
        self._folders = (places.state, places.guard)
        self._journal = places.journal

    def note(self, env: str) -> None:
        """Store a chosen environment. A folder that cannot be written is skipped."""
        for folder in self._folders:
            with suppress(CapcliError, OSError):
                if _read(folder) != env:
                    put_guarded(folder / _NAME, {"env": env})

    def read(self, kept: Iterable[str]) -> str | None:
        """Return the environment used last, else the first of `kept` (those with credentials), else None."""
        for folder in self._folders:
            if (env := _read(folder)) is not None:
                return env
        return self._of_newest_attempt() or next(iter(kept), None)

    def _of_newest_attempt(self) -> str | None:
        if not self._journal.exists():
            return None
        from capcli.store.journal import SqliteJournal

        with suppress(CapcliError, ValueError), closing(SqliteJournal(self._journal)) as journal:
            latest = [row for env in _ENVS for row in journal.attempts(env, limit=1)]
            return max(latest, key=lambda row: row.created_at).env if latest else None
        return None


def _read(folder: Path) -> str | None:
    try:
        env = (read_guarded(folder / _NAME) or {}).get("env")
    except StateFolderUnusable:
        return None
    return env if env in _ENVS else None
