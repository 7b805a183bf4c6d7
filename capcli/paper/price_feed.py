"""What the markets of one seed have printed: quotes, candles and crossings, masked by their opening hours.

Seconds are market time since 1970. While a market is closed its path runs on unseen. A market that is
replayed prints what its recording says, and nothing where that has no bar.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, Protocol

from msgspec import Struct

from capcli.paper.catalogue import MARKETS, Market, Markets
from capcli.paper.crosses import Crossed
from capcli.paper.generator import LEAF, SPANS, Bar, Line, PriceGenerator, Shape, index_of, merge, start_of
from capcli.paper.hours import MONDAY, Openness
from capcli.paper.recordings import Recording

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


class Print(NamedTuple):
    """Bid and offer in steps, the second they were printed and how many ticks that second had."""

    bid: int
    offer: int
    second: int
    ticks: int


class Extent(NamedTuple):
    """Between what prices, in steps, a market moved in some span of time, the one it came with included."""

    low_bid: int
    high_bid: int
    low_offer: int
    high_offer: int


class Candle(NamedTuple):
    """A bar of bids and one of offers, by their opening second."""

    start: int
    bar: Bar
    offers: Bar


class Timetable(Protocol):
    """When prices are printed; `hours.Hours` says what each answer is."""

    def openness(self, first: int, last: int) -> Openness: ...
    def is_open(self, second: int) -> bool: ...
    def last_open(self, second: int) -> int: ...
    def next_open(self, second: int) -> int: ...


class Barrier(Protocol):
    """Something a falling or rising bid runs into."""

    def clears(self, bar: Bar, *, whole: bool) -> bool:
        """True when no tick of the bar hits; `whole` says that all its ticks count."""
        ...

    def hit(self, bid: int) -> bool: ...


class Fixed(Struct, frozen=True):
    """A bid at or beyond a level, on the way up or down."""

    level: int
    rising: bool

    def clears(self, bar: Bar, *, whole: bool) -> bool:  # noqa: ARG002  (closed ticks lie within the bar as well)
        return bar.high < self.level if self.rising else bar.low > self.level

    def hit(self, bid: int) -> bool:
        return bid >= self.level if self.rising else bid <= self.level


class Trailing(Struct):
    """A bid that came back by `distance` steps from its best; the best grows while the search walks on."""

    best: int
    distance: int
    rising: bool  # the side that hurts: rising for a short position

    def clears(self, bar: Bar, *, whole: bool) -> bool:
        best = self._better(bar.low if self.rising else bar.high)
        if not whole or self._reached(bar.high if self.rising else bar.low, best):
            return False
        self.best = best
        return True

    def hit(self, bid: int) -> bool:
        self.best = self._better(bid)
        return self._reached(bid, self.best)

    def _better(self, bid: int) -> int:
        return min(self.best, bid) if self.rising else max(self.best, bid)

    def _reached(self, bid: int, best: int) -> bool:
        return bid >= best + self.distance if self.rising else bid <= best - self.distance


class _Drawn(Struct, frozen=True):
    """A market's bids on the synthetic path."""

    path: PriceGenerator
    shape: Shape

    def bar(self, level: int, index: int) -> Bar:
        return self.path.bar(self.shape, level, index)

    def ticks(self, index: int) -> tuple[Bar, ...]:
        return self.path.ticks(self.shape, index)


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
        self._crosses = {m.epic: self._cross(m, *m.legs) for m in markets.values() if m.legs}
        self._extents: Callable[[str, int, int], Extent] = lru_cache(_KEPT_EXTENTS)(self._extent)
        self._folds: Callable[[str, int, int, bool], Bar | None] = lru_cache(_KEPT_FOLDS)(
            lambda epic, first, last, offer: self.fold(markets[epic], first, last, offer=offer)
        )
        self._open_leaves: Callable[[str, int], tuple[Print, ...]] = lru_cache(_KEPT_LEAVES)(self._open_leaf)

    def hours(self, market: Market) -> Timetable:
        """When the market prints; a recording knows nothing of opening hours but its bars."""
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
        bids = self._crosses.get(market.epic) or _Drawn(self._path, market.shape)
        return _Above(bids, market.spread) if offer else bids

    def _cross(self, market: Market, base: str, quote: str) -> Crossed:
        legs = self.markets[base], self.markets[quote]
        bids = _Drawn(self._path, legs[0].shape), _Drawn(self._path, legs[1].shape)
        return Crossed(market, *legs, bids)

    def last(self, market: Market, second: int) -> Print:
        """The latest tick at or before an instant; before a recording begins, its first price."""
        index, place = divmod(second - MONDAY, SPANS[LEAF])
        prints = self._open_leaves(market.epic, index)
        return prints[place] if prints else self._last_open(market, second)

    def _last_open(self, market: Market, second: int) -> Print:
        if recording := self._recordings.get(market.epic):
            return _last_recorded(recording, second)
        when = market.hours.last_open(min(second, SUSPENDED_SINCE) if market.suspended else second)
        index, place = _leaf(when)
        return _print(market, self.line(market, offer=False).ticks(index)[place], when)

    def _open_leaf(self, epic: str, index: int) -> tuple[Print, ...]:
        """What is printed in the seconds of a leaf, where that is so simple: drawn, and open all the time."""
        market, start = self.markets[epic], start_of(LEAF, index)
        whole = market.hours.openness(start, start + SPANS[LEAF] - 1) is Openness.ALL
        if epic in self._recordings or market.suspended or not whole:
            return ()
        ticks = self.line(market, offer=False).ticks(index)
        return tuple(_print(market, tick, second) for second, tick in enumerate(ticks, start))

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
        if last < first:
            return None
        fold = _Fold(self.line(market, offer=offer), self.hours(market), first, last)
        return fold.among(0, range(index_of(0, first), index_of(0, last) + 1))

    def so_far(self, market: Market, first: int, now: int, *, offer: bool = False) -> Bar | None:
        """`fold` of a span whose end moves on: what lies before the longest bar around now is kept."""
        starts = (start_of(level, index_of(level, now)) for level in range(LEAF + 1))
        cut = next((start for start in starts if start > first), None)
        if cut is None:
            return self.fold(market, first, now, offer=offer)
        halves = self._folds(market.epic, first, cut - 1, offer), self._folds(market.epic, cut, now, offer)
        bars = [bar for bar in halves if bar]
        return merge(bars) if bars else None

    def candle(self, market: Market, level: int, start: int, now: int, *, offer: bool = False) -> Bar | None:
        return self.fold(market, start, min(start + SPANS[level] - 1, now), offer=offer)

    def candles_back(self, market: Market, level: int, first: int, last: int) -> Iterator[Candle]:
        """Candles whose ticks lie in `first` to `last`, latest first; empty ones are skipped over."""
        hours, second = self.hours(market), self.last(market, last).second
        first = max(first, self.first(market))
        while second >= first:
            start = start_of(level, index_of(level, second))
            if bar := self.candle(market, level, start, last):
                yield Candle(start, bar, self.offers(market, level, start, last, bar))
            second = hours.last_open(start - 1)

    def candles_on(self, market: Market, level: int, first: int, last: int) -> Iterator[Candle]:
        """The same forward."""
        hours, end = self.hours(market), self.last(market, last).second
        second = hours.next_open(max(first, self.first(market)))
        while second <= end:
            start = start_of(level, index_of(level, second))
            if bar := self.candle(market, level, start, end):
                yield Candle(start, bar, self.offers(market, level, start, end, bar))
            second = hours.next_open(start + SPANS[level])

    def offers(self, market: Market, level: int, start: int, now: int, bids: Bar) -> Bar:
        """The offers of a candle whose bids are known."""
        if market.epic not in self._recordings:
            return _shifted(bids, market.spread)
        bar = self.candle(market, level, start, now, offer=True)
        assert bar, "a recording has both sides of a bar"
        return bar

    def crossing(
        self, market: Market, barrier: Barrier, first: int, last: int, *, offer: bool = False
    ) -> int | None:
        """The first open second from `first` to `last`, both included, whose price hits the barrier."""
        if market.suspended:
            return None
        search = _Search(self.line(market, offer=offer), self.hours(market), barrier, first, last)
        return search.among(0, range(index_of(0, first), index_of(0, last) + 1))


def _leaf(second: int) -> tuple[int, int]:
    """The leaf of a second, and its place there."""
    return divmod(second - MONDAY, SPANS[LEAF])


def _print(market: Market, tick: Bar, second: int) -> Print:
    return Print(tick.close, tick.close + market.spread, second, tick.volume)


def _stretched(before: int, bar: Bar | None) -> tuple[int, int]:
    return (min(before, bar.low), max(before, bar.high)) if bar else (before, before)


def _last_recorded(recording: Recording, second: int) -> Print:
    when = recording.hours.last_open(second)
    index, place = _leaf(max(when, recording.first))
    bid, offer = recording.bids.ticks(index)[place], recording.offers.ticks(index)[place]
    return Print(bid.close, offer.close, when if when >= recording.first else second, bid.volume)


class _Fold(Struct, frozen=True):
    """One walk over the bars between two seconds, entering only those that lie there in part."""

    line: Line
    hours: Timetable
    first: int
    last: int

    def among(self, level: int, indices: range) -> Bar | None:
        bars = [bar for index in indices if (bar := self._within(level, index))]
        return merge(bars) if bars else None

    def _within(self, level: int, index: int) -> Bar | None:
        start = start_of(level, index)
        end = start + SPANS[level] - 1
        openness = self.hours.openness(start, end)
        if openness is Openness.NONE:
            return None
        if self.first <= start and end <= self.last and openness is Openness.ALL:
            return self.line.bar(level, index)
        if level == LEAF:
            ticks = self.line.ticks(index)
            return merge(ticks[max(0, self.first - start) : self.last - start + 1])
        return self.among(level + 1, _below(level, index, self.first, self.last))


class _Search(Struct, frozen=True):
    """One walk over the bars between two seconds, entering only those that can hit."""

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
        if self.barrier.clears(self.line.bar(level, index), whole=whole):
            return None
        if level == LEAF:
            return self._in_ticks(index, start)
        return self.among(level + 1, _below(level, index, self.first, self.last))

    def _in_ticks(self, index: int, start: int) -> int | None:
        for second, tick in enumerate(self.line.ticks(index), start):
            if self.first <= second <= self.last and self.barrier.hit(tick.close):
                return second
        return None


def _below(level: int, index: int, first: int, last: int) -> range:
    """The bars of the next level in this one that have a part between two seconds."""
    parts = SPANS[level] // SPANS[level + 1]
    start, end = index * parts, (index + 1) * parts
    return range(max(start, index_of(level + 1, first)), min(end, index_of(level + 1, last) + 1))
