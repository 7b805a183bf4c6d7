"""The kill switch on disk: while a file `halted` exists, no process sends anything that adds risk.

It is stored in two places: the state folder, which the environment may move, and the guard folder, which
it may not. Either halts. Files, not rows of the journal: they work while the journal is locked, damaged or
out of space, cost one read each, and an unreadable one means halted.
"""

import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from capcli.domain.halt import Halt, HaltKept
from capcli.errors import CapcliError, StateFolderUnusable
from capcli.system import private_folder, put_in_place, sync, sync_folder

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_PLACES = "places"


class FileHalt:
    """The `HaltSwitch` port: one for every environment, account, face and process of a user."""

    def __init__(self, state: Path, guard: Path) -> None:
        self._state = state
        self._guard = guard
        self._in_memory: Halt | None = None

    def read(self) -> Halt | None:
        found = [halt for halt in (_read(self._state), _read(self._guard), self._in_memory) if halt]
        return next((halt for halt in found if halt.at), found[0] if found else None)

    def set(self, halt: Halt) -> HaltKept:
        """Halt, unless halted already. If no place can be written, only this process is halted.

        Even an empty file halts, so it works on a full disk.
        """
        standing, failed = [], []
        for place in dict.fromkeys((self._state, self._guard)):
            try:
                _set(place, halt, self._state)
                standing.append(place)
            except (OSError, CapcliError) as error:
                failed.append(f"{place} ({_why(error)})")
        if not standing:
            self._in_memory = self._in_memory or halt
        halt_now, places = self.read() or halt, tuple(map(str, standing))
        return HaltKept(halt_now, places, tuple(failed), everywhere=self._guard in standing)

    def clear(self) -> None:
        """Remove the halt everywhere. Raises StateFolderUnusable naming what remains: then it still halts."""
        remaining = []
        # The guard is removed last: until all others are gone, every process stays halted.
        for place in self._elsewhere():
            try:
                place.unlink(missing_ok=True)
                sync_folder(place.parent)
            except OSError as error:
                remaining.append(f"{place} ({_why(error)})")
        try:
            if not remaining:
                self._guard.unlink(missing_ok=True)
                sync_folder(self._guard.parent)
        except OSError as error:
            remaining.append(f"{self._guard} ({_why(error)})")
        if remaining:
            raise StateFolderUnusable(
                f"Not resumed: {' and '.join(remaining)} cannot be removed. It stays halted.",
                next="capcli config path",
            )
        self._in_memory = None

    def _elsewhere(self) -> tuple[Path, ...]:
        """Return the places of a halt besides the guard folder: every state folder that halted."""
        noted = (_facts(self._guard) or {}).get(_PLACES)
        others = (Path(text) for text in noted if isinstance(text, str)) if isinstance(noted, list) else ()
        named = (place for place in others if place.is_absolute() and place.name == self._state.name)
        return tuple(dict.fromkeys((self._state, *named)))


def _set(place: Path, halt: Halt, state: Path) -> None:
    """Write the halt at a place. Raises OSError and StateFolderUnusable."""
    private_folder(place.parent)
    facts = {"by": halt.by, "pid": halt.pid, "reason": halt.reason, _PLACES: [str(state)]}
    facts["at"] = halt.at.isoformat() if halt.at else None
    try:
        handle = os.open(place, _NEW, 0o600)
    except FileExistsError:
        if _read(place) is not None:
            _join(place, state)
            return
        # Just removed by a resume, or a dangling link, which is no halt.
        place.unlink(missing_ok=True)
        handle = os.open(place, _NEW, 0o600)
    with suppress(OSError), os.fdopen(handle, "wb") as file:
        file.write(json.dumps(facts).encode())
        file.flush()
        sync(file.fileno())
    sync_folder(place.parent)


def _join(place: Path, state: Path) -> None:
    """Add a state folder to an existing halt, so that resuming finds it."""
    facts = _facts(place)
    if facts is None or not isinstance(facts.get(_PLACES), list) or str(state) in facts[_PLACES]:
        return
    with suppress(OSError):
        joined = {**facts, _PLACES: [*facts[_PLACES], str(state)]}
        put_in_place(place, json.dumps(joined).encode(), durable=True)


def _read(place: Path) -> Halt | None:
    try:
        found = json.loads(place.read_bytes())
        return Halt(
            datetime.fromisoformat(found["at"]), str(found["by"]), int(found["pid"]), str(found["reason"])
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(f"{place} cannot be read ({_why(error)})")
    except (ValueError, KeyError, TypeError):
        return _unreadable(f"{place} says nothing that can be read")


def _facts(place: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found = json.loads(place.read_bytes())
        return found if isinstance(found, dict) else None
    return None


def _unreadable(why: str) -> Halt:
    return Halt(None, "", None, why)


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
