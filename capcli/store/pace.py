"""The use of the rate limits, in small files shared by all processes of a user."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Generic, TypeVar

from msgspec import MsgspecError, json
from msgspec.structs import replace

from capcli.errors import CapcliError
from capcli.ports.login import Allowance
from capcli.store.cache_file import hashed
from capcli.system import file_lock

_WAIT_S = 5.0
# After a failure, or with a stopped holder, the file is not waited for at every request.
_LEFT_ALONE_S = 60.0
# The lock is held for a tenth of a millisecond, so retry soon.
_LOOK_AGAIN_S = 0.002
# Monotonic clocks count from the machine's start: a time far ahead was written before the last boot.
_FARTHEST_S = 30.0
_MOST_WAITING = 200

T = TypeVar("T")
Times = tuple[float, ...]


class SharedValue(Generic[T]):
    """A value in one file, a line of JSON, under a kernel lock that is freed if its holder dies.

    A file that cannot be used costs nothing but the sharing: the process then counts alone.
    """

    def __init__(self, file: Path, kind: type[T], empty: T) -> None:
        self._file = file
        self._kind = kind
        self._empty = self._own = empty
        self._again_at: float = 0
        self._lock = Lock()

    def update(self, change: Callable[[T], T]) -> T:
        """Replace the value by the result of `change`, one caller at a time. It may run twice."""
        with self._lock:
            if monotonic() >= self._again_at:
                try:
                    self._own = self._shared(change)
                except (OSError, CapcliError):
                    self._again_at = monotonic() + _LEFT_ALONE_S
                else:
                    return self._own
            self._own = change(self._own)
            return self._own

    def _shared(self, change: Callable[[T], T]) -> T:
        with file_lock(self._file, wait_s=_WAIT_S, sleep=lambda _s: sleep(_LOOK_AGAIN_S)) as handle:
            handle.seek(0)
            before, value = handle.read(), self._empty
            with suppress(MsgspecError, UnicodeDecodeError):
                value = json.decode(before.partition(b"\n")[0], type=self._kind)
            after = change(value)
            content = json.encode(after) + b"\n"
            if content != before:
                # Never emptied first: file systems hurry to the disk what is written after that. What is
                # left of a longer value, where the process dies here, stands behind the line and is not read.
                handle.seek(0)
                handle.write(content)
                handle.truncate()
        return after


class FilePaceBook:
    """The `SharedBook` of the allowance over one file per broker host. `clock` counts seconds."""

    def __init__(self, folder: Path, host: str, clock: Callable[[], float]) -> None:
        self._shared = SharedValue(folder / _name("pace", host), Allowance, Allowance())
        self._clock = clock

    def update(self, change: Callable[[Allowance], Allowance]) -> Allowance:
        def bounded(kept: Allowance) -> Allowance:
            after = change(self._present(kept))
            return replace(after, waiting=after.waiting[:_MOST_WAITING])

        return self._shared.update(bounded)

    def _present(self, kept: Allowance) -> Allowance:
        """Return the entries written since the last boot."""
        farthest = self._clock() + _FARTHEST_S
        times = (*kept.taken, kept.login_after, kept.order_after, kept.bulk_after, kept.paused_until)
        if any(time > farthest for time in times):
            return Allowance()
        waiting = (one for one in kept.waiting if max(one.asked, one.ready, one.expires) <= farthest)
        return replace(kept, taken=tuple(sorted(kept.taken)), waiting=tuple(waiting))


class FileOpenings:
    """The `SharedBook` of openings over one file per broker host."""

    def __init__(self, folder: Path, host: str) -> None:
        self._shared: SharedValue[Times] = SharedValue(folder / _name("orders", host), Times, ())

    def update(self, change: Callable[[Times], Times]) -> Times:
        return self._shared.update(lambda times: change(tuple(sorted(times))))


def _name(what: str, host: str) -> str:
    return f"{what}-{hashed(host)}.lock"
