"""Watches markets on the price stream, and reports those that went silent."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from capcli import ids
from capcli.context import Context
from capcli.domain.market import MarketDetails, MarketStatus, Resolution
from capcli.domain.stream import MOST_EPICS, Disconnected, Quiet, StreamEvent, StreamGap, Tick
from capcli.errors import RateLimited, Unreachable, UsageError
from capcli.ports import Broker, Clock

QUIET_MS = 30_000
_LOOK_S = 1.0
_ASK_AGAIN_S = 60.0


class PriceStream(Protocol):
    """One price stream that reconnects by itself. For one thread."""

    def add(self, epics: Sequence[str]) -> None:
        """Subscribe to more markets. Raises UsageError above 40 in all."""
        ...

    def receive(self, timeout_s: float) -> list[StreamEvent]:
        """Return events, waiting at most this long for the first. Raises permanent failures."""
        ...

    def close(self) -> list[StreamEvent]:
        """Close it; return the last events that were already on their way."""
        ...


class Streams(Protocol):
    """Opens price streams of the session."""

    def open(self, epics: Sequence[str], bars: Resolution | None = None) -> PriceStream:
        """Subscribe to quotes, or to closed bars, of at most 40 markets.

        Raises UsageError for more, EpicUnknown, Unreachable, RateLimited, and what a login raises.
        """
        ...


class Watched(Struct, frozen=True):
    """A watched market as it was at the start."""

    market: MarketDetails

    @property
    def first(self) -> Tick | None:
        """The price at the start, with its own time; None for a market that had none."""
        quote = self.market.quote
        if quote.bid is None or quote.offer is None:
            return None
        at = int(quote.at.timestamp() * 1000)
        return Tick(self.market.epic, quote.bid, quote.offer, at, at)

    @property
    def is_open(self) -> bool:
        return self.market.quote.status is MarketStatus.TRADEABLE


class Watching:
    """Starts watches of markets. Changes nothing."""

    def __init__(self, context: Context, streams: Streams) -> None:
        self._context = context
        self._streams = streams

    def watch(self, epics: Sequence[str]) -> "Watch":
        """Watch 1 to 40 markets. Raises EpicUnknown first, UsageError, Unreachable, RateLimited."""
        wanted = chosen(epics)
        # Names the unknown epic of a list.
        broker = self._context.broker
        markets = broker.all_details(wanted) if len(wanted) > 1 else (broker.details(wanted[0]),)
        stream = self._streams.open(wanted)
        return Watch(broker, stream, markets, self._context.clock)


def chosen(epics: Iterable[str]) -> tuple[str, ...]:
    """Return the epics without duplicates. Raises UsageError for none, and for more than a stream allows."""
    wanted = tuple(dict.fromkeys(ids.epic(epic) for epic in epics))
    if not 1 <= len(wanted) <= MOST_EPICS:
        raise UsageError(
            f"Name 1 to {MOST_EPICS} epics, not {len(wanted)}: a stream carries no more.",
            next="capcli watch --help",
        )
    return wanted


class Watch:
    """A stream of some markets, and the state of each. For one thread; close it at the end."""

    def __init__(
        self, broker: Broker, stream: PriceStream, markets: Sequence[MarketDetails], clock: Clock
    ) -> None:
        self.account_id = broker.account_id
        self.markets = {market.epic: Watched(market) for market in markets}
        self.status = {market.epic: market.quote.status for market in markets}
        self._broker = broker
        self._stream = stream
        self._clock = clock
        self._begun_ms = self._now_ms()
        self._seen_ms = dict.fromkeys(self.markets, self._begun_ms)
        self._quiet: set[str] = set()
        self._look_at_ms = self._ask_at_ms = 0

    def add(self, epics: Sequence[str]) -> None:
        """Watch more markets. Raises as `Watching.watch`."""
        new = [epic for epic in epics if epic not in self.markets]
        if not new:
            return
        self._stream.add(new)
        for market in self._broker.all_details(tuple(new)):
            self.markets[market.epic] = Watched(market)
            self.status[market.epic] = market.quote.status
            self._seen_ms[market.epic] = self._now_ms()

    def receive(self, timeout_s: float) -> list[StreamEvent | Quiet]:
        """Return events, and markets that went quiet. Raises permanent failures."""
        events: list[StreamEvent | Quiet] = [*self._stream.receive(timeout_s)]
        for event in events:
            if type(event) is Tick and event.epic in self._seen_ms:
                self._seen_ms[event.epic] = event.received_ms
        now = self._now_ms()
        if now - self._look_at_ms >= _LOOK_S * 1000:
            self._look_at_ms = now
            events += self._silences(now)
        return events

    def close(self) -> list[StreamEvent]:
        """Close the stream; return the last events that were already on their way."""
        return self._stream.close()

    def since_ms(self, epic: str) -> int | None:
        """Return since when a market is quiet, None while it ticks."""
        return self._seen_ms[epic] if epic in self._quiet else None

    def _silences(self, now: int) -> list[Quiet]:
        silent = {epic for epic, seen in self._seen_ms.items() if now - seen >= QUIET_MS}
        if now - self._begun_ms < QUIET_MS:
            unheard = {epic for epic, seen in self._seen_ms.items() if seen == self._begun_ms}
            silent |= {epic for epic, one in self.markets.items() if not one.is_open and epic in unheard}
        new, self._quiet = silent - self._quiet, silent
        if silent and (new or now >= self._ask_at_ms):
            changed = self._ask(silent, now)
            new |= changed
        return [Quiet(epic, self.status[epic], self._seen_ms[epic]) for epic in sorted(new)]

    def _ask(self, silent: set[str], now: int) -> set[str]:
        """Read the status of silent markets; return those whose status changed."""
        first = now - self._begun_ms < QUIET_MS
        if now < self._ask_at_ms or first:
            return set()
        self._ask_at_ms = now + int(_ASK_AGAIN_S * 1000)
        try:
            found = self._broker.all_details(tuple(sorted(silent)))
        except (Unreachable, RateLimited):
            return set()
        changed = {m.epic for m in found if m.quote.status is not self.status[m.epic]}
        self.status |= {market.epic: market.quote.status for market in found}
        return changed

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


class Throttle:
    """Passes on the latest tick of each market once in `every_ms`, or all with 0; the last of a burst too."""

    def __init__(self, every_ms: int) -> None:
        self._every = every_ms
        self._sent: dict[str, int] = {}
        self._pending: dict[str, Tick] = {}

    def pass_on(self, events: Iterable[StreamEvent | Quiet], now_ms: int) -> list[StreamEvent | Quiet]:
        """Return the events to show now, in their order of arrival."""
        if not self._every:
            return list(events)
        others: list[StreamEvent | Quiet] = []
        for event in events:
            if isinstance(event, Tick):
                self._pending[event.epic] = event
            else:
                others.append(event)
        due = [epic for epic in self._pending if now_ms - self._sent.get(epic, -self._every) >= self._every]
        for epic in due:
            self._sent[epic] = now_ms
        return [*others, *(self._pending.pop(epic) for epic in due)]


def breaks(events: Iterable[StreamEvent | Quiet]) -> list[StreamGap | Disconnected]:
    """Return the gaps and disconnections."""
    return [event for event in events if isinstance(event, StreamGap | Disconnected)]
