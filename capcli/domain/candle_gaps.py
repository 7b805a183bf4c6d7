"""Holes between candles, and a market's opening hours asked by instant."""

from datetime import UTC, datetime, time, timedelta, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.market import DAYS, OpeningHours

_STEP = timedelta(minutes=5)
_DAY_MINUTES = 1440


class Gap(Struct, frozen=True):
    """A hole between two candles, both named by their opening instant; `candles` counts the missing ones."""

    after: datetime
    before: datetime
    candles: int


class Gaps(Struct, frozen=True):
    """How many holes there are inside sessions, the candles missing in all, and the longest hole."""

    count: int = 0
    candles: int = 0
    longest: Gap | None = None

    def with_gap(self, gap: Gap) -> "Gaps":
        """Return these gaps and one more; of equally long ones the first stays `longest`."""
        longer = self.longest is None or gap.candles > self.longest.candles
        more = replace(self, count=self.count + 1, candles=self.candles + gap.candles)
        return replace(more, longest=gap) if longer else more


class Week:
    """A market's opening hours, asked by instant. Without hours every instant counts as open."""

    def __init__(self, hours: OpeningHours | None) -> None:
        self._zone = zone_named(hours.zone) if hours and hours.days else None
        days = {day.day: day.sessions for day in hours.days} if hours and self._zone else {}
        self._sessions = tuple(tuple(map(_minutes, days.get(day, ()))) for day in DAYS)

    @property
    def known(self) -> bool:
        """Whether the broker sent hours in a time zone known here."""
        return self._zone is not None

    def is_open(self, at: datetime) -> bool:
        """Whether the market usually trades then; there is no holiday calendar (API page 8.4)."""
        if self._zone is None:
            return True
        local = at.astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self._sessions[local.weekday()])

    def next_open(self, at: datetime) -> datetime | None:
        """Return when the next session begins (UTC), None without hours; holidays are not in them."""
        if self._zone is None:
            return None
        today = at.astimezone(self._zone).date()
        for ahead in range(len(DAYS) + 1):
            day = today + timedelta(days=ahead)
            for start, _ in sorted(self._sessions[day.weekday()]):
                opening = datetime.combine(day, time(start // 60, start % 60), tzinfo=self._zone)
                if opening > at:
                    return opening.astimezone(UTC)
        return None

    def trades_within(self, start: datetime, span: timedelta) -> bool:
        """Whether a candle of this width has open minutes."""
        step = min(span, _STEP)
        return any(self.is_open(start + step * place) for place in range(max(span // step, 1)))


def zone_named(name: str) -> tzinfo | None:
    """Return a time zone, None if unknown here."""
    # Imported here because it reads the system's paths, which only a download needs.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _minutes(session: str) -> tuple[int, int]:
    """Read `HH:MM-HH:MM`; 00:00 as its end is midnight at the end of the day (API page 8.4)."""
    start, end = (int(clock[:-3]) * 60 + int(clock[-2:]) for clock in session.split("-"))
    return start, end or _DAY_MINUTES
