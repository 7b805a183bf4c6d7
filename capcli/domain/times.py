"""Which times are accepted: those with room for every span and time zone around them."""

from datetime import datetime

FIRST_YEAR, LAST_YEAR = 1970, 2199


def plausible(at: datetime) -> bool:
    """Whether a time is plausible; arithmetic on years 1 or 9999 would overflow."""
    return FIRST_YEAR <= at.year <= LAST_YEAR
