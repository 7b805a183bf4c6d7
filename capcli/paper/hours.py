"""When a market trades: a weekly timetable in UTC, in whole seconds since 1970.

Exchanges keep their local time, so sessions of New York and of Europe are an hour earlier in UTC in summer.
"""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType

from msgspec import Struct

DAY = 86_400
WEEK = 7 * DAY
MONDAY = 4 * DAY  # 1970-01-05, the first Monday: weeks start there (API page 17)
HOUR = 3_600
_YEARS = range(1970, 2101)
_SUNDAY = 6
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Openness(Enum):
    NONE = 0
    PART = 1
    ALL = 2


def _clock(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join segments that meet at midnight, so that midnight is not a reopening."""
    joints = {b for (_, b), (c, _) in pairwise(spans) if b == c}
    starts = [a for a, _ in spans if a not in joints]
    ends = [b for _, b in spans if b not in joints]
    return tuple(zip(starts, ends, strict=True))


def sunday(year: int, month: int, day: int, hour: int) -> int:
    """The second of an hour (UTC) of the first Sunday on or after a day."""
    first = datetime(year, month, day, hour, tzinfo=UTC)
    return int(first.timestamp()) + (_SUNDAY - first.weekday()) * DAY


# Month, earliest day and hour (UTC) of the Sundays that begin and end summer. Assumption: in every year.
_NEW_YORK = ((3, 8, 7), (11, 1, 6))
_EUROPE = ((3, 25, 1), (10, 25, 1))


class Hours(Struct, frozen=True, dict=True):
    """Segments as on the wire: an end of `00:00` is midnight at the end of the day (API page 8.4)."""

    days: tuple[tuple[str, ...], ...]

    def table(self, _now: int) -> Mapping[str, list[str]]:
        """The segments of each day at an instant."""
        return {name: list(segments) for name, segments in zip(DAYS, self.days, strict=True)}

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Open seconds of the week, Monday 00:00 = 0, each `[start, end)`."""
        pairs = [(day * DAY, one.split(" - ")) for day, segments in enumerate(self.days) for one in segments]
        return _merged([(day + _clock(a), day + (_clock(b) or DAY)) for day, (a, b) in pairs])

    @cached_property
    def starts(self) -> tuple[int, ...]:
        return tuple(a for a, _ in self.spans)

    def openness(self, first: int, last: int) -> Openness:
        """Of the seconds `first` to `last`, both included."""
        if last - first >= WEEK:
            return Openness.ALL if self.spans == ((0, WEEK),) else Openness.PART
        offset = (first - MONDAY) % WEEK
        end = offset + last - first
        if end >= WEEK:
            cut = first + WEEK - offset
            halves = {self.openness(first, cut - 1), self.openness(cut, last)}
            return halves.pop() if len(halves) == 1 else Openness.PART
        index = bisect_right(self.starts, offset) - 1
        if index >= 0 and self.spans[index][1] > end:
            return Openness.ALL
        reaches = index >= 0 and self.spans[index][1] > offset
        begins = index + 1 < len(self.spans) and self.starts[index + 1] <= end
        return Openness.PART if reaches or begins else Openness.NONE

    def is_open(self, second: int) -> bool:
        offset = (second - MONDAY) % WEEK
        index = bisect_right(self.starts, offset) - 1
        return index >= 0 and self.spans[index][1] > offset

    def last_open(self, second: int) -> int:
        """The latest open second at or before `second`."""
        offset = (second - MONDAY) % WEEK
        index = bisect_right(self.starts, offset) - 1
        if index < 0:
            return second - offset - WEEK + self.spans[-1][1] - 1
        return second - max(0, offset - self.spans[index][1] + 1)

    def next_open(self, second: int) -> int:
        """The earliest open second at or after `second`."""
        if self.is_open(second):
            return second
        offset = (second - MONDAY) % WEEK
        index = bisect_right(self.starts, offset)
        start = self.starts[index] if index < len(self.starts) else self.starts[0] + WEEK
        return second - offset + start


class Seasonal:
    """The same sessions by local time. `winter` is their week in winter; clocks change while it is closed."""

    def __init__(self, winter: Hours, sundays: tuple[tuple[int, int, int], ...]) -> None:
        self.winter = winter
        self._sundays = sundays

    @cached_property
    def _changes(self) -> tuple[int, ...]:
        return tuple(sunday(year, *end) for year in _YEARS for end in self._sundays)

    def _summer(self, second: int) -> bool:
        return bisect_right(self._changes, second) % 2 == 1

    def _local(self, second: int) -> int:
        """The second by the clock of winter."""
        return second + HOUR * self._summer(second)

    def _back(self, local: int) -> int:
        return local - HOUR * self._summer(local - HOUR)

    def table(self, now: int) -> Mapping[str, list[str]]:
        """Today's: an hour earlier in summer."""
        if not self._summer(now):
            return self.winter.table(now)
        whole = [(a - HOUR, b - HOUR) for a, b in self.winter.spans]
        parts = [(max(a, 0), b) for a, b in whole] + [(a + WEEK, WEEK) for a, _ in whole if a < 0]
        days: list[list[str]] = [[] for _ in DAYS]
        for start, end in _merged(sorted(parts)):
            for day in range(start // DAY, -(-end // DAY)):
                first, last = max(start, day * DAY) % DAY, min(end, (day + 1) * DAY) % DAY
                texts = (f"{second // HOUR:02}:{second % HOUR // 60:02}" for second in (first, last))
                days[day].append(" - ".join(texts))
        return dict(zip(DAYS, days, strict=True))

    def openness(self, first: int, last: int) -> Openness:
        """Of the seconds `first` to `last`, both included."""
        return self.winter.openness(self._local(first), self._local(last))

    def is_open(self, second: int) -> bool:
        return self.winter.is_open(self._local(second))

    def last_open(self, second: int) -> int:
        """The latest open second at or before `second`."""
        return self._back(self.winter.last_open(self._local(second)))

    def next_open(self, second: int) -> int:
        """The earliest open second at or after `second`."""
        return self._back(self.winter.next_open(self._local(second)))


def _weekly(monday_to_friday: tuple[str, ...], others: tuple[str, ...] = ()) -> Hours:
    return Hours((*([monday_to_friday] * 5), others, others))


_ALL_DAY = ("00:00 - 00:00",)
_NIGHT_BREAK = ("00:00 - 21:00", "22:05 - 00:00")
_FOREX = Hours((*([_ALL_DAY] * 4), ("00:00 - 22:00",), (), ("22:00 - 00:00",)))
_FUTURES = Hours((*([_NIGHT_BREAK] * 4), ("00:00 - 21:00",), (), ("22:05 - 00:00",)))
HOURS: Mapping[str, Hours | Seasonal] = MappingProxyType(
    {
        "clock": _weekly(_ALL_DAY, _ALL_DAY),
        "forex": Seasonal(_FOREX, _NEW_YORK),
        "futures": Seasonal(_FUTURES, _NEW_YORK),
        "softs": Seasonal(_weekly(("08:30 - 17:30",)), _NEW_YORK),
        "newyork": Seasonal(_weekly(("14:30 - 21:00",)), _NEW_YORK),
        "london": Seasonal(_weekly(("08:00 - 16:30",)), _EUROPE),
        "frankfurt": Seasonal(_weekly(("08:00 - 16:30",)), _EUROPE),
        "tokyo": _weekly(("00:00 - 02:30", "03:30 - 06:00")),
        "europe": Seasonal(_weekly(("01:00 - 21:00",)), _EUROPE),
        "asia": _weekly(("00:00 - 06:30", "07:30 - 20:00")),
    }
)
