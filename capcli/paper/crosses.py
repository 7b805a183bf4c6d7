"""A cross of two currencies: its mid follows from its pairs in each second, to half a step.

Bars are found without looking at every tick: only where the pairs' bars leave room for a new high or low.
"""

from collections.abc import Callable
from functools import lru_cache
from heapq import heappop, heappush

from capcli.paper.catalogue import DOLLAR, Market
from capcli.paper.generator import LEAF, PARTS, Bar, Line, tick

_KEPT = 4_096


class Crossed:
    """The bids of a cross. Volume is its base's. Safe to share between threads."""

    def __init__(self, cross: Market, base: Market, quote: Market, lines: tuple[Line, Line]) -> None:
        self._base, self._quote = lines
        self._spreads = base.spread, quote.spread
        self._divides = quote.epic.endswith(DOLLAR)
        self._below = cross.spread // 2
        (of_base, by_base), (of_cross, by_cross), (of_quote, by_quote) = (
            market.step.as_integer_ratio() for market in (base, cross, quote)
        )
        up, down = of_base * by_cross, 2 * by_base * of_cross
        if self._divides:
            self._up, self._down = 2 * up * by_quote, down * of_quote
        else:
            self._up, self._down = up * of_quote, 2 * down * by_quote
        self.bar: Callable[[int, int], Bar] = lru_cache(_KEPT)(self._bar)
        self.ticks: Callable[[int], tuple[Bar, ...]] = lru_cache(_KEPT)(self._ticks)

    def _price(self, base: int, quote: int) -> int:
        """The price from the pairs' bids, in steps of its market, halves rounded up."""
        first, second = 2 * base + self._spreads[0], 2 * quote + self._spreads[1]
        up, down = first * self._up, self._down
        if self._divides:
            down *= second
        else:
            up *= second
        return (2 * up + down) // (2 * down) - self._below

    def _ticks(self, index: int) -> tuple[Bar, ...]:
        pairs = zip(self._base.ticks(index), self._quote.ticks(index), strict=True)
        return tuple(tick(self._price(base.close, quote.close), base.volume) for base, quote in pairs)

    def _bar(self, level: int, index: int) -> Bar:
        base, quote = self._base.bar(level, index), self._quote.bar(level, index)
        first, last = self._price(base.open, quote.open), self._price(base.close, quote.close)
        high = self._farthest(level, index, 1, max(first, last))
        low = -self._farthest(level, index, -1, max(-first, -last))
        return Bar(first, high, low, last, base.volume)

    def _farthest(self, level: int, index: int, sign: int, known: int) -> int:
        """The highest tick in a bar, or the lowest, negated; the likeliest parts are searched first."""
        waiting = [(-self._bound(level, index, sign), level, index)]
        while waiting and -waiting[0][0] > known:
            _, level, index = heappop(waiting)
            if level == LEAF:
                known = max(known, *(sign * each.close for each in self.ticks(index)))
                continue
            for part in range(index * PARTS[level], (index + 1) * PARTS[level]):
                if (bound := self._bound(level + 1, part, sign)) > known:
                    heappush(waiting, (-bound, level + 1, part))
        return known

    def _bound(self, level: int, index: int, sign: int) -> int:
        """A bound for all ticks of a bar."""
        base, quote = self._base.bar(level, index), self._quote.bar(level, index)
        upward = sign > 0
        other = quote.high if upward is not self._divides else quote.low
        return sign * self._price(base.high if upward else base.low, other)
