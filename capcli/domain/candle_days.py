"""Finds missing candles by the sessions that the candles themselves show.

Opening hours are today's (API page 18.19), and sessions move with the exchange's clock changes. So a day is
compared with the same weekday of the weeks around it, in the local time that the candles follow; else with
like days of its week; with today's hours only in today's season. One or two trading days without a candle
are a holiday or a hole, which cannot be told apart, except in a market that never closes. The day beside a
holiday may end early.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property

from msgspec import Struct, field

from capcli.domain.candle_gaps import Gap, Gaps, Week, zone_named
from capcli.domain.market import OpeningHours

_DAY_MINUTES, _HOUR_MINUTES = 1440, 60
_WEEK_DAYS = 7
_WEEKS_AROUND = 4
_LEAST_LIKE = 2
_DAY = timedelta(days=1)
_LONGEST_HOLIDAY = 2  # trading days in a row, as Good Friday and Easter Monday
# The zones that shift most markets' sessions against UTC; the best fit counts, the first of equals.
_ZONES = ("America/New_York", "Europe/London", "Australia/Sydney")

Days = Mapping[int, int]
"""For each day (its ordinal) a bit for each slot in which a candle begins."""


class DownloadState(Struct, frozen=True):
    """The progress of a download; a target stores it with the candles.

    `start` and `end` are the first and last instant to ask for, fixed when it began. `price_places` and
    `volume_places` are the most decimals that were sent so far. `days` notes which candles there are.
    """

    end: datetime
    start: datetime | None = None
    pages: int = 0
    rows: int = 0
    requests: int = 0
    first: datetime | None = None
    last: datetime | None = None
    days: Days = field(default_factory=dict)
    price_places: int = 0
    volume_places: int = 0


def slots_of(span: timedelta) -> int:
    """Return the number of slots a day for a candle width: wide candles begin at any full hour."""
    minutes = min(int(span.total_seconds()) // 60, _HOUR_MINUTES)
    return _DAY_MINUTES // minutes


def add(days: dict[int, int], times: Iterable[datetime], span: timedelta) -> None:
    """Note the opening instants of candles of one width."""
    slots = slots_of(span)
    for at in times:
        found = at.astimezone(UTC)
        slot = (found.hour * _HOUR_MINUTES + found.minute) * slots // _DAY_MINUTES
        days[found.toordinal()] = days.get(found.toordinal(), 0) | 1 << slot


class GapsFound(Struct, frozen=True):
    """The gaps found, and the number of days not judged: no similar days, or a holiday."""

    gaps: Gaps
    days_unjudged: int


def find_gaps(days: Days, span: timedelta, hours: OpeningHours | None, now: datetime) -> GapsFound:
    """Return the gaps between the first and the last candle; `now` tells the season of the hours."""
    if not days:
        return GapsFound(Gaps(), 0)
    slots = slots_of(span)
    zones = (zone_named(hours.zone) if hours else None, UTC, *map(zone_named, _ZONES))
    local = min((_Local.of(days, slots, zone) for zone in zones if zone is not None), key=_disorder)
    expected = _ExpectedCandles(local, Week(hours), hours, now, span)
    missing = sorted(at for ordinal in local.range for at in expected.missing(ordinal))
    return GapsFound(_gathered(missing, _Present(days, slots), slots), expected.unjudged)


class _Local(Struct, frozen=True, dict=True):
    """The same candles by the days and slots of a zone."""

    days: Days
    slots: int
    zone: tzinfo

    @classmethod
    def of(cls, days: Days, slots: int, zone: tzinfo) -> "_Local":
        moved: dict[int, int] = {}
        for ordinal, mask in days.items():
            first = ordinal * slots + _offset(ordinal, zone, slots)
            day, shift = divmod(first, slots)
            whole = (1 << slots) - 1
            for part, bits in ((day, mask << shift & whole), (day + 1, mask << shift >> slots)):
                if bits:
                    moved[part] = moved.get(part, 0) | bits
        return cls(moved, slots, zone)

    @cached_property
    def range(self) -> range:
        return range(min(self.days), max(self.days) + 1)

    def instant(self, ordinal: int, slot: int) -> int:
        """Return the number of a slot since the first day of all, in UTC."""
        return ordinal * self.slots + slot - _offset(ordinal, self.zone, self.slots)


class _ExpectedCandles:
    """The candles that each day should have."""

    def __init__(
        self, local: _Local, week: Week, hours: OpeningHours | None, now: datetime, span: timedelta
    ) -> None:
        self._local = local
        self._week = week
        self._span = span
        self._seasons = tuple(zone_named(name) for name in _ZONES)
        self._now = self._season(now)
        # For each weekday the weekdays with the same hours, from Monday on.
        names = [day.sessions for day in hours.days] if hours and len(hours.days) >= _WEEK_DAYS else []
        self._like = {
            day: [i for i, one in enumerate(names) if one == name] for day, name in enumerate(names)
        }
        self._first = min(local.days) * local.slots + _lowest(local.days[min(local.days)])
        self._last = max(local.days) * local.slots + local.days[max(local.days)].bit_length() - 1
        self.unjudged = 0

    def missing(self, ordinal: int) -> Iterator[int]:
        """Yield the slots of a day that should have a candle and do not."""
        here = self._local.days.get(ordinal, 0)
        should = self._expected(ordinal, here)
        if should is None:
            self.unjudged += bool(here)
            return
        if should and not here and self._may_be_holiday(ordinal):
            self.unjudged += 1
            return
        lacking = should & ~here
        if 0 < here < lacking & -lacking and self._is_beside_holiday(ordinal):
            self.unjudged += 1
            return
        for slot in _bits(lacking):
            if self._first < ordinal * self._local.slots + slot < self._last:
                yield self._local.instant(ordinal, slot)

    def _may_be_holiday(self, ordinal: int) -> bool:
        """Whether an empty day may be a holiday: one of at most a few empty days in a row."""
        days = self._local.days
        trading = {day % _WEEK_DAYS for day in days}
        if len(trading) == _WEEK_DAYS or self._span > _DAY:
            return False
        empty = 0
        for step in (-1, 1):
            day = ordinal + step
            # The first and the last day hold candles, so it ends there.
            while day not in days and empty < _LONGEST_HOLIDAY:
                empty += day % _WEEK_DAYS in trading
                day += step
        return empty < _LONGEST_HOLIDAY

    def _is_beside_holiday(self, ordinal: int) -> bool:
        """Whether the trading day before or after may be a holiday."""
        trading = {day % _WEEK_DAYS for day in self._local.days}
        for step in (-1, 1):
            day = ordinal + step
            while day in self._local.range and day % _WEEK_DAYS not in trading:
                day += step
            if day in self._local.range and day not in self._local.days and self._may_be_holiday(day):
                return True
        return False

    def _expected(self, ordinal: int, here: int) -> int | None:
        """Return the expected slots without a candle; None: unknown."""
        around = (step * _WEEK_DAYS for step in range(-_WEEKS_AROUND, _WEEKS_AROUND + 1) if step)
        same = self._masks(ordinal + step for step in around)
        if same:
            return _majority(same, here)
        monday = ordinal - (ordinal - 1) % _WEEK_DAYS
        like = self._like.get(ordinal - monday, ())
        alike = self._masks(monday + day for day in like if monday + day != ordinal)
        if len(alike) >= _LEAST_LIKE:
            return _majority(alike, here)
        return self._by_hours(ordinal)

    def _by_hours(self, ordinal: int) -> int | None:
        noon = datetime.fromordinal(ordinal).replace(hour=12, tzinfo=UTC)
        if not self._week.known or self._season(noon) != self._now:
            return None
        slots, width = self._local.slots, _width(self._local.slots)
        if self._span > width:
            # Where a wide candle begins is not documented, so the hours give no slot.
            return None
        begins = _instant(self._local.instant(ordinal, 0), slots)
        within = (slot for slot in range(slots) if self._week.trades_within(begins + slot * width, width))
        return sum(1 << slot for slot in within)

    def _masks(self, ordinals: Iterable[int]) -> list[int]:
        """Return the slots of the days between the first and the last, empty days included."""
        return [self._local.days.get(ordinal, 0) for ordinal in ordinals if ordinal in self._local.range]

    def _season(self, at: datetime) -> tuple[timedelta | None, ...]:
        return tuple(zone.utcoffset(at.astimezone(zone)) if zone else None for zone in self._seasons)


def _disorder(local: _Local) -> int:
    """Count the hours in which days differ from the majority of their weekday: lowest in the right zone."""
    width = local.slots // 24
    whole = (1 << width) - 1
    seen: dict[int, list[int]] = {}
    counts: dict[int, int] = {}
    for ordinal, mask in local.days.items():
        hours = seen.setdefault(ordinal % _WEEK_DAYS, [0] * 24)
        counts[ordinal % _WEEK_DAYS] = counts.get(ordinal % _WEEK_DAYS, 0) + 1
        for hour in range(24):
            hours[hour] += bool(mask >> hour * width & whole)
    return sum(min(n, counts[day] - n) for day, hours in seen.items() for n in hours)


def _majority(masks: list[int], here: int) -> int:
    """Return the slots that at least half of the days have and this one does not."""
    every = masks[0]
    for mask in masks:
        every |= mask
    found = 0
    for slot in _bits(every & ~here):
        if 2 * sum(mask >> slot & 1 for mask in masks) >= len(masks):
            found |= 1 << slot
    return found


class _Present(Struct, frozen=True):
    """The slots with a candle, searched for the nearest one."""

    days: Days
    slots: int

    def before(self, at: int) -> int:
        day, slot = divmod(at, self.slots)
        mask = self.days.get(day, 0) & ((1 << slot) - 1)
        while not mask:
            day -= 1
            mask = self.days.get(day, 0)
        return day * self.slots + mask.bit_length() - 1

    def after(self, at: int) -> int:
        day, slot = divmod(at, self.slots)
        mask = self.days.get(day, 0) >> slot << slot
        while not mask:
            day += 1
            mask = self.days.get(day, 0)
        return day * self.slots + _lowest(mask)


def _gathered(missing: list[int], present: _Present, slots: int) -> Gaps:
    """Group missing candles between the same two present ones into gaps."""
    holes: dict[tuple[int, int], int] = {}
    until = hole = None
    for at in missing:
        if until is None or hole is None or at > until:
            until = present.after(at)
            hole = (present.before(at), until)
        holes[hole] = holes.get(hole, 0) + 1
    gaps = Gaps()
    for (before, after), count in holes.items():
        gaps = gaps.with_gap(Gap(_instant(before, slots), _instant(after, slots), count))
    return gaps


def _instant(at: int, slots: int) -> datetime:
    day, slot = divmod(at, slots)
    return datetime.fromordinal(day).replace(tzinfo=UTC) + slot * _width(slots)


def _width(slots: int) -> timedelta:
    return timedelta(minutes=_DAY_MINUTES // slots)


def _offset(ordinal: int, zone: tzinfo, slots: int) -> int:
    """Return a zone's offset from UTC in slots, at noon of a day: clocks change at night."""
    ahead = zone.utcoffset(datetime.fromordinal(ordinal).replace(hour=12))
    return 0 if ahead is None else int(ahead.total_seconds()) * slots // (_DAY_MINUTES * 60)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
