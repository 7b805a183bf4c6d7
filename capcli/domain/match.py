"""What may be the order whose answer was lost, in book and activity (order protocol, Reconcile). Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from capcli.domain.account import Activity, Position, WorkingOrder
from capcli.domain.order import Kind, LegForm, OrderRequest

_SLACK = timedelta(seconds=2)
_POSITION, _ORDER = "POSITION", "WORKING_ORDER"
_MADE = frozenset({"ACCEPTED", "CREATED"})
# Positions end by these on their own (API page 7); an opening comes from a person or from an order.
_CLOSERS = frozenset({"SL", "TP", "CLOSE_OUT"})
# How a working order ends otherwise than by waiting, and how that is told.
_ENDED = {
    "CANCELLED": "It is cancelled already",
    "EXPIRED": "It has expired already",
    "REJECTED": "The broker dropped it when it came to be filled",
}
CLOSED = "It is closed already"
FILLED = "It was filled"


@dataclass(frozen=True, slots=True)
class Lost:
    """An order without an answer. `sent_at` is the broker's clock; `known` are deals that others account for.

    `known` holds the ids of the baseline and of every other attempt, orders and positions alike; `sizes` the
    sizes of the baseline's positions.
    """

    request: OrderRequest
    sent_at: datetime
    known: frozenset[str]
    sizes: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def since(self) -> datetime:
        return self.sent_at - _SLACK


@dataclass(frozen=True, slots=True)
class Seen:
    """One clean look at an account since the send; `activity` is newest first, with details."""

    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    activity: tuple[Activity, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that the lost order may have become; `rows` are what is still there of it.

    One that is not `sure` speaks against absence and proves nothing yet: the rest of it is late or missing.
    """

    deal_ids: tuple[str, ...]
    rows: tuple[Position, ...] | tuple[WorkingOrder, ...] = ()
    level: Decimal | None = None
    size: Decimal | None = None
    order_id: str | None = None
    note: str = ""
    sure: bool = True


class Verdict(StrEnum):
    """What a look proves: one trace, one refusal, nothing there, or nothing at all."""

    LANDED = "landed"
    REJECTED = "rejected"
    NOTHING_THERE = "nothing there"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Finding:
    """All traces of a lost order, those that fit its stop first, and the ids of refused orders like it."""

    traces: tuple[Trace, ...] = ()
    rejected: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Judge: several that fit prove nothing, and what is late proves nothing yet."""
        if not self.traces and not self.rejected:
            return Verdict.NOTHING_THERE
        if not self.traces and len(self.rejected) == 1:
            return Verdict.REJECTED
        if len(self.traces) == 1 and self.traces[0].sure and not self.rejected:
            return Verdict.LANDED
        return Verdict.UNDECIDED

    @property
    def deals(self) -> tuple[str, ...]:
        """Name the deals of all traces."""
        return tuple(dict.fromkeys(deal for trace in self.traces for deal in trace.deal_ids))

    def naming(self, deal_id: str) -> Trace | None:
        """Return the trace that a deal id belongs to."""
        return next((one for one in self.traces if deal_id in {*one.deal_ids, one.order_id}), None)


def find(lost: Lost, seen: Seen) -> Finding:
    """Return everything that the lost order may have become."""
    traces = _working(lost, seen) if lost.request.kind is Kind.WORKING else _market(lost, seen)
    fits_stop = _fits_stop(lost.request)
    return Finding(tuple(sorted(traces, key=lambda one: not fits_stop(one))), _rejected(lost, seen))


def _fits_stop(request: OrderRequest) -> Callable[[Trace], bool]:
    stop = request.stop
    level = stop.value if stop is not None and stop.form is LegForm.LEVEL else None
    return lambda trace: any(
        row.stop_level == level or (level is None and stop is not None and row.stop_level is not None)
        for row in trace.rows
    )


def matching_positions(lost: Lost, book: tuple[Position, ...]) -> tuple[Position, ...]:
    """Return the new positions that the order may have become. Stops never exclude: one may be dropped."""
    return tuple(row for row in _new_positions(lost, book) if row.size == lost.request.size)


def _new_positions(lost: Lost, book: tuple[Position, ...]) -> Iterator[Position]:
    request = lost.request
    for row in book:
        same = (row.epic, row.side) == (request.epic, request.side) and row.opened_at >= lost.since
        if same and lost.known.isdisjoint({row.deal_id, row.working_order_id or row.deal_id}):
            yield row


def matching_orders(lost: Lost, waiting: tuple[WorkingOrder, ...]) -> tuple[WorkingOrder, ...]:
    """Return the new working orders that the order may have become."""
    request = lost.request
    level = request.trigger.level if request.trigger else None
    return tuple(
        row
        for row in waiting
        if (row.epic, row.side, row.size, row.level) == (request.epic, request.side, request.size, level)
        and row.created_at >= lost.since
        and row.deal_id not in lost.known
    )


def _market(lost: Lost, seen: Seen) -> list[Trace]:
    # What a working order became is no market order: that one leaves no EXECUTED row.
    filled = {row.deal_id for row in seen.activity if row.type == _ORDER and row.status == "EXECUTED"}
    found = [
        Trace((row.deal_id,), (row,), row.level, row.size, row.working_order_id)
        for row in matching_positions(lost, seen.positions)
        if row.working_order_id not in filled
    ]
    found += _opened_and_gone(lost, seen)
    return found or _netted(lost, seen) or _hidden_only(lost, seen)


def _opened_and_gone(lost: Lost, seen: Seen) -> Iterator[Trace]:
    """Find deals that were opened like the order and are in the list no longer, or not yet."""
    listed = {row.deal_id for row in seen.positions}
    for deal_id, rows in _histories(lost, seen, _POSITION):
        first = rows[0]
        opened = first.source not in _CLOSERS and first.status in _MADE and first.working_order_id is None
        if deal_id in listed or not opened or not _fits(lost, first):
            continue
        closed = any(row.side is not None and row.side is not lost.request.side for row in rows[1:])
        sure = closed and None not in {first.size, first.level, first.side}
        yield Trace((deal_id,), (), first.level, first.size, None, CLOSED, sure)


def _netted(lost: Lost, seen: Seen) -> list[Trace]:
    """Find what the order took from opposite deals, oldest first, and what it opened with the rest."""
    cut = _reductions(lost, seen)
    taken = sum(cut.values(), Decimal(0))
    rest = lost.request.size - taken
    if not cut or rest < 0:
        return []
    opened = tuple(row for row in _new_positions(lost, seen.positions) if row.size == rest)
    if len(opened) != (1 if rest else 0):
        return []
    hidden = _hidden(lost, seen)
    # A position that is gone may have been closed by hand: then only the order's own row tells. One that is
    # smaller was reduced by an order (API page 9.4).
    shrunk = cut.keys() <= {row.deal_id for row in seen.positions}
    note = f"It reduced {len(cut)} position(s)"
    deals = (*(row.deal_id for row in opened), *cut)
    level = opened[0].level if opened else _price(lost, seen, cut.keys())
    sure = len(hidden) == 1 or (shrunk and not rest and not hidden)
    return [Trace(deals, opened, level, lost.request.size, next(iter(hidden), None), note, sure)]


def _price(lost: Lost, seen: Seen, deals: Collection[str]) -> Decimal | None:
    """Return the price that the order reduced the first of these deals at."""
    prices = (
        row.level
        for row in reversed(seen.activity)
        if row.deal_id in deals and row.side is lost.request.side and row.at >= lost.since
    )
    return next(prices, None)


def _reductions(lost: Lost, seen: Seen) -> dict[str, Decimal]:
    request, now = lost.request, {row.deal_id: row for row in seen.positions}
    cut = {
        deal_id: size - now[deal_id].size
        for deal_id, size in lost.sizes.items()
        if deal_id in now
        and (now[deal_id].epic, now[deal_id].side) == (request.epic, request.side.opposite)
        and now[deal_id].size < size
    }
    for row in seen.activity:
        ours = row.type == _POSITION and row.status in _MADE and row.source not in _CLOSERS
        fits = (row.epic, row.side) == (request.epic, request.side) and row.at >= lost.since
        if ours and fits and row.deal_id in lost.sizes and row.deal_id not in now:
            cut[row.deal_id] = lost.sizes[row.deal_id]
    return cut


def _hidden(lost: Lost, seen: Seen) -> tuple[str, ...]:
    """Return the ids of the orders like ours that were accepted at once: market orders leave such rows."""
    waiting = {row.deal_id for row in seen.orders}
    return tuple(
        order_id
        for order_id, rows in _histories(lost, seen, _ORDER)
        if order_id not in waiting
        and _fits(lost, rows[0])
        and {row.status for row in rows} <= _MADE
        and rows[0].size is not None
    )


def _hidden_only(lost: Lost, seen: Seen) -> list[Trace]:
    explained = {row.working_order_id for row in seen.positions}
    return [
        Trace((), (), None, None, order_id, sure=False)
        for order_id in _hidden(lost, seen)
        if order_id not in explained
    ]


def _working(lost: Lost, seen: Seen) -> list[Trace]:
    found = [
        Trace((row.deal_id,), (row,), row.level, row.size, row.deal_id)
        for row in matching_orders(lost, seen.orders)
    ]
    waiting = {row.deal_id for row in seen.orders}
    histories = dict(_histories(lost, seen, _ORDER))
    found += [
        _ended(lost, seen, order_id, rows)
        for order_id, rows in histories.items()
        if order_id not in waiting and _fits(lost, rows[0]) and _is_made(lost, rows[0])
    ]
    # Its own rows may be late: until they tell, a position like it may be what it became.
    found += [
        Trace((row.deal_id,), (row,), row.level, row.size, row.working_order_id, sure=False)
        for row in matching_positions(lost, seen.positions)
        if row.working_order_id is not None and row.working_order_id not in histories
    ]
    return found


def _is_made(lost: Lost, row: Activity) -> bool:
    trigger = lost.request.trigger
    return row.status in _MADE and (row.level is None or (trigger is not None and row.level == trigger.level))


def _ended(lost: Lost, seen: Seen, order_id: str, rows: list[Activity]) -> Trace:
    """Tell what a working order that waits no longer became: a position (API page 9.6), or nothing."""
    complete = None not in {rows[0].size, rows[0].level, rows[0].side}
    became = tuple(row for row in seen.positions if row.working_order_id == order_id)
    if became:
        deals = tuple(row.deal_id for row in became)
        return Trace(deals, became, became[0].level, lost.request.size, order_id, FILLED, complete)
    last = rows[-1].status
    if last in _ENDED:
        return Trace((order_id,), (), None, None, order_id, _ENDED[last], complete)
    filled = [row for row in seen.activity if row.type == _POSITION and row.working_order_id == order_id]
    if not filled:
        return Trace((order_id,), (), None, None, order_id, sure=False)
    deals = tuple(dict.fromkeys(row.deal_id for row in filled))
    closed = complete and all(_is_closed(lost, seen, deal) for deal in deals)
    note = f"{FILLED} and is closed already"
    return Trace(deals, (), filled[0].level, lost.request.size, order_id, note, closed)


def _is_closed(lost: Lost, seen: Seen, deal_id: str) -> bool:
    return any(
        row.deal_id == deal_id and row.type == _POSITION and row.side is lost.request.side.opposite
        for row in seen.activity
    )


def _rejected(lost: Lost, seen: Seen) -> tuple[str, ...]:
    listed = {row.deal_id for row in seen.positions} | {row.deal_id for row in seen.orders}
    found = [
        order_id
        for order_id, rows in _histories(lost, seen, _ORDER)
        if order_id not in listed
        and {row.status for row in rows} == {"REJECTED"}
        and rows[0].size is not None
        and rows[0].side is not None
        and _fits(lost, rows[0])
    ]
    return tuple(found)


def _fits(lost: Lost, row: Activity) -> bool:
    """Say whether a row is of an order like ours; what a row does not say yet does not exclude it."""
    request = lost.request
    return row.epic == request.epic and row.side in {None, request.side} and row.size in {None, request.size}


def _histories(lost: Lost, seen: Seen, kind: str) -> Iterable[tuple[str, list[Activity]]]:
    """Return the rows of each deal that nobody accounts for, oldest first."""
    deals: dict[str, list[Activity]] = {}
    for row in reversed(seen.activity):
        if row.type == kind and row.at >= lost.since and row.deal_id and row.deal_id not in lost.known:
            deals.setdefault(row.deal_id, []).append(row)
    return deals.items()
