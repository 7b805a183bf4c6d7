"""A market's recorded candles: stored in paper.db as one blob, replayed as a path with the same bars.

There is no price where there is no bar: before the first, after the last and in gaps the market is closed.
"""

import sqlite3
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct

from capcli.paper.catalogue import Markets
from capcli.paper.generator import SPANS, Bar, Drawn, PriceGenerator, Shape, start_of
from capcli.paper.hours import Openness

COLUMNS = 10  # the bar's opening second, four bid prices and four offer prices in steps, its volume
_NEVER = 1 << 62  # seconds: later than any clock


class Bars(NamedTuple):
    """One market's candles as read from a file."""

    epic: str
    level: int  # of the path: how long a bar is
    source: str  # the file's name
    rounded: int  # how many of its numbers were off the market's price grid
    columns: tuple["array[int]", ...]

    @property
    def starts(self) -> "array[int]":
        return self.columns[0]


class RecordedHours(Struct, frozen=True):
    """When a recording prints: inside its bars. A span with a bar counts as open throughout."""

    starts: Sequence[int]
    span: int

    def openness(self, first: int, last: int) -> Openness:
        begun = bisect_right(self.starts, last)
        return Openness.ALL if begun and self.starts[begun - 1] + self.span > first else Openness.NONE

    def is_open(self, second: int) -> bool:
        return self.openness(second, second) is Openness.ALL

    def begins(self, second: int) -> bool:
        """Whether a bar opens then; its price may be far from the last close."""
        index = bisect_left(self.starts, second)
        return index < len(self.starts) and self.starts[index] == second

    def last_open(self, second: int) -> int:
        """The latest second with a price at or before `second`; long ago when there is none."""
        begun = bisect_right(self.starts, second)
        return min(second, self.starts[begun - 1] + self.span - 1) if begun else -_NEVER

    def next_open(self, second: int) -> int:
        """The earliest at or after `second`; never when there is none."""
        if self.is_open(second):
            return second
        index = bisect_left(self.starts, second)
        return self.starts[index] if index < len(self.starts) else _NEVER


class _Played(PriceGenerator):
    """One side of a recording: its bars, merged into longer ones, and divided like a generated path."""

    def __init__(self, seed: str, bars: Bars, columns: Sequence[Sequence[int]]) -> None:
        super().__init__(seed)
        self._level = bars.level
        self._starts = bars.starts
        self._columns = columns
        self._merged = lru_cache(4_096)(self._merge)

    def bar(self, shape: Shape, level: int, index: int) -> Bar:
        if level > self._level:
            return super().bar(shape, level, index)
        return self._merged(level, index)

    def _merge(self, level: int, index: int) -> Bar:
        """All bars that begin in a span, merged; at least one."""
        start = start_of(level, index)
        first, end = bisect_left(self._starts, start), bisect_left(self._starts, start + SPANS[level])
        opens, highs, lows, closes, volumes = (column[first:end] for column in self._columns)
        return Bar(opens[0], max(highs), min(lows), closes[-1], sum(volumes))


class _Offers(Struct, frozen=True):
    """Offers inside a bar have their own path, but are never below the bid of the same second."""

    own: Drawn
    bids: Drawn

    def bar(self, level: int, index: int) -> Bar:
        return self.own.bar(level, index)

    def ticks(self, index: int) -> tuple[Bar, ...]:
        pairs = zip(self.own.ticks(index), self.bids.ticks(index), strict=True)
        return tuple(max(offer, bid) for offer, bid in pairs)


class Recording:
    """A market that is replayed: its two lines and its hours."""

    def __init__(self, seed: str, bars: Bars, shape: Shape) -> None:
        _, bo, bh, bl, bc, ao, ah, al, ac, volume = bars.columns
        self.first = bars.starts[0]
        self.hours = RecordedHours(bars.starts, SPANS[bars.level])
        self.bids = Drawn(_Played(seed, bars, (bo, bh, bl, bc, volume)), shape)
        self.offers = _Offers(Drawn(_Played(seed, bars, (ao, ah, al, ac, volume)), shape), self.bids)


def save(db: sqlite3.Connection, recordings: Sequence[Bars]) -> str | None:
    """Store them inside a write transaction; returns an id of these recordings."""
    mark = blake2b(digest_size=16)
    for bars in sorted(recordings):
        block = b"".join(_little(column).tobytes() for column in bars.columns)
        mark.update(f"{bars.epic}|{bars.level}|".encode() + block)
        db.execute("INSERT INTO replays VALUES (?, ?, ?, ?, ?)", (*bars[:4], block))
    return mark.hexdigest() if recordings else None


def load(db: sqlite3.Connection) -> tuple[Bars, ...]:
    rows = db.execute("SELECT * FROM replays ORDER BY epic").fetchall()
    return tuple(
        Bars(row["epic"], row["level"], row["source"], row["rounded"], _columns(row["bars"])) for row in rows
    )


def playing(seed: str, recorded: Iterable[Bars], markets: Markets) -> Mapping[str, Recording]:
    return {bars.epic: Recording(seed, bars, markets[bars.epic].shape) for bars in recorded}


def _columns(block: bytes) -> tuple["array[int]", ...]:
    width = len(block) // COLUMNS
    parts = (array("q", block[i * width : (i + 1) * width]) for i in range(COLUMNS))
    return tuple(_little(part) for part in parts)


def _little(column: "array[int]") -> "array[int]":
    """The same bytes on every machine."""
    if sys.byteorder == "little":
        return column
    swapped = array("q", column)
    swapped.byteswap()
    return swapped
