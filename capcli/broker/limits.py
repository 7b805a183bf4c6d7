"""Keeps all processes of a user within the broker's rate limits (API page 3): who may send, and when."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum, auto
from math import ceil
from typing import Generic, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from capcli.ports import Clock, Lane
from capcli.ports.login import Allowance, SharedBook, Ticket

T = TypeVar("T")

REQUESTS = 10
# The broker counts in milliseconds of its own clock.
_MARGIN_S = 0.005
WINDOW_S = 1 + _MARGIN_S
LOGIN_GAP_S = 1 + _MARGIN_S
ORDER_GAP_S = 0.1 + _MARGIN_S
TRANSIT_S = 2.0
"""A request without an answer counts as arrived after this time, so a hung one does not block others."""

ORDER_TRANSIT_S = 0.5
"""Shorter: the next order, perhaps on another account, must not wait long for a slow answer."""

BULK_GAP_S = WINDOW_S / REQUESTS
BULK_CATCH_UP_S = 0.05
HOUR_S = 3600
OPENINGS_AN_HOUR = 1000
"""Of positions and working orders together, on demo (API page 3)."""

_LONGEST_NAP_S = 0.25
_SHORTEST_NAP_S = 0.001
_GRACE_S = 1.0
_LONGEST_WAIT_S = 60.0
"""After this time a request is sent, whatever the clock or the file says."""

_NOTICEABLE_S = 1.0


class OwnValue(Generic[T]):
    """The usage of this process alone, if it cannot be shared."""

    def __init__(self, empty: T) -> None:
        self._value = empty
        self._lock = threading.Lock()

    def update(self, change: Callable[[T], T]) -> T:
        with self._lock:
            self._value = change(self._value)
            return self._value


class RequestKind(Enum):
    """The limit that a request counts against, besides the general one."""

    PLAIN = auto()
    LOGIN = auto()
    ORDER = auto()


_GAPS = {
    RequestKind.LOGIN: ("login_after", TRANSIT_S, LOGIN_GAP_S),
    RequestKind.ORDER: ("order_after", ORDER_TRANSIT_S, ORDER_GAP_S),
}
"""Where it stands when the next one may begin, and how that is reckoned."""


class _Ask(Struct):
    """A request in the queue. `until`: set once it may be sent; it counts up to then."""

    kind: RequestKind
    lane: Lane
    asked: float
    number: int = field(default_factory=lambda: secrets.randbits(48))
    at: float = 0.0
    until: float | None = None

    @property
    def place(self) -> tuple[int, float, int]:
        return (self.lane, self.asked, self.number)

    @property
    def start(self) -> float:
        return (self.until or 0.0) - TRANSIT_S - WINDOW_S

    def not_before(self, allowance: Allowance) -> float:
        after = allowance.bulk_after if self.lane is Lane.BULK else allowance.paused_until
        if self.kind in _GAPS:
            after = getattr(allowance, _GAPS[self.kind][0])
        return max(allowance.paused_until, after)


class Pace:
    """Lets requests go by lane and arrival. `clock` and `sleep` count monotonic seconds.

    A request counts from its start until a second after its answer, for the broker counted it somewhere in
    between: so no second at the broker holds more than it allows, however slow either side is. `on_wait`
    gets the seconds of a wait that a person would notice.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        book: SharedBook[Allowance] | None = None,
        on_wait: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._clock = clock
        self._book = book or OwnValue(Allowance())
        self._on_wait = on_wait
        # Of a process's parallel page requests only one queues, so that it wakes in time.
        self._bulk_door = threading.Lock()
        self.sleep = sleep

    @contextmanager
    def turn(self, lane: Lane, kind: RequestKind = RequestKind.PLAIN) -> Iterator[None]:
        """Wait for a request's turn; inside the block it counts as in flight.

        At most 10 in any second per user, one login a second per API key, one opening order in 0.1 s.
        """
        ask = _Ask(kind, lane, self._clock())
        try:
            with self._bulk_door if lane is Lane.BULK else nullcontext():
                self._wait(ask)
            yield
        finally:
            now = self._clock()
            self._book.update(lambda allowance: _left(allowance, ask, now))

    def back_off(self, seconds: float, *, login: bool = False) -> None:
        """Hold back all requests of this user for a while (after a 429 on a login, logins only)."""

        def pause(allowance: Allowance) -> Allowance:
            until = self._clock() + seconds
            if login:
                return replace(allowance, login_after=max(allowance.login_after, until))
            return replace(allowance, paused_until=max(allowance.paused_until, until))

        self._book.update(pause)

    def _wait(self, ask: _Ask) -> None:
        slept, noticed = 0.0, False
        while True:
            forced = slept >= _LONGEST_WAIT_S
            self._book.update(lambda allowance: self._moved_on(allowance, ask, forced=forced))  # noqa: B023
            if ask.until is not None:
                return
            ahead = ask.at - self._clock()
            if not noticed and slept + ahead > _NOTICEABLE_S:
                self._on_wait(ahead)
                noticed = True
            nap = min(max(ahead, _SHORTEST_NAP_S), _LONGEST_NAP_S)
            self.sleep(nap)
            slept += nap

    def _moved_on(self, allowance: Allowance, ask: _Ask, *, forced: bool) -> Allowance:
        """Start a request if it is its turn; else queue it with the time of its next check.

        Run inside the book's lock, perhaps twice when the shared book fails.
        """
        now = self._clock()
        # Drop expired entries: old requests, abandoned tickets, and this one's previous ticket.
        taken = tuple(until for until in allowance.taken if until > now)[-REQUESTS:]
        waiting = tuple(one for one in allowance.waiting if one.number != ask.number and one.expires > now)
        allowance = replace(allowance, taken=taken, waiting=waiting)
        ready = ask.not_before(allowance)
        soonest = max(now, ready)
        # One slot stays free for each request with priority that could start as soon as this one.
        first = sum((one.lane, one.asked, one.number) < ask.place and one.ready <= soonest for one in waiting)
        slots = (*(now,) * (REQUESTS - len(taken)), *taken)
        ask.at = max(ready, slots[first % REQUESTS] + first // REQUESTS * WINDOW_S)
        ask.until = None
        if forced or ask.at <= now:
            return _started(allowance, ask, now)
        ticket = Ticket(
            ask.number, ask.lane, ask.asked, soonest, max(ask.at, now + _LONGEST_NAP_S) + _GRACE_S
        )
        return replace(allowance, waiting=(*allowance.waiting, ticket))


def _started(allowance: Allowance, ask: _Ask, now: float) -> Allowance:
    ask.until = now + TRANSIT_S + WINDOW_S
    started = replace(allowance, taken=tuple(sorted((*allowance.taken, ask.until))[-REQUESTS:]))
    if ask.kind in _GAPS:
        after, transit_s, gap_s = _GAPS[ask.kind]
        return replace(started, **{after: now + transit_s + gap_s})
    if ask.lane is Lane.BULK:
        # From the planned time, not from now: a request that started a little late is made up for.
        planned = max(started.bulk_after, now - BULK_CATCH_UP_S)
        return replace(started, bulk_after=planned + BULK_GAP_S)
    return started


def _left(allowance: Allowance, ask: _Ask, counted: float) -> Allowance:
    """Count a request up to its real end, if that is earlier than assumed at its start."""
    if ask.until is None:
        return replace(allowance, waiting=tuple(one for one in allowance.waiting if one.number != ask.number))
    if counted - ask.start >= TRANSIT_S or ask.until not in allowance.taken:
        return allowance
    taken = list(allowance.taken)
    taken[taken.index(ask.until)] = counted + WINDOW_S
    over = replace(allowance, taken=tuple(sorted(taken)))
    if ask.kind not in _GAPS:
        return over
    after, transit_s, gap_s = _GAPS[ask.kind]
    assumed = ask.start + transit_s + gap_s
    # Another process may have set it meanwhile.
    mine = abs(getattr(over, after) - assumed) < _MARGIN_S
    return replace(over, **{after: counted + gap_s}) if mine else over


class Openings:
    """Counts the opening orders of the last hour, which the broker limits. Never waits."""

    def __init__(
        self, clock: Clock, book: SharedBook[tuple[float, ...]] | None = None, most: int | None = None
    ) -> None:
        self._clock = clock
        self._book: SharedBook[tuple[float, ...]] = book or OwnValue(())
        self._most = most

    def wait_s(self) -> int:
        """Return the seconds until another order is allowed; 0: now."""
        if self._most is None:
            return 0
        return self._wait_after(self._book.update(self._of_the_hour))

    def take(self) -> int:
        """Count one more opening order and return 0; else the seconds until one is allowed."""
        if self._most is None:
            return 0
        found: list[int] = []

        def one_more(times: tuple[float, ...]) -> tuple[float, ...]:
            hour = self._of_the_hour(times)
            found.append(self._wait_after(hour))
            return hour if found[-1] else (*hour, self._clock().timestamp())

        self._book.update(one_more)
        return found[-1]

    def give_back(self) -> None:
        """Take back the latest opening order: it was not sent."""
        if self._most is not None:
            self._book.update(lambda times: self._of_the_hour(times)[:-1])

    def _of_the_hour(self, times: tuple[float, ...]) -> tuple[float, ...]:
        # A time in the future is from before the clock was set back: ignore it.
        now = self._clock().timestamp()
        return tuple(at for at in times if now - HOUR_S < at <= now + _GRACE_S)

    def _wait_after(self, hour: tuple[float, ...]) -> int:
        most = self._most or 0
        if len(hour) < most:
            return 0
        return max(1, ceil(hour[-most] + HOUR_S - self._clock().timestamp()))
