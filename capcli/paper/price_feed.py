"""The prints of one seed's markets: quotes, candles and crossings, masked by opening hours.

Seconds are market time since 1970. While a market is closed its path runs on unseen. A market that is
replayed prints what its recording says, and nothing where that has no bar.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import NamedTuple, Protocol

from msgspec import Struct

from capcli.paper.catalogue import MARKETS, Market, Markets
from capcli.paper.crosses import Crossed
from capcli.paper.generator import LEAF, SPANS, Bar, Drawn, Line, PriceGenerator, index_of, merge, start_of
from capcli.paper.hours import MONDAY, Hours, Openness, Seasonal
from capcli.paper.recordings import RecordedHours, Recording

# Path level of each resolution on the wire.
RESOLUTIONS = {
    "WEEK": 0,
    "DAY": 1,
    "HOUR_4": 2,
    "HOUR": 3,
    "MINUTE_30": 4,
    "MINUTE_15": 5,
    "MINUTE_5": 6,
    "MINUTE": 7,
}
_KEPT_EXTENTS, _KEPT_LEAVES, _KEPT_FOLDS = 4_096, 1_024, 8_192
SUSPENDED_SINCE = 1_672_763_400  # 2023-01-03 16:30 UTC: the suspended share's last tick
Timetable = Hours | Seasonal | RecordedHours


class Print(NamedTuple):
    """Bid and offer in steps, the second they were printed and how many ticks that second had."""

    bid: int
    offer: int
    second: int
    ticks: int


class Extent(NamedTuple):
    """A market's price range in a span, in steps, its price before included."""

    low_bid: int
    high_bid: int
    low_offer: int
    high_offer: int


class Candle(NamedTuple):
    """A bar of bids and one of offers, by their opening second."""

    start: int
    bar: Bar
    offers: Bar


class Barrier(Protocol):
    """A condition on the price that a search looks for."""

    def clears(self, bar: Callable[[], Bar], *, whole: bool) -> bool:
        """True if no tick of the bar can hit; `whole`: all its ticks count."""
        ...

    def hit(self, tick: Bar) -> bool: ...


class _Folded(Struct):
    """Never hits: collects all bars on the way."""

    bars: list[Bar] = []

    def clears(self, bar: Callable[[], Bar], *, whole: bool) -> bool:
        if whole:
            self.bars.append(bar())
        return whole

    def hit(self, tick: Bar) -> bool:
        self.bars.append(tick)
        return False


class Fixed(Struct, frozen=True):
    """A price at or beyond a level, on the way up or down."""

    level: int
    rising: bool

    def clears(self, bar: Callable[[], Bar], *, whole: bool) -> bool:  # noqa: ARG002  (closed ticks too lie within)
        return bar().high < self.level if self.rising else bar().low > self.level

    def hit(self, tick: Bar) -> bool:
        return tick.close >= self.level if self.rising else tick.close <= self.level


class Trailing(Struct):
    """A price that came back by `distance` steps from its best; the best grows while the search walks on."""

    best: int
    distance: int
    rising: bool  # the adverse side: rising for a short position

    def clears(self, bar: Callable[[], Bar], *, whole: bool) -> bool:
        best_last, worst = (bar().low, bar().high) if self.rising else (bar().high, bar().low)
        best = self._better(best_last)
        if not whole or self._reached(worst, best):
            return False
        self.best = best
        return True

    def hit(self, tick: Bar) -> bool:
        self.best = self._better(tick.close)
        return self._reached(tick.close, self.best)

    def _better(self, price: int) -> int:
        return min(self.best, price) if self.rising else max(self.best, price)

    def _reached(self, price: int, best: int) -> bool:
        return price >= best + self.distance if self.rising else price <= best - self.distance


class _Above(Struct, frozen=True):
    """Offers that lie `shift` steps above the bids."""

    bids: Line
    shift: int

    def bar(self, level: int, index: int) -> Bar:
        return _shifted(self.bids.bar(level, index), self.shift)

    def ticks(self, index: int) -> tuple[Bar, ...]:
        return tuple(_shifted(tick, self.shift) for tick in self.bids.ticks(index))


def _shifted(bar: Bar, by: int) -> Bar:
    return Bar(bar.open + by, bar.high + by, bar.low + by, bar.close + by, bar.volume)


class PriceFeed:
    """All markets of one world. Offers lie a spread above the bids, unless a recording has its own."""

    def __init__(
        self,
        seed: str,
        recordings: Mapping[str, Recording] = MappingProxyType({}),
        markets: Markets = MARKETS,
    ) -> None:
        self.markets = markets
        self._path = PriceGenerator(seed)
        self._recordings = recordings
        self._crosses = {m.epic: self._cross(m, *m.pairs) for m in markets.values() if m.pairs}
        self._extents: Callable[[str, int, int], Extent] = lru_cache(_KEPT_EXTENTS)(self._extent)
        self._folds: Callable[[str, int, int, bool], Bar | None] = lru_cache(_KEPT_FOLDS)(
            lambda epic, first, last, offer: self.fold(markets[epic], first, last, offer=offer)
        )
        self._open_leaves: Callable[[str, int], tuple[Print, ...]] = lru_cache(_KEPT_LEAVES)(self._open_leaf)

    def hours(self, market: Market) -> Timetable:
        """When the market prints; for a recording, inside its bars."""
        recording = self._recordings.get(market.epic)
        return recording.hours if recording else market.hours

    def first(self, market: Market) -> int:
        """The second its candles begin. Days go back decades (API page 11); assumption: to one first day."""
        recording = self._recordings.get(market.epic)
        return recording.first if recording else MONDAY

    def follows(self, market: Market, second: int) -> bool:
        """Whether its price came from the second before without a gap."""
        recording = self._recordings.get(market.epic)
        if recording and recording.hours.begins(second):
            return False
        return self.hours(market).is_open(second - 1)

    def line(self, market: Market, *, offer: bool) -> Line:
        if recording := self._recordings.get(market.epic):
            return recording.offers if offer else recording.bids
        bids = self._crosses.get(market.epic) or Drawn(self._path, market.shape)
        return _Above(bids, market.spread) if offer else bids

    def _cross(self, market: Market, base: str, quote: str) -> Crossed:
        pairs = self.markets[base], self.markets[quote]
        return Crossed(market, *pairs, (Drawn(self._path, pairs[0].shape), Drawn(self._path, pairs[1].shape)))

    def last(self, market: Market, second: int) -> Print:
        """The latest tick at or before an instant; before a recording begins, its first price."""
        index, place = divmod(second - MONDAY, SPANS[LEAF])
        if prints := self._open_leaves(market.epic, index):
            return prints[place]
        recording = self._recordings.get(market.epic)
        when = self.hours(market).last_open(min(second, SUSPENDED_SINCE) if market.suspended else second)
        index, place = divmod(max(when, self.first(market)) - MONDAY, SPANS[LEAF])
        bid = self.line(market, offer=False).ticks(index)[place]
        if recording is None:
            return Print(bid.close, bid.close + market.spread, when, bid.volume)
        offer = recording.offers.ticks(index)[place]
        return Print(bid.close, offer.close, when if when >= recording.first else second, bid.volume)

    def _open_leaf(self, epic: str, index: int) -> tuple[Print, ...]:
        """The prints in the seconds of a leaf, in the simple case: generated, and open throughout."""
        market, start = self.markets[epic], start_of(LEAF, index)
        whole = market.hours.openness(start, start + SPANS[LEAF] - 1) is Openness.ALL
        if epic in self._recordings or market.suspended or not whole:
            return ()
        ticks = enumerate(self.line(market, offer=False).ticks(index), start)
        return tuple(Print(t.close, t.close + market.spread, second, t.volume) for second, t in ticks)

    def extent(self, market: Market, level: int, index: int) -> Extent:
        """Of one whole bar."""
        return self._extents(market.epic, level, index)

    def _extent(self, epic: str, level: int, index: int) -> Extent:
        market, first = self.markets[epic], start_of(level, index)
        before, last = self.last(market, first), first + SPANS[level] - 1
        bids = _stretched(before.bid, self.fold(market, first, last))
        if epic not in self._recordings:
            return Extent(*bids, *(bid + market.spread for bid in bids))
        return Extent(*bids, *_stretched(before.offer, self.fold(market, first, last, offer=True)))

    def fold(self, market: Market, first: int, last: int, *, offer: bool = False) -> Bar | None:
        """All ticks from `first` to `last`, both included, as one bar; None when there was none."""
        if market.suspended:
            last = min(last, SUSPENDED_SINCE)
        folded = _Folded()
        if first <= last:
            self._walk(market, folded, first, last, offer=offer)
        return merge(folded.bars) if folded.bars else None

    def so_far(self, market: Market, first: int, now: int, *, offer: bool = False) -> Bar | None:
        """`fold` of a span with a moving end: the part before the longest bar around now is cached."""
        starts = (start_of(level, index_of(level, now)) for level in range(LEAF + 1))
        cut = next((start for start in starts if start > first), None)
        if cut is None:
            return self.fold(market, first, now, offer=offer)
        halves = self._folds(market.epic, first, cut - 1, offer), self._folds(market.epic, cut, now, offer)
        bars = [bar for bar in halves if bar]
        return merge(bars) if bars else None

    def candle(self, market: Market, level: int, start: int, now: int) -> Candle | None:
        """A bar so far; None without a tick."""
        end = min(start + SPANS[level] - 1, now)
        bar = self.fold(market, start, end)
        if bar is None or market.epic not in self._recordings:
            return bar and Candle(start, bar, _shifted(bar, market.spread))
        offers = self.fold(market, start, end, offer=True)
        assert offers, "a recording has both sides of a bar"
        return Candle(start, bar, offers)

    def candles_back(self, market: Market, level: int, first: int, last: int) -> Iterator[Candle]:
        """Candles with ticks from `first` to `last`, latest first; empty ones are skipped."""
        hours, second = self.hours(market), self.last(market, last).second
        first = max(first, self.first(market))
        while second >= first:
            start = start_of(level, index_of(level, second))
            if candle := self.candle(market, level, start, last):
                yield candle
            second = hours.last_open(start - 1)

    def candles_on(self, market: Market, level: int, first: int, last: int) -> Iterator[Candle]:
        """The same forward."""
        hours, end = self.hours(market), self.last(market, last).second
        second = hours.next_open(max(first, self.first(market)))
        while second <= end:
            start = start_of(level, index_of(level, second))
            if candle := self.candle(market, level, start, end):
                yield candle
            second = hours.next_open(start + SPANS[level])

    def crossing(
        self, market: Market, barrier: Barrier, first: int, last: int, *, offer: bool = False
    ) -> int | None:
        """The first open second from `first` to `last`, both included, whose price hits the barrier."""
        return None if market.suspended else self._walk(market, barrier, first, last, offer=offer)

    def _walk(self, market: Market, barrier: Barrier, first: int, last: int, *, offer: bool) -> int | None:
        walk = _Walk(self.line(market, offer=offer), self.hours(market), barrier, first, last)
        return walk.among(0, range(index_of(0, first), index_of(0, last) + 1))


def _stretched(before: int, bar: Bar | None) -> tuple[int, int]:
    return (min(before, bar.low), max(before, bar.high)) if bar else (before, before)


class _Walk(Struct, frozen=True):
    """Walks the bars between two seconds, dividing only those that can hit or are partly outside."""

    line: Line
    hours: Timetable
    barrier: Barrier
    first: int
    last: int

    def among(self, level: int, indices: range) -> int | None:
        for index in indices:
            if (found := self._within(level, index)) is not None:
                return found
        return None

    def _within(self, level: int, index: int) -> int | None:
        start = start_of(level, index)
        end = start + SPANS[level] - 1
        openness = self.hours.openness(start, end)
        if openness is Openness.NONE:
            return None
        whole = self.first <= start and end <= self.last and openness is Openness.ALL
        if self.barrier.clears(partial(self.line.bar, level, index), whole=whole):
            return None
        if level == LEAF:
            for second, tick in enumerate(self.line.ticks(index), start):
                if self.first <= second <= self.last and self.barrier.hit(tick):
                    return second
            return None
        below, first, last = level + 1, max(start, self.first), min(end, self.last)
        return self.among(below, range(index_of(below, first), index_of(below, last) + 1))
