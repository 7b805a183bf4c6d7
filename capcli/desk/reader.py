"""Reads the desk's data: the stream, the account and this computer, each in its own thread.

A step never raises: a failed read is shown on the screen and repeated.
"""

from collections.abc import Callable, Sequence
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from capcli.account.events import EventRow, Feed
from capcli.desk.seen import AccountSeen, CandlesSeen, LocalSeen, PriceSeen, Seen, Trouble
from capcli.domain.bookings import realised
from capcli.domain.market import MarketStatus, Resolution
from capcli.domain.money import cents
from capcli.domain.stream import MOST_EPICS, Disconnected, Quiet, StreamEvent, StreamGap, Tick
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

_EVERY_S = {"account": 3.0, "bookings": 30.0, "candles": 30.0, "events": 5.0}
_LOCAL_EVERY_S = 0.5
_OPEN_AGAIN_S = 5.0
_LISTEN_S = 0.2
_CANDLES = 120
_EVENTS = 20


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
        self._due = dict.fromkeys(_EVERY_S, 0.0)
        self._feed: Feed | None = None
        self._read_ms = self._tick_ms = self._now_ms()
        self._seen = Seen(app.env, None, self._read_ms)
        self._problems: dict[str, str] = {}
        self._lock = RLock()
        self._stop = Event()
        self._threads: list[Thread] = []
        self.version = 0

    # What the screen calls.

    def seen(self) -> Seen:
        """Return the current state."""
        with self._lock:
            return replace(self._seen, account_id=self._app.broker.account_id, at_ms=self._now_ms())

    def choose(self, epic: str, resolution: Resolution) -> None:
        """Choose the market of the chart, and watch its prices."""
        with self._lock:
            if (epic, resolution) == (self._market, self._resolution):
                return
            self._market, self._resolution = epic, resolution
            self._due["candles"] = 0.0
            self._want([epic])
            self._set(candles=CandlesSeen(epic, resolution))

    def read_now(self) -> None:
        """Read the account at the next step, since it was changed."""
        self._due |= dict.fromkeys(("account", "bookings", "events"), 0.0)

    def start(self) -> None:
        """Start the reading threads, which end with `close`."""
        for name, step, every in (
            ("prices", self.read_stream, 0.0),
            ("account", self.read_broker, _LISTEN_S),
            ("local", self.read_computer, _LOCAL_EVERY_S),
        ):
            thread = Thread(target=self._go_on, args=(step, every), name=f"capcli-desk-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self, patience_s: float = 3.0) -> None:
        """End the threads and the stream; a hanging request is abandoned."""
        self._stop.set()
        for thread in self._threads:
            thread.join(patience_s)
        if self._watch is not None and not any(thread.is_alive() for thread in self._threads):
            self._watch.close()

    # Steps: one for each thread.

    def read_stream(self) -> None:
        """Read the stream; reopen it if it ended for good."""
        watch = self._watch or self._opened()
        if watch is None:
            self._stop.wait(_LISTEN_S)
            return
        with self._lock:
            missing = [epic for epic in self._wanted if epic not in watch.markets]
        try:
            watch.add(missing[: max(0, MOST_EPICS - len(watch.markets))])
            received = watch.receive(_LISTEN_S)
        except CapcliError as error:
            self._watch = None
            self._forget_unknown(error)
            self._set(stream=Trouble(self._tick_ms, error.message))
            return
        if received:
            self._take(received, watch)

    def read_broker(self) -> None:
        """Read from the broker whatever is due."""
        if self._is_due("account"):
            self._read_account()
        if self._is_due("candles"):
            self._read_candles()
        if self._is_due("events"):
            self._read_events()

    def read_computer(self) -> None:
        """Read the state stored on this computer."""
        app = self._app
        try:
            queue, halt = app.approvals.queue(), app.halting.current()
            account = app.broker.account_id
            lost = app.journal.unresolved(app.env, app.host, account) if account else ()
        except CapcliError as error:
            self._problem("local", error.message)
            return
        self._problem("local", "")
        local = LocalSeen(
            waiting=tuple(one.text.splitlines()[0] for one in queue.requests),
            waiting_elsewhere=queue.total - len(queue.requests),
            halt=halt.words if halt else None,
            unresolved=tuple(one.attempt_id for one in lost),
        )
        if local != self._seen.local:
            self._set(local=local)

    def _is_due(self, name: str) -> bool:
        """Whether a read is due; if so, schedule the next one."""
        now = self._app.monotonic()
        if now < self._due[name]:
            return False
        self._due[name] = now + _EVERY_S[name]
        return True

    def _go_on(self, step: Callable[[], None], every_s: float) -> None:
        while not self._stop.is_set():
            try:
                step()
            except Exception as error:  # noqa: BLE001  a bug in one step must not stop the others
                self._problem(step.__name__, f"A bug in capcli: {type(error).__name__}: {error}")
                self._stop.wait(1.0)
            self._stop.wait(every_s)

    def _set(self, **changes: Any) -> None:
        """Update the state; the screen draws it."""
        with self._lock:
            self._seen = replace(self._seen, **changes)
            self.version += 1

    # The stream.

    def _opened(self) -> Watch | None:
        now = self._app.monotonic()
        with self._lock:
            wanted = tuple(self._wanted)
        if now < self._open_at or not wanted:
            return None
        self._open_at = now + _OPEN_AGAIN_S
        try:
            watch = self._watch = self._watching.watch(wanted)
        except CapcliError as error:
            if self._forget_unknown(error):
                self._open_at = 0.0
            self._set(stream=Trouble(self._tick_ms, error.message))
            return None
        self._set(stream=None)
        self._note(watch)
        return watch

    def _forget_unknown(self, error: CapcliError) -> bool:
        """Watch the other markets if one is unknown."""
        epic = error.details.get("epic")
        if not isinstance(error, EpicUnknown) or epic not in self._wanted:
            return False
        with self._lock:
            self._wanted.remove(str(epic))
        if self._named:
            self._problem("market", error.message)
        return True

    def _want(self, epics: Sequence[str]) -> None:
        """Watch more markets. Called under the lock."""
        self._wanted += [epic for epic in dict.fromkeys(epics) if epic not in self._wanted]

    def _note(self, watch: Watch) -> None:
        """Add newly watched markets to the state."""
        with self._lock:
            known = self._seen.prices
            new = {epic: one for epic, one in watch.markets.items() if epic not in known}
            rows = {
                epic: PriceSeen(one.first, one.market.quote.bid, one.market.quote.status)
                for epic, one in new.items()
            }
            self._set(prices={**known, **rows})

    def _take(self, received: Sequence[StreamEvent | Quiet], watch: Watch) -> None:
        if len(watch.markets) > len(self._seen.prices):
            self._note(watch)
        with self._lock:
            prices, stream = dict(self._seen.prices), self._seen.stream
            latest = {event.epic: event for event in received if type(event) is Tick}
            for epic, tick in latest.items():
                if epic in prices:
                    first = tick.bid if prices[epic].first is None else prices[epic].first
                    prices[epic] = PriceSeen(tick, first, MarketStatus.TRADEABLE)
                self._tick_ms, stream = tick.received_ms, None
                self._grow(tick)
            for event in received:
                if type(event) is Quiet and event.epic in prices:
                    row = prices[event.epic]
                    prices[event.epic] = PriceSeen(row.tick, row.first, event.status, event.since_ms)
                elif type(event) is Disconnected:
                    stream = Trouble(self._tick_ms, event.reason)
                elif type(event) is StreamGap:
                    stream, self._due["account"] = None, 0.0
            self._set(prices=prices, stream=stream)

    def _grow(self, tick: Tick) -> None:
        """Update the forming candle with the price. Called under the lock."""
        seen = self._seen.candles
        if seen is None or seen.epic != tick.epic or not seen.candles:
            return
        last = seen.candles[-1]
        if tick.at_ms >= (last.time + seen.resolution.span).timestamp() * 1000:
            # A new candle has begun: the broker has its opening price.
            self._due["candles"] = 0.0
            return
        low, high = min(last.bid_low, tick.bid), max(last.bid_high, tick.bid)
        grown = replace(last, bid_low=low, bid_high=high, bid_close=tick.bid)
        self._set(candles=replace(seen, candles=(*seen.candles[:-1], grown)))

    # The account.

    def _read_account(self) -> None:
        broker = self._broker
        try:
            positions, orders = broker.list_positions(), broker.list_orders()
            account = active_account(broker.accounts(), broker.account_id or "")
            rates = rates_for(broker, positions.rows)
            booked = self._seen.account.booked if self._seen.account else None
            if self._is_due("bookings"):
                now = broker.broker_time() or self._app.clock()
                booked = cents(realised(broker.transactions(broker_midnight(now), None)))
        except CapcliError as error:
            self._set(broker=Trouble(self._read_ms, error.message))
            return
        self._read_ms = self._now_ms()
        unreadable = (*positions.unreadable, *orders.unreadable)
        with self._lock:
            self._want([*(row.epic for row in positions.rows), *(row.epic for row in orders.rows)])
            # Beyond the 40 markets of a stream, prices are as old as the list.
            streamed = self._seen.prices if self._watch is None else self._watch.markets
            old = {row.epic for row in positions.rows if row.epic not in streamed}
            self._set(
                account=AccountSeen(account, positions.rows, orders.rows, unreadable, rates, booked),
                prices={epic: row for epic, row in self._seen.prices.items() if epic not in old},
                broker=None,
            )

    def _read_candles(self) -> None:
        with self._lock:
            epic, resolution = self._market, self._resolution
        try:
            candles = tuple(self._broker.candles(epic, resolution, last=_CANDLES))
            problem = "" if candles else f"The broker has no candles of {epic}."
        except CapcliError as error:
            candles, problem = (), error.message
        with self._lock:
            if (epic, resolution) == (self._market, self._resolution):
                before = self._seen.candles
                kept = before.candles if problem and before and before.epic == epic else candles
                self._set(candles=CandlesSeen(epic, resolution, kept, problem))

    def _read_events(self) -> None:
        """Read the events of the last day, then only new ones."""
        events, rows = self._app.events, tuple[EventRow, ...]()
        try:
            if self._feed is None:
                found = events.recent(limit=_EVENTS).data
                rows, self._feed = found.events, events.follow(found.cursor)
            else:
                rows = self._feed.poll()
        except CapcliError as error:
            # The failed account read already shows that the broker is unreachable.
            self._problem("events", "" if isinstance(error, Unreachable) else error.message)
            return
        self._problem("events", "")
        if rows:
            self._set(events=(*rows[::-1], *self._seen.events)[:_EVENTS])

    def _problem(self, about: str, message: str) -> None:
        with self._lock:
            if self._problems.get(about, "") == message:
                return
            self._problems.pop(about, None)
            if message:
                self._problems[about] = message
            self._set(problems=tuple(dict.fromkeys(self._problems.values())))

    def _now_ms(self) -> int:
        return int(self._app.clock().timestamp() * 1000)
