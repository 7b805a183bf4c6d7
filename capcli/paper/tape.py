"""What the markets of one seed have printed: quotes, candles and crossings, masked by their opening hours.

Seconds are market time since 1970. While a market is closed its path runs on unseen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from capcli.paper.catalogue import Market
from capcli.paper.hours import Openness
from capcli.paper.path import LEAF, SPANS, Bar, Path, index_of, merge, start_of

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
SUSPENDED_SINCE = 1_672_763_400  # 2023-01-03 16:30 UTC: the suspended share's last tick


class Print(NamedTuple):
    """A bid in steps and the second it was printed."""

    bid: int
    second: int


class Candle(NamedTuple):
    start: int
    bar: Bar


class Barrier(Protocol):
    """Something a falling or rising bid runs into."""

    def clears(self, bar: Bar, *, whole: bool) -> bool:
        """True when no tick of the bar hits; `whole` says that all its ticks count."""
        ...

    def hit(self, bid: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A bid at or beyond a level, on the way up or down."""

    level: int
    rising: bool

    def clears(self, bar: Bar, *, whole: bool) -> bool:  # noqa: ARG002  (closed ticks lie within the bar as well)
        return bar.high < self.level if self.rising else bar.low > self.level

    def hit(self, bid: int) -> bool:
        return bid >= self.level if self.rising else bid <= self.level


@dataclass(slots=True)
class Trailing:
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


class Tape:
    def __init__(self, seed: str) -> None:
        self._path = Path(seed)

    def last(self, market: Market, second: int) -> Print:
        """The latest tick at or before an instant."""
        when = market.hours.last_open(min(second, SUSPENDED_SINCE) if market.suspended else second)
        return Print(self._path.tick(market.shape, when), when)

    def fold(self, market: Market, first: int, last: int) -> Bar | None:
        """All ticks from `first` to `last`, both included, as one bar; None when there was none."""
        if market.suspended:
            last = min(last, SUSPENDED_SINCE)
        weeks = range(index_of(0, first), index_of(0, last) + 1)
        return self._fold_all(market, 0, weeks, first, last)

    def candle(self, market: Market, level: int, start: int, now: int) -> Bar | None:
        return self.fold(market, start, min(start + SPANS[level] - 1, now))

    def candles_back(self, market: Market, level: int, first: int, last: int) -> Iterator[Candle]:
        """Candles whose ticks lie in `first` to `last`, latest first; empty ones are skipped over."""
        second = self.last(market, last).second
        while second >= first:
            start = start_of(level, index_of(level, second))
            if bar := self.candle(market, level, start, last):
                yield Candle(start, bar)
            second = market.hours.last_open(start - 1)

    def candles_on(self, market: Market, level: int, first: int, last: int) -> Iterator[Candle]:
        """The same forward."""
        end = self.last(market, last).second
        second = market.hours.next_open(first)
        while second <= end:
            start = start_of(level, index_of(level, second))
            if bar := self.candle(market, level, start, end):
                yield Candle(start, bar)
            second = market.hours.next_open(start + SPANS[level])

    def crossing(self, market: Market, barrier: Barrier, first: int, last: int) -> int | None:
        """The first open second from `first` to `last`, both included, whose bid hits the barrier."""
        if market.suspended:
            return None
        search = _Search(self._path, market, barrier, first, last)
        weeks = range(index_of(0, first), index_of(0, last) + 1)
        return search.among(0, weeks)

    def _fold_all(self, market: Market, level: int, indices: range, first: int, last: int) -> Bar | None:
        parts = [self._fold(market, level, index, first, last) for index in indices]
        bars = [bar for bar in parts if bar]
        return merge(bars) if bars else None

    def _fold(self, market: Market, level: int, index: int, first: int, last: int) -> Bar | None:
        start = start_of(level, index)
        end = start + SPANS[level] - 1
        if end < first or start > last:
            return None
        inside = first <= start and end <= last
        openness = market.hours.openness(start, end)
        if openness is Openness.NONE:
            return None
        if inside and openness is Openness.ALL:
            return self._path.bar(market.shape, level, index)
        if level == LEAF:
            ticks = self._path.ticks(market.shape, index)
            return merge(ticks[max(0, first - start) : last - start + 1])
        return self._fold_all(market, level + 1, _below(level, index), first, last)


@dataclass(frozen=True, slots=True)
class _Search:
    """One walk over the bars between two seconds, entering only those that can hit."""

    path: Path
    market: Market
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
        if end < self.first or start > self.last:
            return None
        openness = self.market.hours.openness(start, end)
        if openness is Openness.NONE:
            return None
        whole = self.first <= start and end <= self.last and openness is Openness.ALL
        if self.barrier.clears(self.path.bar(self.market.shape, level, index), whole=whole):
            return None
        return self._in_ticks(index, start) if level == LEAF else self.among(level + 1, _below(level, index))

    def _in_ticks(self, index: int, start: int) -> int | None:
        for second, tick in enumerate(self.path.ticks(self.market.shape, index), start):
            if self.first <= second <= self.last and self.barrier.hit(tick.close):
                return second
        return None


def _below(level: int, index: int) -> range:
    parts = SPANS[level] // SPANS[level + 1]
    return range(index * parts, (index + 1) * parts)
