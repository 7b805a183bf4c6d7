"""One clock for every process of a run: it runs faster than real time and can be moved on by anybody."""

import mmap
import struct
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FACTOR = 20.0
# When it began (real monotonic seconds), and how far it was moved on (its own seconds).
_FORM = struct.Struct("<dd")


@dataclass(frozen=True)
class SharedTime:
    """Begins on a Monday noon. `skew_s` sets one process's wall clock wrong; others keep theirs."""

    path: Path
    skew_s: float = 0
    _map: Any = field(default=None, compare=False)

    @classmethod
    def begin(cls, path: Path) -> "SharedTime":
        path.write_bytes(_FORM.pack(time.monotonic(), 0))
        with path.open("r+b") as handle:
            return cls(path, 0, mmap.mmap(handle.fileno(), _FORM.size))

    def skewed(self, seconds: float) -> "SharedTime":
        return replace(self, skew_s=seconds)

    def monotonic(self) -> float:
        began, moved = _FORM.unpack(self._map[:])
        return (time.monotonic() - began) * FACTOR + moved

    def now(self) -> datetime:
        return MONDAY + timedelta(seconds=self.monotonic() + self.skew_s)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds) / FACTOR)

    def move_on(self, seconds: float) -> None:
        """Let time pass for everybody at once."""
        began, moved = _FORM.unpack(self._map[:])
        self._map[:] = _FORM.pack(began, moved + seconds)
