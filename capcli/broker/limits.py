"""Keeps one user's processes under the broker's rate limits (API page 3). Waits; never refuses."""

import threading
from collections.abc import Callable
from dataclasses import replace

from capcli.services.ports import PaceBook, Starts

REQUESTS = 10
WINDOW_S = 1.02
LOGIN_GAP_S = 1.02
ORDER_GAP_S = 0.11
BACKOFF_S = (1.0, 2.0, 4.0)
"""Waits after a 429. The broker sends no Retry-After."""


class OwnBook:
    """Starting times of this process alone, for where they cannot be shared."""

    def __init__(self) -> None:
        self._starts = Starts()
        self._lock = threading.Lock()

    def update(self, change: Callable[[Starts], Starts]) -> Starts:
        with self._lock:
            self._starts = change(self._starts)
            return self._starts


class Pace:
    """Hands out starting times, first come first served. `clock` and `sleep` count monotonic seconds."""

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], None], book: PaceBook | None = None
    ) -> None:
        self._clock = clock
        self._book = book or OwnBook()
        self.sleep = sleep

    def request(self) -> None:
        """Wait until another request fits: at most 10 in any second, per user."""
        self._wait_for(self._book.update(self._reserved))

    def login(self) -> None:
        """Wait for a login: at most one a second, per API key."""
        self._wait_for(self._book.update(self._reserved_for_login))

    def order(self) -> None:
        """Wait for an opening request: at most one in 0.1 s, per user."""
        self._wait_for(self._book.update(self._reserved_for_order))

    def _reserved(self, starts: Starts, not_before: float = float("-inf")) -> Starts:
        # Starts never run backwards, so the window's oldest is always its first.
        start = max(self._clock(), not_before, starts.recent[-1] if starts.recent else not_before)
        if len(starts.recent) == REQUESTS:
            start = max(start, starts.recent[0] + WINDOW_S)
        return replace(starts, recent=(*starts.recent, start)[-REQUESTS:])

    def _reserved_for_login(self, starts: Starts) -> Starts:
        reserved = self._reserved(starts, starts.login_after)
        return replace(reserved, login_after=reserved.recent[-1] + LOGIN_GAP_S)

    def _reserved_for_order(self, starts: Starts) -> Starts:
        reserved = self._reserved(starts, starts.order_after)
        return replace(reserved, order_after=reserved.recent[-1] + ORDER_GAP_S)

    def _wait_for(self, starts: Starts) -> None:
        ahead = starts.recent[-1] - self._clock()
        if ahead > 0:
            self.sleep(ahead)
