"""Keeps one user's processes under the broker's rate limits (API page 3): who may send next, and when."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum, auto
from math import ceil

from msgspec import Struct, field
from msgspec.structs import replace

from capcli.ports import Allowance, Clock, Lane, OpeningsBook, PaceBook, Ticket

REQUESTS = 10
# The broker counts in milliseconds of its own clock.
_MARGIN_S = 0.005
WINDOW_S = 1 + _MARGIN_S
LOGIN_GAP_S = 1 + _MARGIN_S
ORDER_GAP_S = 0.1 + _MARGIN_S
TRANSIT_S = 2.0
"""A request whose answer is out counts as arrived after this time, so a hung or killed one blocks nobody."""

ORDER_TRANSIT_S = 0.5
"""Shorter: the next order, on another account perhaps, is not to wait long for a slow answer."""

BULK_GAP_S = WINDOW_S / REQUESTS
BULK_CREDIT_S = 0.05
HOUR_S = 3600
OPENINGS_AN_HOUR = 1000
"""Of positions and working orders together, on demo (API page 3)."""

_LONGEST_NAP_S = 0.25
_SHORTEST_NAP_S = 0.001
_GRACE_S = 1.0
_LONGEST_WAIT_S = 60.0
"""Whatever a clock or a file does: then a request goes."""

_NOTICEABLE_S = 1.0


class OwnBook:
    """The allowance of this process alone, for where it cannot be shared."""

    def __init__(self) -> None:
        self._allowance = Allowance()
        self._lock = threading.Lock()

    def update(self, change: Callable[[Allowance], Allowance]) -> Allowance:
        with self._lock:
            self._allowance = change(self._allowance)
            return self._allowance


class OwnOpenings:
    """The openings of this process alone."""

    def __init__(self) -> None:
        self._times: tuple[float, ...] = ()
        self._lock = threading.Lock()

    def update(self, change: Callable[[tuple[float, ...]], tuple[float, ...]]) -> tuple[float, ...]:
        with self._lock:
            self._times = change(self._times)
            return self._times


class RequestKind(Enum):
    """What a request counts as, besides being one."""

    PLAIN = auto()
    LOGIN = auto()
    ORDER = auto()


class _Ask(Struct):
    """A request on its way through the queue. `until` is set once it may go: so long it counts."""

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
        if self.kind is RequestKind.LOGIN:
            return max(allowance.paused_until, allowance.login_after)
        if self.kind is RequestKind.ORDER:
            return max(allowance.paused_until, allowance.order_after)
        if self.lane is Lane.BULK:
            return max(allowance.paused_until, allowance.bulk_after)
        return allowance.paused_until


class Pace:
    """Lets requests go by lane and arrival. `clock` and `sleep` count monotonic seconds.

    A request counts from its start until a second after its answer, for the broker counted it somewhere in
    between: so no second at the broker holds more than it allows, however slow either side is. `told` hears
    how many seconds a wait takes that a person would notice.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        book: PaceBook | None = None,
        told: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._clock = clock
        self._book = book or OwnBook()
        self._told = told
        # Of the pages that a process asks for side by side one stands in the queue: it is woken in time then.
        self._bulk_door = threading.Lock()
        self.sleep = sleep

    @contextmanager
    def turn(self, lane: Lane, kind: RequestKind = RequestKind.PLAIN) -> Iterator[None]:
        """Wait for the turn of a request, and count it as under way inside the block.

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
        """Let no request of this user go for a while (no login, after a 429 on one)."""

        def pause(allowance: Allowance) -> Allowance:
            until = self._clock() + seconds
            if login:
                return replace(allowance, login_after=max(allowance.login_after, until))
            return replace(allowance, paused_until=max(allowance.paused_until, until))

        self._book.update(pause)

    def _wait(self, ask: _Ask) -> None:
        slept, told = 0.0, False
        while True:
            forced = slept >= _LONGEST_WAIT_S
            self._book.update(lambda allowance: self._moved_on(allowance, ask, forced=forced))  # noqa: B023
            if ask.until is not None:
                return
            ahead = ask.at - self._clock()
            if not told and slept + ahead > _NOTICEABLE_S:
                self._told(ahead)
                told = True
            nap = min(max(ahead, _SHORTEST_NAP_S), _LONGEST_NAP_S)
            self.sleep(nap)
            slept += nap

    def _moved_on(self, allowance: Allowance, ask: _Ask, *, forced: bool) -> Allowance:
        """Let a request go if it is its turn; else note in the queue that it waits, and when to look again.

        Run inside the book's lock, perhaps twice when the shared book fails.
        """
        now = self._clock()
        allowance = _swept(allowance, ask, now)
        ready = ask.not_before(allowance)
        soonest = max(now, ready)
        # One slot is left free for each of those who go first and could start as soon as this one.
        first = sum(_place(one) < ask.place and one.ready <= soonest for one in allowance.waiting)
        ask.at = max(ready, _free_at(allowance, first, now))
        ask.until = None
        if forced or ask.at <= now:
            return _started(allowance, ask, now)
        ticket = Ticket(
            ask.number, ask.lane, ask.asked, soonest, max(ask.at, now + _LONGEST_NAP_S) + _GRACE_S
        )
        return replace(allowance, waiting=(*allowance.waiting, ticket))


def _place(ticket: Ticket) -> tuple[int, float, int]:
    return (ticket.lane, ticket.asked, ticket.number)


def _swept(allowance: Allowance, ask: _Ask, now: float) -> Allowance:
    """Leave out what is over: requests that count no more, the given up, and this one's last ticket."""
    return replace(
        allowance,
        taken=tuple(until for until in allowance.taken if until > now)[-REQUESTS:],
        waiting=tuple(one for one in allowance.waiting if one.number != ask.number and one.expires > now),
    )


def _free_at(allowance: Allowance, place: int, now: float) -> float:
    """Return when the slot at a place in the queue becomes free, as far as that is known."""
    slots = (*(now,) * (REQUESTS - len(allowance.taken)), *allowance.taken)
    return slots[place % REQUESTS] + place // REQUESTS * WINDOW_S


def _started(allowance: Allowance, ask: _Ask, now: float) -> Allowance:
    ask.until = now + TRANSIT_S + WINDOW_S
    started = replace(allowance, taken=tuple(sorted((*allowance.taken, ask.until))[-REQUESTS:]))
    if ask.kind is RequestKind.LOGIN:
        return replace(started, login_after=now + TRANSIT_S + LOGIN_GAP_S)
    if ask.kind is RequestKind.ORDER:
        return replace(started, order_after=now + ORDER_TRANSIT_S + ORDER_GAP_S)
    if ask.lane is Lane.BULK:
        # By the plan, not by the clock: a step that came a little late is made up for.
        planned = max(started.bulk_after, now - BULK_CREDIT_S)
        return replace(started, bulk_after=planned + BULK_GAP_S)
    return started


def _left(allowance: Allowance, ask: _Ask, counted: float) -> Allowance:
    """Count a request by when it was over, where that is sooner than was assumed at its start."""
    if ask.until is None:
        return replace(allowance, waiting=tuple(one for one in allowance.waiting if one.number != ask.number))
    if counted - ask.start >= TRANSIT_S or ask.until not in allowance.taken:
        return allowance
    taken = list(allowance.taken)
    taken[taken.index(ask.until)] = counted + WINDOW_S
    over = replace(allowance, taken=tuple(sorted(taken)))
    if ask.kind is RequestKind.LOGIN:
        assumed = ask.start + TRANSIT_S
        return replace(over, login_after=_sooner(over.login_after, assumed, counted, LOGIN_GAP_S))
    if ask.kind is RequestKind.ORDER:
        assumed = ask.start + ORDER_TRANSIT_S
        return replace(over, order_after=_sooner(over.order_after, assumed, counted, ORDER_GAP_S))
    return over


def _sooner(after: float, assumed: float, counted: float, gap_s: float) -> float:
    """Return when the next may begin: counted from the answer, unless somebody else set it meanwhile."""
    mine = abs(after - (assumed + gap_s)) < _MARGIN_S
    return counted + gap_s if mine else after


class Openings:
    """Counts the opening orders of the last hour, where the broker allows only so many. Never waits."""

    def __init__(self, clock: Clock, book: OpeningsBook | None = None, most: int | None = None) -> None:
        self._clock = clock
        self._book = book or OwnOpenings()
        self._most = most

    def wait_s(self) -> int:
        """Return the seconds until another order fits into the hour; 0 for now."""
        if self._most is None:
            return 0
        return self._wait_after(self._book.update(self._of_the_hour))

    def take(self) -> int:
        """Count one more opening order and return 0, or count none and return the seconds until one fits."""
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
        """Count one opening order less: the latest one did not leave."""
        if self._most is not None:
            self._book.update(lambda times: self._of_the_hour(times)[:-1])

    def _of_the_hour(self, times: tuple[float, ...]) -> tuple[float, ...]:
        # A time ahead of ours is from a clock that was set back since, and says nothing.
        now = self._clock().timestamp()
        return tuple(at for at in times if now - HOUR_S < at <= now + _GRACE_S)

    def _wait_after(self, hour: tuple[float, ...]) -> int:
        most = self._most or 0
        if len(hour) < most:
            return 0
        return max(1, ceil(hour[-most] + HOUR_S - self._clock().timestamp()))
