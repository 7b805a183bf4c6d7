"""What the stream sends between two instants: ticks and closed bars, a function of the prices as quotes are.

A price moves at most once a second; the ticks of a second differ in what is bid and offered at it.
Instants are market time in milliseconds.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from math import ceil
from typing import NamedTuple
from zlib import crc32

from capcli.paper.catalogue import Market
from capcli.paper.generator import SPANS, Bar, index_of, start_of
from capcli.paper.price_feed import Candle, PriceFeed, Print
from capcli.paper.times import SECOND_MS

MOST_TICKS = 250  # of a market per second of real time
CLASSIC, HEIKIN_ASHI = "classic", "heikin-ashi"
_LOOKBACK = 64  # bars: each counts half of the one after it, so what came before is below any price step
_DEPTH = 20  # of the largest deal is the maximum shown at a price


class Tick(NamedTuple):
    """A printed quote. Sizes are in units of the market."""

    epic: str
    bid: Decimal
    bid_size: Decimal
    offer: Decimal
    offer_size: Decimal
    ms: int


class Prices(NamedTuple):
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class Closed(NamedTuple):
    """A closed bar: bids, offers and its number of ticks."""

    start: int  # seconds
    bids: Prices
    offers: Prices
    volume: int


class Feed:
    """The prints of one world. `ticks` fixes their number a second; by default it follows the volume."""

    def __init__(
        self, price_feed: PriceFeed, *, ticks: int | None = None, speed: Decimal = Decimal(1)
    ) -> None:
        self._price_feed = price_feed
        self._fixed = ticks
        # A fast clock has more market time in a second than a client can receive.
        self._most = min(MOST_TICKS, max(1, int(MOST_TICKS / speed)))
        self._stride = max(1, ceil(speed / MOST_TICKS))

    def ticks(self, market: Market, after: int, until: int) -> Iterator[Tick]:
        """Ticks later than `after`, up to `until`."""
        first = after // SECOND_MS
        for second in range(first + -first % self._stride, until // SECOND_MS + 1, self._stride):
            last = self._price_feed.last(market, second)
            if last.second == second:
                yield from self._within(market, last, after, until)

    def _within(self, market: Market, last: Print, after: int, until: int) -> Iterator[Tick]:
        bid, offer, start = market.price(last.bid), market.price(last.offer), last.second * SECOND_MS
        count, key = self._count(market, last), crc32(market.epic.encode())
        for i in range(max(0, (after - start) * count // SECOND_MS), count):
            ms = start + SECOND_MS * i // count
            if ms > until:
                return
            if ms > after:
                bids, offers = (_depth(market, (ms * 2 + side) * 2_654_435_761 ^ key) for side in (1, 2))
                yield Tick(market.epic, bid, bids, offer, offers, ms)

    def _count(self, market: Market, last: Print) -> int:
        """0 only in a second without volume and without a price change."""
        if self._fixed is not None:
            return min(self._fixed, self._most)
        if last.ticks and self._stride == 1:
            return min(last.ticks, self._most)
        return int(self._price_feed.last(market, last.second - self._stride)[:2] != last[:2])

    def bars(self, market: Market, level: int, kind: str, after: int, until: int) -> Iterator[Closed]:
        """Bars that closed later than `after`, up to `until`; none for a bar without a tick."""
        span = SPANS[level]
        first = index_of(level, after // SECOND_MS)
        for index in range(first, index_of(level, until // SECOND_MS)):
            start = start_of(level, index)
            if after < (start + span) * SECOND_MS:
                oldest = start if kind == CLASSIC else self._price_feed.first(market)
                back = self._price_feed.candles_back(market, level, oldest, start + span - 1)
                candles = list(islice(back, 1 if kind == CLASSIC else _LOOKBACK))[::-1]
                if candles and candles[-1].start == start:
                    yield _closed(market, kind, candles)


def _depth(market: Market, mixed: int) -> Decimal:
    """The size at a price: between a half and all of a twentieth of the largest deal."""
    most = int(market.max_size / market.size_step / _DEPTH)
    mixed &= 0xFFFF_FFFF
    mixed = (mixed ^ mixed >> 15) * 2_246_822_519 & 0xFFFF_FFFF
    return market.size_step * max(1, most - (most // 2 * (mixed >> 16) >> 16))


def _closed(market: Market, kind: str, candles: list[Candle]) -> Closed:
    last = candles[-1]
    if kind == CLASSIC:
        bids, offers = (Prices(*map(market.price, bar[:4])) for bar in (last.bar, last.offers))
    else:
        bids = heikin_ashi(market, [candle.bar for candle in candles])
        offers = heikin_ashi(market, [candle.offers for candle in candles])
    return Closed(last.start, bids, offers, last.bar.volume)


def heikin_ashi(market: Market, bars: list[Bar]) -> Prices:
    """The last bar smoothed: opens at the middle of the one before, closes at its own mean."""
    middle, close = Decimal(bars[0].open + bars[0].close) / 2, Decimal(0)
    for number, bar in enumerate(bars):
        middle = (middle + close) / 2 if number else middle
        close = Decimal(bar.open + bar.high + bar.low + bar.close) / 4
    high, low = max(Decimal(bars[-1].high), middle, close), min(Decimal(bars[-1].low), middle, close)
    return Prices(*(market.price(int(steps.to_integral_value())) for steps in (middle, high, low, close)))
