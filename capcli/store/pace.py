"""Starting times of requests in a small file: all processes of a user keep one rate limit together."""

import struct
from collections.abc import Callable
from hashlib import sha256
from math import isnan
from pathlib import Path
from threading import Lock

from capcli.errors import CapcliError
from capcli.services.ports import Starts
from capcli.system import file_lock

_WAIT_S = 2.0
# Monotonic clocks count from the machine's start: what lies further ahead was written before the last one.
_FARTHEST_S = 60.0
_NUMBER = struct.Struct("<d")
_GAPS = 2


class FilePaceBook:
    """The `PaceBook` port over one file per broker host, under a kernel lock. `clock` counts seconds.

    A file that cannot be used costs nothing but the sharing: the process then paces itself alone.
    """

    def __init__(self, folder: Path, host: str, clock: Callable[[], float]) -> None:
        self._file = folder / f"pace-{sha256(host.encode()).hexdigest()[:16]}.lock"
        self._clock = clock
        self._own = Starts()
        self._lock = Lock()

    def update(self, change: Callable[[Starts], Starts]) -> Starts:
        with self._lock:
            try:
                self._own = self._shared(change)
            except (OSError, CapcliError):
                self._own = change(self._own)
            return self._own

    def _shared(self, change: Callable[[Starts], Starts]) -> Starts:
        with file_lock(self._file, wait_s=_WAIT_S) as handle:
            handle.seek(0)
            after = change(self._read(handle.read()))
            # In append mode a write goes to the end, so the file is emptied first.
            handle.truncate(0)
            handle.write(_written(after))
        return after

    def _read(self, content: bytes) -> Starts:
        whole = content[: len(content) // _NUMBER.size * _NUMBER.size]
        numbers = [number for (number,) in _NUMBER.iter_unpack(whole)]
        farthest = self._clock() + _FARTHEST_S
        if len(numbers) < _GAPS or any(isnan(number) or number > farthest for number in numbers):
            return Starts()
        return Starts(tuple(sorted(numbers[_GAPS:])), *numbers[:_GAPS])


def _written(starts: Starts) -> bytes:
    return b"".join(map(_NUMBER.pack, (starts.login_after, starts.order_after, *starts.recent)))
