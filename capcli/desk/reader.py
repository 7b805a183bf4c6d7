"""Reads what the desk shows: the stream, the account and this computer, each in a thread of its own.

A step never raises: what cannot be read is told on the screen, and is tried again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from msgspec.structs import replace

from capcli.account.events import EventRow, Feed
from capcli.desk.seen import (
    AccountSeen,
    CandlesSeen,
    LocalSeen,
    PriceSeen,
    Seen,
    Trouble,
)
from capcli.domain.bookings import realised
from capcli.domain.market import Candle, Resolution
from capcli.domain.money import cents
from capcli.domain.stream import MOST_EPICS, Gap, Lost, Quiet, Tick, Told
from capcli.errors import CapcliError, EpicUnknown, Unreachable
from capcli.marketdata.conversion import rates_for
from capcli.marketdata.streams import Watch, Watching
from capcli.ports import Lane
from capcli.reconcile.deal_account import active_account
from capcli.trading.snapshot import broker_midnight

if TYPE_CHECKING:
    from capcli.app import App

USUAL = ("SILVER", "GOLD", "EURUSD", "BTCUSD")
"""The markets that are shown where nothing was named: they exist on every environment."""

ACCOUNT_EVERY_S = 3.0
BOOKINGS_EVERY_S = 30.0
CANDLES_EVERY_S = 30.0
EVENTS_EVERY_S = 5.0
LOCAL_EVERY_S = 0.5
_OPEN_AGAIN_S = 5.0
_LISTEN_S = 0.2
_CANDLES = 120
_EVENTS = 20
_OPEN = "TRADEABLE"


@dataclass(slots=True)
class _Due:
    """When something is to be read again (monotonic seconds)."""

    every_s: float
    at: float = 0.0

    def now(self, now: float) -> bool:
        """Say whether it is due, and put it off to the next time."""
        if now < self.at:
            return False
        self.at = now + self.every_s
        return True


@dataclass(slots=True)
class _State:
    """What was read so far. Changed and looked at under the reader's lock alone."""

    account: AccountSeen | None = None
    prices: dict[str, PriceSeen] = field(default_factory=dict)
    candles: CandlesSeen | None = None
    local: LocalSeen = field(default_factory=LocalSeen)
    stream: Trouble | None = None
    broker: Trouble | None = None
    problems: dict[str, str] = field(default_factory=dict)
    events: tuple[EventRow, ...] = ()


class Reader:
    """Reads in the lowest lane: a request of an order never waits for one of these."""

    def __init__(self, app: "App", epics: Sequence[str] = ()) -> None:
        self._app = app
        self._broker = app.broker.in_lane(Lane.BULK)
        self._watching = Watching(app.reads.in_lane(Lane.BULK), app.streams)
        self._named = bool(epics)
        self._wanted = list(epics or USUAL)
        self._market = self._wanted[0]
        self._resolution = Resolution.HOUR
        self._watch: Watch | None = None
        self._open_at = 0.0
        self._account_due = _Due(ACCOUNT_EVERY_S)
        self._bookings_due = _Due(BOOKINGS_EVERY_S)
        self._candles_due = _Due(CANDLES_EVERY_S)
        self._events_due = _Due(EVENTS_EVERY_S)
        self._feed: Feed | None = None
        self._read_ms = self._tick_ms = self._now_ms()
        self._state = _State()
        self._lock = Lock()
        self._stop = Event()
        self._threads: list[Thread] = []
        self.version = 0

    # What the screen calls.

    def seen(self) -> Seen:
        """Return everything as it stands."""
        with self._lock:
            state = self._state
            return Seen(
                self._app.env,
                self._app.broker.account_id,
                self._now_ms(),
                state.account,
                dict(state.prices),
                state.candles,
                state.local,
                state.stream,
                state.broker,
                tuple(dict.fromkeys(state.problems.values())),
                state.events,
            )

    def choose(self, epic: str, resolution: Resolution) -> None:
        """Show the chart of a market, and watch its prices."""
        with self._lock:
            if (epic, resolution) == (self._market, self._resolution):
                return
            self._market, self._resolution = epic, resolution
            self._state.candles = CandlesSeen(epic, resolution)
            self._candles_due.at = 0.0
            self._want([epic])

    def read_now(self) -> None:
        """Read the account at the next step: something was done to it."""
        self._account_due.at = self._bookings_due.at = self._events_due.at = 0.0

    def start(self) -> None:
        """Begin to read, in threads that end with `close`."""
        for name, step, every in (
            ("prices", self.listen, 0.0),
            ("account", self.ask, _LISTEN_S),
            ("local", self.look, LOCAL_EVERY_S),
        ):
            thread = Thread(target=self._go_on, args=(step, every), name=f"capcli-desk-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self, patience_s: float = 3.0) -> None:
        """End the threads and the stream; a request that hangs is left behind."""
        self._stop.set()
        for thread in self._threads:
            thread.join(patience_s)
        if self._watch is not None and not any(thread.is_alive() for thread in self._threads):
            self._watch.close()

    # Steps: one for each thread.

    def listen(self) -> None:
        """Take what the stream tells; open it again where it ended for good."""
        watch = self._watch or self._opened()
        if watch is None:
            self._stop.wait(_LISTEN_S)
            return
        try:
            watch.add(self._missing(watch))
            told = watch.receive(_LISTEN_S)
        except CapcliError as error:
            self._watch = None
            self._forget_unknown(error)
            with self._lock:
                self._state.stream = Trouble(self._tick_ms, error.message)
            self.version += 1
            return
        if told:
            self._take(told, watch)

    def ask(self) -> None:
        """Read from the broker what is due."""
        now = self._app.monotonic()
        if self._account_due.now(now):
            self._tried(self._read_account)
        if self._candles_due.now(now):
            self._read_candles()
        if self._events_due.now(now):
            self._read_events()

    def look(self) -> None:
        """Read what this computer keeps."""
        try:
            local = self._local()
        except CapcliError as error:
            self._problem("local", error.message)
        else:
            self._problem("local", "")
            with self._lock:
                changed, self._state.local = local != self._state.local, local
            self.version += changed

    def _go_on(self, step: Callable[[], None], every_s: float) -> None:
        while not self._stop.is_set():
            try:
                step()
            except Exception as error:  # noqa: BLE001  a desk that goes dark at a bug would hide the account
                self._problem(step.__name__, f"A bug in capcli: {type(error).__name__}: {error}")
                self._stop.wait(1.0)
            self._stop.wait(every_s)

    # The stream.

    def _opened(self) -> Watch | None:
        now = self._app.monotonic()
        if now < self._open_at:
            return None
        self._open_at = now + _OPEN_AGAIN_S
        with self._lock:
            wanted = tuple(self._wanted)
        if not wanted:
            return None
        try:
            watch = self._watching.watch(wanted)
        except CapcliError as error:
            if self._forget_unknown(error):
                self._open_at = 0.0
            with self._lock:
                self._state.stream = Trouble(self._tick_ms, error.message)
            self.version += 1
            return None
        self._watch = watch
        with self._lock:
            self._state.stream = None
        self._note(watch)
        return watch

    def _forget_unknown(self, error: CapcliError) -> bool:
        """Watch the others where one market is not there."""
        epic = error.details.get("epic")
        if not isinstance(error, EpicUnknown) or epic not in self._wanted:
            return False
        with self._lock:
            self._wanted.remove(str(epic))
            if self._named:
                self._state.problems["market"] = error.message
        return True

    def _missing(self, watch: Watch) -> list[str]:
        with self._lock:
            room = MOST_EPICS - len(watch.markets)
            return [epic for epic in self._wanted if epic not in watch.markets][: max(0, room)]

    def _want(self, epics: Sequence[str]) -> None:
        """Watch these markets, too. Called under the lock."""
        self._wanted += [epic for epic in dict.fromkeys(epics) if epic not in self._wanted]

    def _note(self, watch: Watch) -> None:
        """Take in the markets that are watched since now."""
        with self._lock:
            for epic, one in watch.markets.items():
                if epic not in self._state.prices:
                    quote = one.market.quote
                    self._state.prices[epic] = PriceSeen(one.first, quote.bid, quote.status.value)
        self.version += 1

    def _take(self, told: Sequence[Told | Quiet], watch: Watch) -> None:
        if len(watch.markets) > len(self._state.prices):
            self._note(watch)
        with self._lock:
            state = self._state
            latest = {event.epic: event for event in told if type(event) is Tick}
            for epic, tick in latest.items():
                if epic in state.prices:
                    first = state.prices[epic].first
                    state.prices[epic] = PriceSeen(tick, tick.bid if first is None else first, _OPEN)
                self._tick_ms, state.stream = tick.received_ms, None
                self._grow(tick)
            for event in told:
                if type(event) is Quiet and event.epic in state.prices:
                    row = state.prices[event.epic]
                    state.prices[event.epic] = PriceSeen(row.tick, row.first, event.status, event.since_ms)
                elif type(event) is Lost:
                    state.stream = Trouble(self._tick_ms, event.reason)
                elif type(event) is Gap:
                    state.stream, self._account_due.at = None, 0.0
        self.version += 1

    def _grow(self, tick: Tick) -> None:
        """Let the candle that still forms follow the price. Called under the lock."""
        seen = self._state.candles
        if seen is None or seen.epic != tick.epic or not seen.candles:
            return
        last = seen.candles[-1]
        if tick.at_ms >= (last.time + seen.resolution.span).timestamp() * 1000:
            # A new one has begun: the broker tells how.
            self._candles_due.at = 0.0
            return
        low, high = min(last.bid_low, tick.bid), max(last.bid_high, tick.bid)
        grown = replace(last, bid_low=low, bid_high=high, bid_close=tick.bid)
        self._state.candles = replace(seen, candles=(*seen.candles[:-1], grown))

    # The account.

    def _tried(self, read: Callable[[], None]) -> None:
        try:
            read()
        except CapcliError as error:
            trouble: Trouble | None = Trouble(self._read_ms, error.message)
        else:
            trouble, self._read_ms = None, self._now_ms()
        with self._lock:
            self._state.broker = trouble
        self.version += 1

    def _read_account(self) -> None:
        broker = self._broker
        positions, orders = broker.list_positions(), broker.list_orders()
        account = active_account(broker.accounts(), broker.account_id or "")
        rates = rates_for(broker, positions.rows)
        booked = self._booked()
        unreadable = (*positions.unreadable, *orders.unreadable)
        with self._lock:
            self._state.account = AccountSeen(account, positions.rows, orders.rows, unreadable, rates, booked)
            self._want([row.epic for row in positions.rows])
            self._want([row.epic for row in orders.rows])
            for row in positions.rows:
                # Beyond the 40 markets of a stream a price is as old as the list.
                if row.epic in self._state.prices and not self._is_streamed(row.epic):
                    del self._state.prices[row.epic]

    def _is_streamed(self, epic: str) -> bool:
        return self._watch is None or epic in self._watch.markets

    def _booked(self) -> Decimal | None:
        before = self._state.account.booked if self._state.account else None
        if not self._bookings_due.now(self._app.monotonic()):
            return before
        now = self._broker.broker_time() or self._app.clock()
        return cents(realised(self._broker.transactions(broker_midnight(now), None)))

    def _read_candles(self) -> None:
        with self._lock:
            epic, resolution = self._market, self._resolution
        problem, candles = "", tuple[Candle, ...]()
        try:
            candles = tuple(self._broker.candles(epic, resolution, last=_CANDLES))
            problem = "" if candles else f"The broker has no candles of {epic}."
        except CapcliError as error:
            problem = error.message
        with self._lock:
            if (epic, resolution) == (self._market, self._resolution):
                before = self._state.candles
                kept = before.candles if problem and before and before.epic == epic else candles
                self._state.candles = CandlesSeen(epic, resolution, kept, problem)
        self.version += 1

    def _read_events(self) -> None:
        """Read what happened in the last day, and from then on what is new."""
        events, rows = self._app.events, tuple[EventRow, ...]()
        try:
            if self._feed is None:
                found = events.recent(limit=_EVENTS).data
                rows, self._feed = found.events, events.follow(found.cursor)
            else:
                rows = self._feed.poll()
        except CapcliError as error:
            # A broker that is gone is told of by the account.
            self._problem("events", "" if isinstance(error, Unreachable) else error.message)
            return
        self._problem("events", "")
        if rows:
            with self._lock:
                self._state.events = (*rows[::-1], *self._state.events)[:_EVENTS]
            self.version += 1

    # This computer.

    def _local(self) -> LocalSeen:
        app = self._app
        queue, held = app.approvals.queue(), app.halting.held()
        account = app.broker.account_id
        lost = app.journal.unresolved(app.env, app.host, account) if account else ()
        return LocalSeen(
            waiting=tuple(one.text.splitlines()[0] for one in queue.requests),
            waiting_elsewhere=queue.total - len(queue.requests),
            halt=held.words if held else None,
            unresolved=tuple(one.attempt_id for one in lost),
        )

    def _problem(self, about: str, message: str) -> None:
        with self._lock:
            if self._state.problems.get(about, "") == message:
                return
            self._state.problems.pop(about, None)
            if message:
                self._state.problems[about] = message
        self.version += 1

    def _now_ms(self) -> int:
        return int(self._app.clock().timestamp() * 1000)
