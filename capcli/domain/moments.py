"""Which moments may be asked about: those that leave room for every span and time zone around them."""

from datetime import datetime

FIRST_YEAR, LAST_YEAR = 1970, 2199


def plausible(at: datetime) -> bool:
    """Say whether a moment is one that a trader can mean; years 1 and 9999 overflow what is reckoned from them."""
    return FIRST_YEAR <= at.year <= LAST_YEAR
