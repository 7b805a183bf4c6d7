"""Finds candidates for a lost order in book and activity (order protocol, Reconcile). Pure.

A trace proves a landing only if it can be nothing else: created between the send and two seconds after the
last byte left, and by no other lost order of the same epic, side and size. What was created later may be a
trade by hand or from another computer: a person decides. What a deal was opened with is in its first activity
row, since a person may have changed it; until that row is there, the list counts.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from capcli.domain.account import Activity, Position, WorkingOrder
from capcli.domain.attempt import Ending
from capcli.domain.candidates import Candidate, ReconciliationReport, Seen, UnconfirmedOrder
from capcli.domain.identity import CLOCKS
from capcli.domain.netting import maybe_netted, netted
from capcli.domain.order import ExitForm, Kind, OrderRequest
from capcli.domain.rows import (
    MADE,
    ORDER,
    POSITION,
    hidden_orders,
    is_like_ours,
    is_opening,
    new_orders,
    new_positions,
    rows_by_deal,
    unclaimed_rows,
)

# How a working order ends without a fill, by its status.
_ENDED = {
    "CANCELLED": Ending.CANCELLED,
    "EXPIRED": Ending.EXPIRED,
    "REJECTED": Ending.DROPPED,
}


def find(lost: UnconfirmedOrder, seen: Seen) -> ReconciliationReport:
    """Return all candidates for the lost order."""
    traces = _working(lost, seen) if lost.request.kind is Kind.WORKING else _market(lost, seen)
    weighed = [one for trace in traces if (one := _weighed(lost, trace)) is not None]
    refused = {order_id: at for order_id, at in _rejected(lost, seen).items() if lost.window.holds(at)}
    shared = any(rival.window.holds(at) for rival in lost.rivals for at in refused.values())
    fits_stop = _fits_stop(lost.request)
    return ReconciliationReport(
        tuple(sorted(weighed, key=lambda one: (one.late, not fits_stop(one)))),
        tuple(refused),
        tuple(_others(lost, seen, {deal for one in weighed for deal in one.ids})),
        refused_for_sure=not shared,
    )


def _weighed(lost: UnconfirmedOrder, trace: Candidate) -> Candidate | None:
    """Check a candidate's time and the other lost orders; None if it belongs to one of those."""
    in_time = lost.window.holds(trace.at)
    rivals = tuple(
        rival.attempt_id
        for rival in lost.rivals
        # It cannot have opened a deal of its baseline, but may have reduced it.
        if rival.window.holds(trace.at) and rival.known.isdisjoint({*trace.deal_ids} - {*trace.reduced})
    )
    if not in_time and (rivals or trace.size not in {None, lost.request.size}):
        return None
    if not in_time:
        return replace(trace, sure=False, late=True)
    return replace(trace, sure=False, shared=rivals) if rivals else trace


def _others(lost: UnconfirmedOrder, seen: Seen, named: Collection[str]) -> Iterator[Candidate]:
    """Return new deals of this epic and side that are no candidates: a person may know better."""
    request, working = lost.request, lost.request.kind is Kind.WORKING
    for row in new_positions(lost, seen.positions):
        if row.deal_id not in named:
            yield _listed(row, row.size, sure=False)
    for order in new_orders(lost, seen.orders) if working else ():
        if order.deal_id not in named:
            yield _waiting(order, sure=False)
    for deal_id, rows in unclaimed_rows(lost, seen, ORDER if working else POSITION):
        first = rows[0]
        if deal_id not in named and (first.epic, first.side) == (request.epic, request.side):
            yield Candidate((deal_id,), (), first.level, first.size, sure=False, at=first.at)


def _listed(row: Position, size: Decimal | None, *, sure: bool = True) -> Candidate:
    ids, order_id, at = (row.deal_id,), row.working_order_id, row.opened_at
    return Candidate(ids, (row,), row.level, size, order_id, Ending.OPEN, sure, at)


def _waiting(row: WorkingOrder, *, sure: bool) -> Candidate:
    ids, order_id, at = (row.deal_id,), row.deal_id, row.created_at
    return Candidate(ids, (row,), row.level, row.size, order_id, Ending.WAITING, sure, at)


def _fits_stop(request: OrderRequest) -> Callable[[Candidate], bool]:
    stop = request.stop
    if stop is not None and stop.form is not ExitForm.LEVEL:
        # Its level depends on the price at that moment.
        return lambda trace: any(row.stop_level is not None for row in trace.rows)
    level = stop.value if stop is not None else None
    return lambda trace: any(row.stop_level == level for row in trace.rows)


def _market(lost: UnconfirmedOrder, seen: Seen) -> list[Candidate]:
    fits, maybe = _opened(lost, seen)
    fits += _opened_and_gone(lost, seen)
    # Another order may have opened the matching deal, while ours reduced opposite deals.
    fits += (netted(lost, seen) if not fits else []) or maybe_netted(lost, seen)
    named = {deal for trace in fits for deal in trace.deal_ids}
    found = fits + [trace for trace in maybe if named.isdisjoint(trace.deal_ids)]
    return [*found, *_without_deals(lost, seen, found)]


def _opened(lost: UnconfirmedOrder, seen: Seen) -> tuple[list[Candidate], list[Candidate]]:
    """Return new positions that were, or may have been, opened with the order's size."""
    size = lost.request.size
    openings = {deal_id: rows[0] for deal_id, rows in unclaimed_rows(lost, seen, POSITION)}
    ordered = {order_id: rows[0].size for order_id, rows in unclaimed_rows(lost, seen, ORDER)}
    # A filled working order is no market order, which leaves no EXECUTED row.
    filled = {row.deal_id for row in seen.activity if row.type == ORDER and row.status == "EXECUTED"}
    fits, maybe = [], []
    for row in new_positions(lost, seen.positions):
        first = openings.get(row.deal_id)
        opened = first.size if first is not None and is_opening(lost, first) else None
        if row.working_order_id in filled:
            continue
        if size == (row.size if opened is None else opened):
            fits.append(_listed(row, size))
            continue
        # Opened with another size, it may still come from an order of this size.
        order_id = row.working_order_id
        if opened is None or (order_id is not None and ordered.get(order_id) in {None, size}):
            maybe.append(_listed(row, row.size, sure=False))
    return fits, maybe


def _opened_and_gone(lost: UnconfirmedOrder, seen: Seen) -> Iterator[Candidate]:
    """Find deals opened like the order that are not, or not yet, in the list."""
    listed = {row.deal_id for row in seen.positions}
    for deal_id, rows in unclaimed_rows(lost, seen, POSITION):
        first = rows[0]
        if deal_id in listed or first.working_order_id is not None:
            continue
        if not is_opening(lost, first) or not is_like_ours(lost, first):
            continue
        closed = any(row.side is not None and row.side is not lost.request.side for row in rows[1:])
        sure = closed and None not in {first.size, first.level, first.side}
        yield Candidate((deal_id,), (), first.level, first.size, None, Ending.CLOSED, sure, first.at)


def _without_deals(lost: UnconfirmedOrder, seen: Seen, found: list[Candidate]) -> Iterator[Candidate]:
    """Return the orders like ours that left no deal that is seen; beside a deal only those in time speak."""
    placed = _placed(lost, seen)
    netted = any(one.reduced for one in found)
    for order_id, at in hidden_orders(lost, seen).items():
        beside = not netted and order_id not in placed and lost.window.holds(at)
        if not found or beside:
            yield Candidate((), (), None, None, order_id, sure=False, at=at)


def _placed(lost: UnconfirmedOrder, seen: Seen) -> frozenset[str]:
    """Return all orders like ours with a visible deal of their size.

    A listed position names its order; one that is gone was opened in its order's second (API page 9.1).
    """
    listed = {row.deal_id: row.working_order_id for row in seen.positions if row.working_order_id}
    openings = [
        rows[0].at
        for deal_id, rows in rows_by_deal(lost, seen, POSITION).items()
        if deal_id not in listed and is_opening(lost, rows[0]) and is_like_ours(lost, rows[0])
    ]
    placed = set(listed.values())
    orders = rows_by_deal(lost, seen, ORDER).items()
    # Orders in the journal come first: their deals are theirs.
    for order_id, rows in sorted(orders, key=lambda one: one[0] not in lost.known):
        at = rows[0].at
        near = next((one for one in openings if abs(one - at) <= CLOCKS), None)
        if near is not None and order_id not in placed and is_like_ours(lost, rows[0]):
            openings.remove(near)
            placed.add(order_id)
    return frozenset(placed)


def _working(lost: UnconfirmedOrder, seen: Seen) -> list[Candidate]:
    histories = dict(unclaimed_rows(lost, seen, ORDER))
    found = list(_still_waiting(lost, seen, histories))
    waiting = {row.deal_id for row in seen.orders}
    found += [
        _ended(lost, seen, order_id, rows)
        for order_id, rows in histories.items()
        if order_id not in waiting and is_like_ours(lost, rows[0]) and _is_made(lost, rows[0])
    ]
    # Its own rows may be late: until then a new position of any size may come from it.
    found += [
        replace(_listed(row, row.size, sure=False), at=None)
        for row in new_positions(lost, seen.positions)
        if row.working_order_id is not None and row.working_order_id not in histories
    ]
    return found


def _still_waiting(
    lost: UnconfirmedOrder, seen: Seen, histories: Mapping[str, list[Activity]]
) -> Iterator[Candidate]:
    """Find working orders created like the order: a person may have moved them since."""
    trigger = lost.request.trigger
    ordered = (lost.request.size, trigger.level if trigger else None)
    for row in new_orders(lost, seen.orders):
        made = next(iter(histories.get(row.deal_id, ())), None)
        if made is None or made.status not in MADE:
            yield _waiting(row, sure=(row.size, row.level) == ordered)
        elif is_like_ours(lost, made) and _is_made(lost, made):
            created = (made.size or row.size, made.level or row.level)
            yield _waiting(row, sure=created == ordered)


def _is_made(lost: UnconfirmedOrder, row: Activity) -> bool:
    trigger = lost.request.trigger
    return row.status in MADE and (row.level is None or (trigger is not None and row.level == trigger.level))


def _ended(lost: UnconfirmedOrder, seen: Seen, order_id: str, rows: list[Activity]) -> Candidate:
    """Return what a working order that is gone became: a position (API page 9.6), or nothing."""
    complete, at = None not in {rows[0].size, rows[0].level, rows[0].side}, rows[0].at
    became = tuple(row for row in seen.positions if row.working_order_id == order_id)
    if became:
        deals = tuple(row.deal_id for row in became)
        size = lost.request.size
        return Candidate(deals, became, became[0].level, size, order_id, Ending.FILLED, complete, at)
    last = rows[-1].status
    if last in _ENDED:
        return Candidate((order_id,), (), None, None, order_id, _ENDED[last], complete, at)
    # It may have reduced a deal of the baseline (API page 9.4); another attempt's deal is no candidate.
    filled = [
        row
        for row in seen.activity
        if row.type == POSITION
        and row.working_order_id == order_id
        and (row.deal_id not in lost.known or row.deal_id in lost.sizes)
    ]
    if not filled:
        return Candidate((order_id,), (), None, None, order_id, sure=False, at=at)
    deals = tuple(dict.fromkeys(row.deal_id for row in filled))
    ends = (row for row in seen.activity if row.type == POSITION and row.side is lost.request.side.opposite)
    closed, level, size = (
        complete and {row.deal_id for row in ends} >= {*deals},
        filled[0].level,
        lost.request.size,
    )
    return Candidate(deals, (), level, size, order_id, Ending.FILLED_AND_CLOSED, closed, at)


def _rejected(lost: UnconfirmedOrder, seen: Seen) -> dict[str, datetime]:
    listed = {row.deal_id for row in seen.positions} | {row.deal_id for row in seen.orders}
    return {
        order_id: rows[0].at
        for order_id, rows in unclaimed_rows(lost, seen, ORDER)
        if order_id not in listed
        and {row.status for row in rows} == {"REJECTED"}
        and rows[0].size is not None
        and rows[0].side is not None
        and is_like_ours(lost, rows[0])
    }
