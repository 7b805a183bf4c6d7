"""When something that was kept may still be used: one rule, and how long each kind lives."""

from datetime import datetime, timedelta

SESSION = timedelta(minutes=50)
"""The broker ends a session about an hour after its creation, used or not (API page 2.5)."""

PREFERENCES = timedelta(minutes=5)


def is_fresh(made_at: datetime, now: datetime, life: timedelta) -> bool:
    """Say whether it is young enough. After a clock was set back, what is ahead of it is as old as that."""
    return abs(now - made_at) < life
