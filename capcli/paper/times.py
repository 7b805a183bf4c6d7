"""Instants: epoch milliseconds inside, the broker's texts at the edge.

Local times are wrong on purpose in two ways, as published: +3 h on account rows, Berlin time on market data
(API page 5.1), so that a client which reads them instead of the UTC twins is found out.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_UTC = EPOCH.replace(tzinfo=None)  # texts name no zone
SECOND_MS = 1_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ACCOUNT_OFFSET_HOURS = 3
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_MARCH, _OCTOBER, _NOVEMBER = 3, 10, 11


def to_ms(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


def parse(text: str) -> int | None:
    """`YYYY-MM-DDTHH:MM:SS` in UTC, nothing else (API page 5.1)."""
    if not _STAMP.fullmatch(text) or not text.isascii():
        return None
    try:
        return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        return None


def stamp(ms: int) -> str:
    return (_EPOCH_UTC + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")


def stamp_seconds(ms: int) -> str:
    return stamp(ms)[:19]


def account_local(ms: int) -> int:
    return ms + ACCOUNT_OFFSET_HOURS * HOUR_MS


def market_local(ms: int) -> int:
    return ms + (2 if _european_summer(ms) else 1) * HOUR_MS


def http_date(ms: int) -> str:
    return format_datetime(from_ms(ms), usegmt=True)


def next_overnight_charge(ms: int) -> int:
    """17:00 in New York, read off published samples (API page 14.6)."""
    day = ms - ms % DAY_MS
    charges = (day + shift * DAY_MS + _charge_hour(day + shift * DAY_MS) * HOUR_MS for shift in (0, 1))
    return next(charge for charge in charges if charge > ms)


def _charge_hour(ms: int) -> int:
    return 21 if _american_summer(ms) else 22


def _european_summer(ms: int) -> bool:
    year = from_ms(ms).year
    return _last_sunday(year, _MARCH) <= ms < _last_sunday(year, _OCTOBER)


def _american_summer(ms: int) -> bool:
    year = from_ms(ms).year
    return _sunday_from(year, _MARCH, 8) <= ms < _sunday_from(year, _NOVEMBER, 1)


def _last_sunday(year: int, month: int) -> int:
    """01:00 UTC on it, when Europe turns its clocks."""
    return _sunday_from(year, month, 25) + HOUR_MS


def _sunday_from(year: int, month: int, day: int) -> int:
    first = datetime(year, month, day, tzinfo=UTC)
    return to_ms(first + timedelta(days=(6 - first.weekday()) % 7))
