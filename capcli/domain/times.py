"""Which moments may be asked about: those that leave room for every span and time zone around them."""

from datetime import datetime

FIRST_YEAR, LAST_YEAR = 1970, 2199


def plausible(at: datetime) -> bool:
    """Say whether a trader can mean it; what is reckoned from a time in year 1 or 9999 overflows."""
    return FIRST_YEAR <= at.year <= LAST_YEAR
