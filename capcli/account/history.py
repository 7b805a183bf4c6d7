"""The broker's history of an account: activity and bookings of any span, and what they add up to."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

from msgspec import Struct

from capcli import ids
from capcli.account.booking_totals import Booked, Totals, by_key, totals
from capcli.domain.account import Activity, Listed, Transaction, UnreadableRow
from capcli.domain.broker_codes import BAD_RANGE
from capcli.domain.fields import with_fields_of
from capcli.errors import BrokerRefused, Busy, UsageError
from capcli.fanout import together
from capcli.ports import Broker, Lane
from capcli.reply import Reply

ACTIVITY_SPAN = timedelta(days=7)
BOOKINGS_SPAN = timedelta(days=30)
_DAY = timedelta(days=1)
_NEWEST = timedelta(hours=23)
# No longest window is documented for bookings (API page 10.2); a month keeps one answer small.
_MONTH = timedelta(days=31)
_MOST_DAYS = 366
_MOST_BOOKING_DAYS = 3660
AT_ONCE = 4
_PATIENT_WINDOWS = 3
_LATE = timedelta(seconds=120)

Progress = Callable[[int, int], None]
"""Called with the number of windows read and of all."""


Window = tuple[datetime, datetime | None]


R = TypeVar("R", Activity, Transaction)


class Span(Struct, frozen=True):
    """From when to when (UTC); without an end up to now, without a start `length` before the end."""

    start: datetime | None = None
    end: datetime | None = None
    length: timedelta | None = None


class Wanted(Struct, frozen=True):
    """Which rows: each field names what a row must be one of, empty for any. Words are the broker's."""

    epics: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    deal_id: str | None = None


class ActivityFound(Struct, frozen=True):
    """Activity of the account, newest first. `may_grow`: rows can come up to two minutes late."""

    activities: tuple[Activity, ...]
    start: datetime
    end: datetime
    may_grow: bool
    unreadable: tuple[UnreadableRow, ...] = ()


class TransactionsFound(Struct, frozen=True):
    """Bookings of the account, newest first; `total` is None for several currencies or an unreadable row."""

    transactions: tuple[Transaction, ...]
    start: datetime
    end: datetime
    total: Decimal | None
    currency: str | None
    unreadable: tuple[UnreadableRow, ...] = ()


class BookingsOfSpan(Struct, frozen=True):
    """Every booking of a span, newest first, and the balances around it, as in a `Report`."""

    rows: tuple[Transaction, ...]
    start: datetime
    end: datetime
    currency: str | None
    opening_balance: Decimal | None
    closing_balance: Decimal | None


class Report(Struct, frozen=True):
    """What a span brought, in the account's currency; `lines` are its markets, days or months (UTC).

    The closing balance is today's cash less what was booked after the span, the opening balance that less the
    span's bookings: None where the cash moved meanwhile, or is in another currency than the bookings.
    """

    lines: tuple[Booked, ...]
    start: datetime
    end: datetime
    currency: str | None
    opening_balance: Decimal | None
    closing_balance: Decimal | None
    total: Totals


_ALL = Wanted()


@dataclass(frozen=True, slots=True)
class History:
    """Reads the history of the active account, window by window. Never changes anything."""

    broker: Broker
    progress: Progress = field(default=lambda _done, _all: None)

    def with_progress(self, progress: Progress) -> "History":
        """Return this history; `progress` is called after each window."""
        return History(self.broker, progress)

    def activity(
        self,
        span: Span,
        wanted: Wanted = _ALL,
        *,
        most_days: int = _MOST_DAYS,
    ) -> Reply[ActivityFound]:
        """Return activity of at most `most_days` days, read a day at a time (API page 10.1).

        Raises UsageError for a span that is empty, in the future or too long, and for unreadable filters.
        """
        wanted = _read(wanted)
        now = self._now()
        start, end, current = _bounds(span, now, ACTIVITY_SPAN, most_days)
        only = {
            "epic": wanted.epics,
            "type": wanted.types,
            "status": wanted.statuses,
            "source": wanted.sources,
        }

        def read(broker: Broker, since: datetime, until: datetime | None) -> Listed[Activity]:
            return broker.list_activity(since, until, deal_id=wanted.deal_id, only=only)

        every = self._windows(_cut(start, end, _DAY, current=current), read)
        found = ActivityFound(every.rows, start, end, now - end < _LATE, every.unreadable)
        return Reply(found, self.broker.account_id)

    def transactions(
        self,
        span: Span,
        wanted: Wanted = _ALL,
        *,
        most_days: int = _MOST_BOOKING_DAYS,
    ) -> Reply[TransactionsFound]:
        """Return bookings of at most `most_days` days, read a month at a time. Raises as `activity`."""
        wanted = _read(wanted)
        start, end, current = _bounds(span, self._now(), BOOKINGS_SPAN, most_days)
        kind = wanted.types[0] if len(wanted.types) == 1 else None
        every = self._bookings(start, None if current else end, kind, whole=False)
        rows = tuple(
            row
            for row in every.rows
            if (not wanted.types or row.type in wanted.types)
            and (not wanted.statuses or row.status in wanted.statuses)
            and (not wanted.epics or row.epic in wanted.epics)
            and wanted.deal_id in {None, row.deal_id}
        )
        currencies = {row.currency for row in rows}
        currency = currencies.pop() if len(currencies) == 1 else None
        total = sum((row.amount for row in rows), Decimal(0)) if currency and not every.unreadable else None
        found = TransactionsFound(rows, start, end, total, currency, every.unreadable)
        return Reply(found, self.broker.account_id)

    def report(self, span: Span, *, by: str = "market") -> Reply[Report]:
        """Return P&L, costs and deposits by `market`, `day` or `month`. Raises as `transactions`."""
        found = self.booked(span)
        report = with_fields_of(found, Report, lines=by_key(found.rows, by), total=totals(found.rows))
        return Reply(report, self.broker.account_id)

    def booked(self, span: Span) -> BookingsOfSpan:
        """Return all bookings of a span, with the cash before and after it. Raises as `transactions`."""
        now = self._now()
        start, end, current = _bounds(span, now, BOOKINGS_SPAN, _MOST_BOOKING_DAYS)
        before = self._cash()
        rows = self._bookings(start, None).rows
        after = self._cash()
        inside = tuple(row for row in rows if current or row.at <= end)
        currency = after[1] if after is not None else None
        known = before == after and {row.currency for row in rows} <= {currency}
        closing = opening = None
        if known and after is not None:
            opening = after[0] - sum((row.amount for row in rows), Decimal(0))
            closing = opening + sum((row.amount for row in inside), Decimal(0))
        return BookingsOfSpan(inside, start, end, currency, opening, closing)

    def _cash(self) -> tuple[Decimal, str] | None:
        accounts, active = self.broker.accounts(), self.broker.account_id
        return next(((row.cash, row.currency) for row in accounts if row.account_id == active), None)

    def _now(self) -> datetime:
        return self.broker.broker_time() or self.broker.server_time()

    def _bookings(
        self, start: datetime, end: datetime | None, kind: str | None = None, *, whole: bool = True
    ) -> Listed[Transaction]:
        """Return bookings of a window, up to now without an end; by days where a month is refused.

        Where they are to be `whole`, for a sum, an unreadable row raises RowUnreadable.
        """

        def read(broker: Broker, since: datetime, until: datetime | None) -> Listed[Transaction]:
            if whole:
                return Listed(broker.transactions(since, until, kind=kind))
            return broker.list_transactions(since, until, kind=kind)

        last = end or _whole(self._now())
        try:
            return self._windows(_cut(start, last, _MONTH, current=end is None), read)
        except BrokerRefused as error:
            if error.details.get("broker_code") != BAD_RANGE:
                raise
        # One server was seen to keep bookings to a day as well (API page 16).
        return self._windows(_cut(start, last, _DAY, current=end is None), read)

    def _windows(
        self, windows: list[Window], read: Callable[[Broker, datetime, datetime | None], Listed[R]]
    ) -> Listed[R]:
        """Read windows newest first, in parallel. Raises Busy if the account was switched meanwhile."""
        broker = self.broker.in_lane(Lane.BULK) if len(windows) > _PATIENT_WINDOWS else self.broker
        pages: list[Listed[R]] = []
        accounts: set[str | None] = set()
        for place in range(0, len(windows), AT_ONCE):
            several = windows[place : place + AT_ONCE]
            pages += together(*(partial(read, broker, since, until) for since, until in several))
            accounts.add(broker.account_id)
            if len(accounts) > 1:
                raise Busy("The account was switched while its history was read. Ask again.")
            self.progress(len(pages), len(windows))
        rows: list[R] = []
        # Rows on a shared bound come twice; two that are alike on one page stay.
        for page, (_, until) in zip(pages, windows, strict=True):
            seen = Counter(row for row in rows if row.at == until)
            for row in page.rows:
                if seen[row]:
                    seen[row] -= 1
                else:
                    rows.append(row)
        rows.sort(key=lambda row: row.at, reverse=True)
        return Listed(tuple(rows), tuple(dict.fromkeys(row for page in pages for row in page.unreadable)))


def _cut(start: datetime, end: datetime, width: timedelta, *, current: bool) -> list[Window]:
    """Split a span into windows that share their bounds, newest first; a `current` one has no end."""
    windows: list[Window] = []
    until = end
    while until > start:
        first = current and not windows
        since = max(start, until - (_NEWEST if first else width))
        windows.append((since, None if first else until))
        until = since
    return windows


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _bounds(span: Span, now: datetime, usual: timedelta, most_days: int) -> tuple[datetime, datetime, bool]:
    """Return the span in whole seconds, as the broker accepts them, and whether it ends now."""
    current = span.end is None or span.end >= now
    end = _whole(now if current or span.end is None else span.end)
    start = _whole(span.start or end - (span.length or usual))
    if start >= end:
        raise UsageError(
            f"The span {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z is empty or in the future."
        )
    if end - start > timedelta(days=most_days):
        raise UsageError(f"That span has more than {most_days} days. Ask for less at once.")
    return start, end, current


def _read(wanted: Wanted) -> Wanted:
    """Check the filters before any request. Raises UsageError."""
    return Wanted(
        epics=tuple(dict.fromkeys(map(ids.epic, wanted.epics))),
        types=_words(wanted.types),
        statuses=_words(wanted.statuses),
        sources=_words(wanted.sources),
        deal_id=None if wanted.deal_id is None else ids.deal_id(wanted.deal_id),
    )


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    read = tuple(dict.fromkeys(word.strip().upper() for word in words))
    for word in read:
        if not word.isascii() or not word.replace("_", "").isalnum():
            raise UsageError(
                f"{ids.shown(word)} is not a word that the broker uses; one looks like POSITION."
            )
    return read
