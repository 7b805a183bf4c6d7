"""Several reads at once on daemon threads, so that Ctrl-C never waits for a slow answer."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

_MOST_THREADS = 6


def together(*reads: Callable[[], Any]) -> list[Any]:
    """Run the reads at the same time and return their results in order; the first failure is raised."""
    if len(reads) > _MOST_THREADS:
        return [*together(*reads[:_MOST_THREADS]), *together(*reads[_MOST_THREADS:])]
    results: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
    for place, read in enumerate(reads):
        Thread(target=_run, args=(place, read, results), daemon=True).start()
    found: dict[int, Any] = {}
    for _ in reads:
        place, value, error = results.get()
        if error is not None:
            raise error
        found[place] = value
    return [found[place] for place in range(len(reads))]


def _run(
    place: int, read: Callable[[], Any], results: "SimpleQueue[tuple[int, Any, BaseException | None]]"
) -> None:
    try:
        results.put((place, read(), None))
    except BaseException as error:  # noqa: BLE001  handed to the caller's thread
        results.put((place, None, error))


def uninterrupted(work: Callable[[], Any], *, on_interrupt: Callable[[], None]) -> Any:
    """Run work on its own thread; the first Ctrl-C is noted and waited through, the second is raised."""
    results: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
    Thread(target=_run, args=(0, work, results), daemon=True).start()
    try:
        _, value, error = results.get()
    except KeyboardInterrupt:
        on_interrupt()
        _, value, error = results.get()
    if error is not None:
        raise error
    return value
