"""What is used of the rate limits, in small files: all processes of a user keep them together."""

import struct
from collections.abc import Callable
from hashlib import sha256
from math import inf, isnan
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

from capcli.errors import CapcliError
from capcli.services.ports import Allowance, Lane, Ticket
from capcli.system import file_lock

_WAIT_S = 5.0
# A file that failed, or whose holder is stopped, is not waited for at every request.
_LEFT_ALONE_S = 60.0
# Held for a tenth of a millisecond: who finds it taken looks again soon.
_LOOK_AGAIN_S = 0.002
# Monotonic clocks count from the machine's start: what lies further ahead was written before the last one.
_FARTHEST_S = 30.0
_NUMBER = struct.Struct("<d")
_TIMES = 4
_TICKET = 5
_MOST_WAITING = 200

Numbers = tuple[float, ...]


class SharedNumbers:
    """Numbers in one file under a kernel lock, which the kernel frees when its holder dies.

    A file that cannot be used costs nothing but the sharing: the process then counts alone.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._own: Numbers = ()
        self._again_at: float = 0
        self._lock = Lock()

    def update(self, change: Callable[[Numbers], Numbers]) -> Numbers:
        """Replace the numbers by what `change` makes of them, one caller at a time. It may run twice."""
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

    def _shared(self, change: Callable[[Numbers], Numbers]) -> Numbers:
        with file_lock(self.file, wait_s=_WAIT_S, sleep=lambda _s: sleep(_LOOK_AGAIN_S)) as handle:
            handle.seek(0)
            before = handle.read()
            after = change(_numbers(before))
            content = b"".join(map(_NUMBER.pack, after))
            if content != before:
                # Never emptied first: file systems hurry to the disk what is written after that.
                handle.seek(0)
                handle.write(content)
                handle.truncate()
        return after


def _numbers(content: bytes) -> Numbers:
    whole = content[: len(content) // _NUMBER.size * _NUMBER.size]
    return tuple(number for (number,) in _NUMBER.iter_unpack(whole) if not isnan(number))


class FilePaceBook:
    """The `PaceBook` port over one file per broker host. `clock` counts seconds."""

    def __init__(self, folder: Path, host: str, clock: Callable[[], float]) -> None:
        self._shared = SharedNumbers(folder / _name("pace", host))
        self._clock = clock

    def update(self, change: Callable[[Allowance], Allowance]) -> Allowance:
        return self._read(self._shared.update(lambda numbers: _written(change(self._read(numbers)))))

    def _read(self, numbers: Numbers) -> Allowance:
        farthest = self._clock() + _FARTHEST_S
        if len(numbers) <= _TIMES or not numbers[_TIMES].is_integer():
            return Allowance()
        taken, rest = _split(numbers[_TIMES + 1 :], int(numbers[_TIMES]))
        times = (*numbers[:_TIMES], *taken)
        if any(time > farthest for time in times) or len(rest) % _TICKET:
            return Allowance()
        tickets = (rest[start : start + _TICKET] for start in range(0, len(rest), _TICKET))
        waiting = tuple(_ticket(one) for one in tickets if one[1] in set(Lane) and max(one[2:]) <= farthest)
        login, order, bulk, paused = numbers[:_TIMES]
        return Allowance(tuple(sorted(taken)), login, order, bulk, paused, waiting)


class FileOpenings:
    """The `OpeningsBook` port over one file per broker host."""

    def __init__(self, folder: Path, host: str) -> None:
        self._shared = SharedNumbers(folder / _name("orders", host))

    def update(self, change: Callable[[Numbers], Numbers]) -> Numbers:
        return self._shared.update(lambda numbers: change(tuple(sorted(numbers))))


def _name(what: str, host: str) -> str:
    return f"{what}-{sha256(host.encode()).hexdigest()[:16]}.lock"


def _split(numbers: Numbers, count: int) -> tuple[Numbers, Numbers]:
    return numbers[: max(count, 0)], numbers[max(count, 0) :]


def _ticket(numbers: Numbers) -> Ticket:
    number, lane, asked, ready, expires = numbers
    return Ticket(int(number) if abs(number) < inf else 0, Lane(int(lane)), asked, ready, expires)


def _written(allowance: Allowance) -> Numbers:
    one = allowance
    times = (one.login_after, one.order_after, one.bulk_after, one.paused_until)
    tickets = (
        number
        for ticket in one.waiting[:_MOST_WAITING]
        for number in (float(ticket.number), float(ticket.lane), ticket.asked, ticket.ready, ticket.expires)
    )
    return (*times, float(len(one.taken)), *one.taken, *tickets)
