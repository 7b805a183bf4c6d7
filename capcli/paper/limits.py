"""Request limits, counted in the database and so shared by all processes (API page 3)."""

import sqlite3

from msgspec import Struct

from capcli.paper.messages import Refusal


class Limit(Struct, frozen=True):
    bucket: str
    count: int
    window_ms: int


REQUESTS = Limit("user", 10, 1_000)
LOGINS = Limit("login", 1, 1_000)
ORDERS = Limit("order", 1, 100)
ORDERS_AN_HOUR = Limit("orders", 1_000, 3_600_000)


def spend(db: sqlite3.Connection, at_ms: int, *limits: Limit) -> None:
    """Count one request against every limit, or refuse it and count it against none.

    Before and after the instant: clocks of two processes may differ by milliseconds.
    """
    for limit in limits:
        window = (limit.bucket, at_ms - limit.window_ms, at_ms + limit.window_ms)
        query = "SELECT count(*) FROM hits WHERE bucket = ? AND at_ms > ? AND at_ms < ?"
        if db.execute(query, window).fetchone()[0] >= limit.count:
            raise Refusal(429, "error.too-many.requests")
    for limit in limits:
        over = (limit.bucket, at_ms - limit.window_ms)
        db.execute("DELETE FROM hits WHERE bucket = ? AND at_ms <= ?", over)
        db.execute("INSERT INTO hits VALUES (?, ?)", (limit.bucket, at_ms))
