"""Prices as a pure function of (seed, epic, time): bars divided top-down by hashed numbers, no state.

A bar's children chain (each opens where the one before closed) and reach exactly its high and its low.
Integers and + - * / of doubles only, so every platform computes the same price.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce
from hashlib import blake2b
from operator import add
from struct import Struct as Packing
from struct import unpack
from typing import NamedTuple, Protocol

from msgspec import Struct

from capcli.paper.hours import MONDAY, WEEK

# Each span divides the one before it; the last holds ten ticks, one a second.
SPANS = (WEEK, 86_400, 14_400, 3_600, 1_800, 900, 300, 60, 10)
PARTS = (7, 6, 4, 2, 2, 3, 5, 6, 10)
LEAF = len(SPANS) - 1
CACHED_DIVISIONS = 16_384

# Lattice periods in weeks and their shares of the range: slow ones trend, fast ones revert to the middle.
_OCTAVES = ((1, 0.12), (2, 0.14), (4, 0.18), (8, 0.20), (16, 0.16), (32, 0.12), (64, 0.08))
_REACH = 14.0  # half the range of weekly closes, in daily moves
_MARGIN = 0.5  # room beyond it for highs and lows, in daily moves
_WIDEST = 0.45  # of the middle price: nothing comes near zero
# Tuned until daily moves of every market came out as the catalogue states them, and minutes stayed lively.
_STRIDE = 0.9  # of a child, in parts of the parent's range over the root of their number; so are wicks
_SHORTEST_WICK, _MORE_WICK = 0.08, 0.32
_SLOWEST, _FASTER = 0.6, 0.8  # pace of a child, which scales its stride, wicks and volume
_UNIT = 1 / 65_536
_DRAWS = Packing(">32H")


class Bar(NamedTuple):
    """Bid prices in whole price steps."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class Line(Protocol):
    """One side of a market's quote: its bars, and the ten ticks of a leaf."""

    def bar(self, level: int, index: int) -> Bar: ...
    def ticks(self, index: int) -> tuple[Bar, ...]: ...


class Shape(NamedTuple):
    """The parameters of one market's path: its name, mean price in steps and typical daily move."""

    epic: str
    middle: int
    daily_move: float  # of the middle price
    volume: int  # ticks traded in an average minute


def tick(price: int, volume: int = 0) -> Bar:
    return Bar(price, price, price, price, volume)


def start_of(level: int, index: int) -> int:
    return MONDAY + index * SPANS[level]


def index_of(level: int, second: int) -> int:
    return (second - MONDAY) // SPANS[level]


def merge(bars: Sequence[Bar]) -> Bar:
    return Bar(
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
    )


class PriceGenerator:
    """All markets of one seed. Safe to share between threads: its only memory is a bounded cache."""

    def __init__(self, seed: str) -> None:
        self._key = blake2b(seed.encode(), digest_size=32).digest()
        self.children: Callable[[Shape, int, int], tuple[Bar, ...]]
        self.ticks: Callable[
            [Shape, int], tuple[Bar, ...]
        ]  # of a leaf, one a second, each a bar of one price
        self.children = lru_cache(CACHED_DIVISIONS)(self._divide)
        self.ticks = lru_cache(CACHED_DIVISIONS)(self._tick_out)

    def bar(self, shape: Shape, level: int, index: int) -> Bar:
        if level == 0:
            return self._week(shape, index)
        parent, place = divmod(index, PARTS[level - 1])
        return self.children(shape, level - 1, parent)[place]

    def _draw(self, shape: Shape, name: str, index: int) -> bytes:
        return blake2b(f"{shape.epic}|{name}|{index}".encode(), key=self._key).digest()

    def _noise(self, shape: Shape, name: str, period: int, week: int) -> float:
        """Between -1 and 1: hashed at every `period` weeks, smoothly joined in between."""
        node, offset = divmod(week, period)
        x = offset / period
        left = self._signed(shape, f"{name}{period}", node)
        right = self._signed(shape, f"{name}{period}", node + 1) if offset else left
        return left + (right - left) * x * x * (3 - 2 * x)

    def _signed(self, shape: Shape, name: str, index: int) -> float:
        (number,) = unpack(">I", self._draw(shape, name, index)[:4])
        return float(number / 2_147_483_648) - 1.0

    def _boundary(self, shape: Shape, week: int) -> int:
        swing = _total(share * self._noise(shape, "o", period, week) for period, share in _OCTAVES)
        reach = min(_REACH * shape.daily_move, _WIDEST)
        return shape.middle + round(shape.middle * reach * swing)

    def _week(self, shape: Shape, week: int) -> Bar:
        first, last = self._boundary(shape, week), self._boundary(shape, week + 1)
        edge = min((_REACH + _MARGIN) * shape.daily_move, _WIDEST + 0.02)
        limit = round(shape.middle * edge)
        mood = 1.0 + 0.6 * self._noise(shape, "v", 6, week)
        up, down, busy, *_ = _DRAWS.unpack(self._draw(shape, "w", week))
        wick = shape.middle * shape.daily_move * mood * _UNIT
        high = min(max(first, last) + round(wick * (0.7 * 65_536 + 2.4 * up)), shape.middle + limit)
        low = max(min(first, last) - round(wick * (0.7 * 65_536 + 2.4 * down)), shape.middle - limit)
        volume = round(shape.volume * WEEK / 60 * mood * (0.8 + 0.4 * busy * _UNIT))
        return Bar(first, high, low, last, volume)

    def _divide(self, shape: Shape, level: int, index: int) -> tuple[Bar, ...]:
        parent, parts = self.bar(shape, level, index), PARTS[level]
        draws = _DRAWS.unpack(self._draw(shape, str(level), index))
        pace = [_SLOWEST + _FASTER * draw * _UNIT for draw in draws[:parts]]
        joints = _bridge(parent, pace, draws[parts : 2 * parts])
        wicks = draws[2 * parts : 4 * parts]
        reach = (parent.high - parent.low) / _root(parts)
        top = max(range(parts), key=lambda i: max(joints[i], joints[i + 1]))
        bottom = min(range(parts), key=lambda i: min(joints[i], joints[i + 1]))
        volumes = _split(parent.volume, pace)
        bars = []
        for i in range(parts):
            first, last = joints[i], joints[i + 1]
            up, down = _wick(reach * pace[i], wicks[i]), _wick(reach * pace[i], wicks[parts + i])
            high = parent.high if i == top else min(max(first, last) + up, parent.high)
            low = parent.low if i == bottom else max(min(first, last) - down, parent.low)
            bars.append(Bar(first, high, low, last, volumes[i]))
        return tuple(bars)

    def _tick_out(self, shape: Shape, index: int) -> tuple[Bar, ...]:
        leaf, parts = self.bar(shape, LEAF, index), PARTS[LEAF]
        draws = _DRAWS.unpack(self._draw(shape, "t", index))
        pace = [0.2 + draw * _UNIT for draw in draws[:parts]]
        prices = _bridge(leaf, pace[1:], draws[parts : 2 * parts - 1])
        inner = range(1, parts - 1)
        top = max(inner, key=lambda i: prices[i])
        bottom = min((i for i in inner if i != top), key=lambda i: prices[i])
        if leaf.high > max(leaf.open, leaf.close):
            prices[top] = leaf.high
        if leaf.low < min(leaf.open, leaf.close):
            prices[bottom] = leaf.low
        volumes = _split(leaf.volume, pace)
        return tuple(map(tick, prices, volumes))


class Drawn(Struct, frozen=True):
    """One market's bids on a path."""

    path: PriceGenerator
    shape: Shape

    def bar(self, level: int, index: int) -> Bar:
        return self.path.bar(self.shape, level, index)

    def ticks(self, index: int) -> tuple[Bar, ...]:
        return self.path.ticks(self.shape, index)


def _total(numbers: Iterable[float]) -> float:
    """Added one by one: `sum` compensates rounding from Python 3.12 on, which would change prices."""
    return reduce(add, numbers, 0.0)


def _root(parts: int) -> float:
    """Newton's steps: the mathematics library's last digit may differ between platforms."""
    guess = parts / 2
    for _ in range(6):
        guess = (guess + parts / guess) / 2
    return guess


def _wick(reach: float, draw: int) -> int:
    return round(reach * (_SHORTEST_WICK + _MORE_WICK * draw * _UNIT))


def _bridge(parent: Bar, pace: Sequence[float], draws: Sequence[int]) -> list[int]:
    """Joints of a random walk tied to the parent's open and close and folded into its high and low."""
    parts = len(pace)
    stride = _STRIDE * (parent.high - parent.low) / _root(parts)
    walk = [0.0]
    for speed, draw in zip(pace, draws, strict=True):
        walk.append(walk[-1] + stride * speed * (draw * 2 * _UNIT - 1))
    lean = (parent.close - parent.open - walk[-1]) / parts
    joints = [parent.open]
    for i in range(1, parts):
        price = parent.open + round(walk[i] + lean * i)
        if price > parent.high:
            price = 2 * parent.high - price
        elif price < parent.low:
            price = 2 * parent.low - price
        joints.append(min(max(price, parent.low), parent.high))
    return [*joints, parent.close]


def _split(volume: int, pace: Sequence[float]) -> list[int]:
    """Shares of a volume in proportion to the pace; they add up to it exactly."""
    total, running, given, shares = _total(pace), 0.0, 0, []
    for speed in pace[:-1]:
        running += speed
        share = int(volume * running / total) - given
        shares.append(share)
        given += share
    return [*shares, volume - given]
