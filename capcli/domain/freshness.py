"""Whether a cached value may still be used: one rule, and the lifetimes."""

from datetime import datetime, timedelta

SESSION = timedelta(minutes=50)
"""The broker ends a session about an hour after its creation, used or not (API page 2.5)."""

PREFERENCES = timedelta(minutes=5)


def is_fresh(made_at: datetime, now: datetime, life: timedelta) -> bool:
    """Whether a value is fresh. A time in the future (the clock was set back) counts as that old."""
    return abs(now - made_at) < life
