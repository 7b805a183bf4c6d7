"""Several reads at once on daemon threads, so that Ctrl-C never waits for a slow answer."""

from collections.abc import Callable
from contextvars import copy_context
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
_Results = SimpleQueue[tuple[int, Any, BaseException | None]]

# One round of reads is what the broker allows in a second (API page 3).
_MOST_THREADS = 10
# Windows delivers Ctrl-C to a waiting thread only between waits.
_LONGEST_WAIT_S = 0.2


def together(*reads: Callable[[], Any]) -> list[Any]:
    """Run the reads at the same time and return their results in order; the first failure is raised."""
    if len(reads) > _MOST_THREADS:
        return [*together(*reads[:_MOST_THREADS]), *together(*reads[_MOST_THREADS:])]
    results: _Results = SimpleQueue()
    for place, read in enumerate(reads):
        # The reads inherit the caller's context (the account lock).
        Thread(target=copy_context().run, args=(_run, place, read, results), daemon=True).start()
    found: dict[int, Any] = {}
    for _ in reads:
        place, value, error = _next(results)
        if error is not None:
            raise error
        found[place] = value
    return [found[place] for place in range(len(reads))]


def bounded(work: Callable[[], T], *, wait_s: float) -> T:
    """Run work on its own thread and wait at most this long. Raises TimeoutError; the work continues."""
    results: _Results = SimpleQueue()
    Thread(target=_run, args=(0, work, results), daemon=True).start()
    _, value, error = _next(results, wait_s)
    if error is not None:
        raise error
    result: T = value
    return result


def _next(results: _Results, wait_s: float = inf) -> tuple[int, Any, BaseException | None]:
    """Wait for a result at most this long. Raises TimeoutError."""
    while True:
        try:
            return results.get(timeout=max(0, min(wait_s, _LONGEST_WAIT_S)))
        except Empty:
            wait_s -= _LONGEST_WAIT_S
            if wait_s <= 0:
                raise TimeoutError from None


def _run(place: int, read: Callable[[], Any], results: _Results) -> None:
    try:
        results.put((place, read(), None))
    except BaseException as error:  # noqa: BLE001  handed to the caller's thread
        results.put((place, None, error))
