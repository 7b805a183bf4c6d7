"""Events of an account, and how they are read from the broker's activity. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from capcli.domain.account import Account, Activity, Transaction
from capcli.domain.market import Side


class EventKind(StrEnum):
    """The kinds of events."""

    FILLED = "filled"
    STOP_HIT = "stop_hit"
    LIMIT_HIT = "limit_hit"
    CLOSED = "closed"
    REJECTED = "rejected"
    ORDER_EXPIRED = "order_expired"
    MARGIN_LOW = "margin_low"
    APPROVAL_WAITS = "approval_waits"
    HALTED = "halted"
    RESUMED = "resumed"
    UNRESOLVED = "unresolved"
    SETTLED = "settled"
    ALERT = "alert"


class Happened(Struct, frozen=True):
    """One event, by the broker's clock if the broker reported it.

    `side`, `size` and `deal_id` are the deal's: a stop that sells a long position is BUY. `level` is in the
    instrument's currency, `amount` the realised P&L in `currency`, the account's. `source` is the broker's
    word (USER, SL, TP, CLOSE_OUT, DEALER, SYSTEM). `margin_level`: equity in percent of the margin in use.
    `attempt_id` is this computer's order, `state` its outcome, `detail` for people.
    """

    kind: EventKind
    at: datetime
    epic: str | None = None
    side: Side | None = None
    size: Decimal | None = None
    level: Decimal | None = None
    deal_id: str | None = None
    order_id: str | None = None
    attempt_id: str | None = None
    alert_id: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    source: str | None = None
    margin_level: Decimal | None = None
    state: str | None = None
    detail: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether a fill or a close has its price: the broker can send the row earlier (API page 10.1)."""
        return self.kind not in _PRICED or self.level is not None


class KnownDeals(Struct, frozen=True):
    """Distinguishes opening from closing rows: by the sides of known deals, and booked results."""

    sides: Mapping[str, Side]
    booked: Mapping[str, Sequence[Transaction]] = field(default_factory=dict)


Keyed = tuple[str, Happened]
"""An event and what tells it from all others."""

_PRICED = frozenset({EventKind.FILLED, EventKind.STOP_HIT, EventKind.LIMIT_HIT, EventKind.CLOSED})
_CLOSERS = {"SL": EventKind.STOP_HIT, "TP": EventKind.LIMIT_HIT, "CLOSE_OUT": EventKind.CLOSED}
_REFUSED = frozenset({"REJECTED", "MODIFY_REJECT", "CANCEL_REJECT"})
_DONE = frozenset({"ACCEPTED", "EXECUTED", "CREATED"})
# The rows of one request have nearly the same time.
_TOGETHER = timedelta(seconds=1)
# A booking may be late; after this time a row is read without it.
_UNDECIDED = timedelta(seconds=150)


def read_activity(rows: Sequence[Activity], known: KnownDeals, now: datetime) -> tuple[list[Keyed], datetime]:
    """Return the events in rows of activity (newest first), oldest first, and up to when they are complete.

    A young row that may be an opening or a close is left for the next read.
    """
    ordered = list(rows[::-1])
    # Rows of one instant stay in the broker's order.
    ordered.sort(key=lambda row: row.at)
    counted: Counter[str] = Counter()
    sides, events, read_to = _both_sides(ordered) | dict(known.sides), list[Keyed](), now
    for row in ordered:
        identity = f"{row.at.isoformat()} {row.deal_id} {row.type} {row.status} {row.source}"
        counted[identity] += 1
        kind = _kind_of(row, sides, known, ordered)
        if kind is None and _may_tell_more(row):
            if now - row.at < _UNDECIDED:
                read_to = min(read_to, row.at)
                continue
            kind = EventKind.FILLED
        if kind is not None:
            if kind is EventKind.FILLED and row.type == "POSITION" and row.side is not None:
                sides.setdefault(row.deal_id, row.side)
            events.append((f"activity {identity} {counted[identity]}", _fact(row, kind, sides, known)))
    return events, read_to


def _both_sides(rows: Sequence[Activity]) -> dict[str, Side]:
    """Return the sides of deals opened and closed within these rows: those of their first rows."""
    found: dict[str, list[Side]] = {}
    for row in rows:
        if row.type == "POSITION" and row.status in _DONE and row.side is not None:
            found.setdefault(row.deal_id, []).append(row.side)
    return {deal: sides[0] for deal, sides in found.items() if len(set(sides)) > 1}


def _may_tell_more(row: Activity) -> bool:
    return row.type == "POSITION" and row.status in _DONE


def _kind_of(  # noqa: PLR0911  one line for each kind
    row: Activity, sides: Mapping[str, Side], known: KnownDeals, rows: Sequence[Activity]
) -> EventKind | None:
    if row.status in _REFUSED:
        return EventKind.REJECTED
    if row.type == "WORKING_ORDER":
        if row.status == "EXPIRED":
            return EventKind.ORDER_EXPIRED
        return EventKind.FILLED if row.status == "EXECUTED" and not _has_position(row, rows) else None
    if not _may_tell_more(row):
        return None
    if row.source in _CLOSERS:
        return _CLOSERS[row.source]
    if row.side is None:
        return None
    if (side := sides.get(row.deal_id)) is not None:
        return EventKind.FILLED if side is row.side else EventKind.CLOSED
    if any(abs(one.at - row.at) <= _TOGETHER for one in known.booked.get(row.deal_id, ())):
        return EventKind.CLOSED
    return EventKind.FILLED if row.working_order_id or _has_order(row, rows) else None


def _has_position(order: Activity, rows: Sequence[Activity]) -> bool:
    """Whether a position's own row reports this order's fill."""
    return any(row.type == "POSITION" and row.working_order_id == order.deal_id for row in rows)


def _has_order(row: Activity, rows: Sequence[Activity]) -> bool:
    """Whether an order was accepted with this row: every market order leaves such rows."""
    return any(
        one.type == "WORKING_ORDER"
        and (one.epic, one.side) == (row.epic, row.side)
        and abs(one.at - row.at) <= _TOGETHER
        for one in rows
    )


def _fact(row: Activity, kind: EventKind, sides: Mapping[str, Side], known: KnownDeals) -> Happened:
    is_close = kind in {EventKind.STOP_HIT, EventKind.LIMIT_HIT, EventKind.CLOSED}
    side = (sides.get(row.deal_id) or (row.side and row.side.opposite)) if is_close else row.side
    is_order = row.type == "WORKING_ORDER"
    booked = [one for one in known.booked.get(row.deal_id, ()) if abs(one.at - row.at) <= _TOGETHER]
    result = booked[0] if is_close and len(booked) == 1 else None
    return Happened(
        kind,
        row.at,
        epic=row.epic or None,
        side=side,
        size=row.size or None,
        level=row.level,
        deal_id=None if is_order else row.deal_id or None,
        order_id=row.deal_id if is_order else row.working_order_id,
        amount=result.amount if result else None,
        currency=result.currency if result else None,
        source=row.source or None,
        detail=f"{row.type} {row.status}" if kind is EventKind.REJECTED else None,
    )


# Equity in percent of the margin in use. At 100 nothing is left for new positions; the usual close-out for
# retail accounts is at 50 (API page 14.5).
MARGIN_STEPS = (Decimal(100), Decimal(75))


def margin_level(account: Account) -> Decimal | None:
    """Return equity in percent of the margin in use; None without margin in use."""
    margin = account.equity - account.available
    return (account.equity * 100 / margin).quantize(Decimal("0.1")) if margin > 0 else None


def margin_steps(level: Decimal | None) -> Iterator[Decimal]:
    """Yield the warning steps above a margin level."""
    yield from (step for step in MARGIN_STEPS if level is not None and level < step)


Place = tuple[str, str, str]
"""Environment, host and account."""


class Numbered(Struct, frozen=True):
    """A numbered event of an account; `repeat`: reported before without its price."""

    number: int
    repeat: bool
    fact: Happened


class JournalEntry(Struct, frozen=True):
    """An entry of the journal's chain: a move of an attempt, a halt, a request for approval.

    `key` is unique, even after a journal was restored from a backup.
    """

    seq: int
    key: str
    kind: str
    at: datetime
    attempt_id: str | None
    from_state: str | None
    to_state: str | None
    detail: Mapping[str, Any]
