"""Reads of the account's history, newest first: a window of at most a day, or the latest one."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar

from msgspec.structs import replace

from capcli.broker import requests, translate, wire
from capcli.broker.reader import SECOND, Reader, rows_of
from capcli.broker.transport import Reply
from capcli.domain.account import Activity, Listed, Transaction

_Booked = TypeVar("_Booked", Activity, Transaction)

_DAY_S = 86_400
_SLACK_S = 60


def activity(
    reader: Reader,
    start: datetime,
    end: datetime | None,
    deal_id: str | None,
    only: Mapping[str, tuple[str, ...]],
) -> Listed[Activity]:
    """Return the detailed activity. Raises UsageError for a word that would change the meaning of `only`."""

    def read(window: Mapping[str, str]) -> tuple[Reply, Listed[Activity]]:
        ask = requests.activity(window, deal_id, only)
        reply = reader.read(ask)
        rows = rows_of(reply, "activities", ask)
        return reply, translate.listed(rows, wire.ActivityRow, translate.activity)

    return _window(reader, start, end, read)


def transactions(
    reader: Reader, start: datetime, end: datetime | None, kind: str | None
) -> Listed[Transaction]:
    """Return the account's bookings, of one type or of all."""

    def read(window: Mapping[str, str]) -> tuple[Reply, Listed[Transaction]]:
        ask = requests.transactions(window, kind)
        reply = reader.read(ask)
        rows = rows_of(reply, "transactions", ask)
        return reply, translate.listed(rows, wire.TransactionRow, translate.transaction)

    return _window(reader, start, end, read)


def _window(
    reader: Reader,
    start: datetime,
    end: datetime | None,
    read: Callable[[Mapping[str, str]], tuple[Reply, Listed[_Booked]]],
) -> Listed[_Booked]:
    """Read from a start to an end; without one up to now, at most a day, less a minute.

    That window has no `to`: one of now may be the broker's future, which it refuses. Its seconds are counted
    back by the broker's own clock, so some more are asked for and cut off again.
    """
    if end is not None:
        until = reader.not_future(end)
        return Listed(()) if start > until else read(requests.between(start, until))[1]
    seconds = min(ceil((reader.time() - start).total_seconds()) + _SLACK_S, _DAY_S)
    reply, found = read(requests.last(seconds))
    # The answer came within that second. Rows that left the window while the request waited are included.
    began = reader.answered_at(reply) + SECOND - timedelta(seconds=seconds)
    if began <= start:
        return replace(found, rows=tuple(row for row in found.rows if row.at >= start))
    missed = _window(reader, start, began + SECOND, read)
    rows = tuple(row for row in missed.rows if row not in found.rows)
    bad = tuple(row for row in missed.unreadable if row not in found.unreadable)
    return replace(found, rows=found.rows + rows, unreadable=found.unreadable + bad)
