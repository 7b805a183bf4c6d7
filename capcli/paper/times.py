"""Instants: epoch milliseconds inside, the broker's texts at the edge.

Local times are wrong in two ways, as published: +3 h on account rows, Berlin time on market data (API page
5.1), which exposes a client that reads them instead of the UTC fields.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from capcli.paper.hours import sunday

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_UTC = EPOCH.replace(tzinfo=None)  # texts name no zone
SECOND_MS = 1_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ACCOUNT_OFFSET_HOURS = 3
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


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


def http_date(ms: int) -> str:
    return format_datetime(from_ms(ms), usegmt=True)


def next_overnight_charge(ms: int) -> int:
    """17:00 in New York, read off published samples (API page 14.6)."""
    days = (ms - ms % DAY_MS + shift for shift in (0, DAY_MS))
    charges = (day + (21 if _is_between(day, (3, 8, 0), (11, 1, 0)) else 22) * HOUR_MS for day in days)
    return next(charge for charge in charges if charge > ms)


def market_local(ms: int) -> int:
    """Berlin: Europe turns its clocks at 01:00 UTC on the last Sundays of March and October."""
    return ms + (2 if _is_between(ms, (3, 25, 1), (10, 25, 1)) else 1) * HOUR_MS


def _is_between(ms: int, *ends: tuple[int, int, int]) -> bool:
    """Whether it is summer: from one Sunday of its year to another, each `sunday`'s month, day and hour."""
    first, last = (sunday(from_ms(ms).year, *end) * SECOND_MS for end in ends)
    return first <= ms < last
