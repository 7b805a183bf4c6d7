"""Keeps one process under the broker's rate limits (API page 3). Waits; never refuses."""

import threading
from collections import deque
from collections.abc import Callable

REQUESTS = 10
WINDOW_S = 1.02
LOGIN_GAP_S = 1.02
ORDER_GAP_S = 0.11
BACKOFF_S = (1.0, 2.0, 4.0)
"""Waits after a 429. The broker sends no Retry-After."""


class Pace:
    """Hands out starting times, first come first served. `clock` and `sleep` count monotonic seconds."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._starts: deque[float] = deque(maxlen=REQUESTS)
        self._login_after = float("-inf")
        self._order_after = float("-inf")
        self.sleep = sleep

    def request(self) -> None:
        """Wait until another request fits: at most 10 in any second, per user."""
        with self._lock:
            start = self._reserve()
        self._wait_for(start)

    def login(self) -> None:
        """Wait for a login: at most one a second, per API key."""
        with self._lock:
            start = self._reserve(self._login_after)
            self._login_after = start + LOGIN_GAP_S
        self._wait_for(start)

    def order(self) -> None:
        """Wait for an opening request: at most one in 0.1 s, per user."""
        with self._lock:
            start = self._reserve(self._order_after)
            self._order_after = start + ORDER_GAP_S
        self._wait_for(start)

    def _reserve(self, not_before: float = float("-inf")) -> float:
        # Starts never run backwards, so the window's oldest is always its first.
        start = max(self._clock(), not_before, self._starts[-1] if self._starts else not_before)
        if len(self._starts) == REQUESTS:
            start = max(start, self._starts[0] + WINDOW_S)
        self._starts.append(start)
        return start

    def _wait_for(self, start: float) -> None:
        ahead = start - self._clock()
        if ahead > 0:
            self.sleep(ahead)
