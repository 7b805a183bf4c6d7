"""Time that only moves when somebody sleeps, or when a test says so. Safe between threads."""

from datetime import UTC, datetime, timedelta
from threading import Lock

# Between two whole seconds: prices and the broker's clock change there, and whoever waits a moment longer for
# a lock must not be the first to see that.
START = datetime(2026, 3, 2, 12, 0, 0, 350_000, tzinfo=UTC)


class Time:
    """Wall clock, monotonic clock and sleep in one."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = Lock()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._elapsed += max(0.0, seconds)

    tick = sleep
