"""What may be the order whose answer was lost, in book and activity (order protocol, Reconcile). Pure.

A trace proves a landing only where it cannot be anything else: created between the send and two seconds
after the last byte of the request had left, and by no other lost order of the same epic, side and size. What
was created later may as well be a trade by hand or of another computer, so a person decides. What a deal was
opened with its first activity row tells, for a person may have changed it since; the list counts until that
row is there.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from capcli.domain.account import Activity, Position, WorkingOrder
from capcli.domain.attempt import Ending
from capcli.domain.identity import CLOCKS, Asked, misfit
from capcli.domain.order import Kind, LegForm, OrderRequest
from capcli.domain.traces import Finding, Lost, Seen, Trace

_POSITION, _ORDER = "POSITION", "WORKING_ORDER"
_MADE = frozenset({"ACCEPTED", "CREATED"})
# Positions end by these on their own (API page 7); an opening comes from a person or from an order.
_CLOSERS = frozenset({"SL", "TP", "CLOSE_OUT"})
# How a working order ends otherwise than by waiting, and how that is told.
_ENDED = {
    "CANCELLED": Ending.CANCELLED,
    "EXPIRED": Ending.EXPIRED,
    "REJECTED": Ending.DROPPED,
}


def find(lost: Lost, seen: Seen) -> Finding:
    """Return everything that the lost order may have become."""
    traces = _working(lost, seen) if lost.request.kind is Kind.WORKING else _market(lost, seen)
    weighed = [one for trace in traces if (one := _weighed(lost, trace)) is not None]
    refused = {order_id: at for order_id, at in _rejected(lost, seen).items() if lost.window.holds(at)}
    shared = any(rival.window.holds(at) for rival in lost.rivals for at in refused.values())
    fits_stop = _fits_stop(lost.request)
    return Finding(
        tuple(sorted(weighed, key=lambda one: (one.late, not fits_stop(one)))),
        tuple(refused),
        tuple(_others(lost, seen, {deal for one in weighed for deal in one.ids})),
        refused_for_sure=not shared,
    )


def _weighed(lost: Lost, trace: Trace) -> Trace | None:
    """Hold a trace against the times and against the other lost orders; None where it is one of those."""
    in_time = lost.window.holds(trace.at)
    rivals = tuple(
        rival.attempt_id
        for rival in lost.rivals
        if rival.window.holds(trace.at) and rival.known.isdisjoint(trace.deal_ids)
    )
    if not in_time and (rivals or trace.size not in {None, lost.request.size}):
        return None
    if not in_time:
        return replace(trace, sure=False, late=True)
    return replace(trace, sure=False, shared=rivals) if rivals else trace


def _others(lost: Lost, seen: Seen, named: Collection[str]) -> Iterator[Trace]:
    """Return the new deals of this epic and side that are no trace: a person may know better."""
    request, working = lost.request, lost.request.kind is Kind.WORKING
    for row in _new_positions(lost, seen.positions):
        if row.deal_id not in named:
            yield _listed(row, row.size, sure=False)
    for order in _new_orders(lost, seen.orders) if working else ():
        if order.deal_id not in named:
            yield _waiting(order, sure=False)
    for deal_id, rows in _histories(lost, seen, _ORDER if working else _POSITION):
        first = rows[0]
        if deal_id not in named and (first.epic, first.side) == (request.epic, request.side):
            yield Trace((deal_id,), (), first.level, first.size, sure=False, at=first.at)


def _listed(row: Position, size: Decimal | None, *, sure: bool = True) -> Trace:
    return Trace(
        (row.deal_id,), (row,), row.level, size, row.working_order_id, Ending.OPEN, sure, row.opened_at
    )


def _waiting(row: WorkingOrder, *, sure: bool = True) -> Trace:
    return Trace(
        (row.deal_id,),
        (row,),
        row.level,
        row.size,
        row.deal_id,
        Ending.WAITING,
        sure,
        row.created_at,
    )


def _fits_stop(request: OrderRequest) -> Callable[[Trace], bool]:
    stop = request.stop
    if stop is not None and stop.form is not LegForm.LEVEL:
        # Its level depends on the price that it was counted from.
        return lambda trace: any(row.stop_level is not None for row in trace.rows)
    level = stop.value if stop is not None else None
    return lambda trace: any(row.stop_level == level for row in trace.rows)


def _new_positions(lost: Lost, book: tuple[Position, ...]) -> Iterator[Position]:
    asked = _asked(lost)
    for row in book:
        if lost.known.isdisjoint({row.deal_id, row.working_order_id}) and misfit(asked, row) is None:
            yield row


def _new_orders(lost: Lost, waiting: tuple[WorkingOrder, ...]) -> Iterator[WorkingOrder]:
    asked = _asked(lost)
    for row in waiting:
        if row.deal_id not in lost.known and misfit(asked, row) is None:
            yield row


def _asked(lost: Lost) -> Asked:
    """Return the order as rows are held against it; of any size, for a person may have changed them since."""
    return Asked(lost.request.kind, lost.since + CLOCKS, lost.request, any_size=True)


def _market(lost: Lost, seen: Seen) -> list[Trace]:
    fits, maybe = _opened(lost, seen)
    fits += _opened_and_gone(lost, seen)
    fits = fits or _netted(lost, seen)
    named = {deal for trace in fits for deal in trace.deal_ids}
    found = fits + [trace for trace in maybe if named.isdisjoint(trace.deal_ids)]
    return found or _hidden_only(lost, seen)


def _opened(lost: Lost, seen: Seen) -> tuple[list[Trace], list[Trace]]:
    """Return the new positions that were opened with the order's size, and those that may have been."""
    size = lost.request.size
    openings = {deal_id: rows[0] for deal_id, rows in _histories(lost, seen, _POSITION)}
    ordered = {order_id: rows[0].size for order_id, rows in _histories(lost, seen, _ORDER)}
    # What a working order became is no market order: that one leaves no EXECUTED row.
    filled = {row.deal_id for row in seen.activity if row.type == _ORDER and row.status == "EXECUTED"}
    fits, maybe = [], []
    for row in _new_positions(lost, seen.positions):
        first = openings.get(row.deal_id)
        opened = first.size if first is not None and _is_opening(lost, first) else None
        if row.working_order_id in filled:
            continue
        if size == (row.size if opened is None else opened):
            fits.append(_listed(row, size))
        elif opened is None or _may_be_of(row, ordered, size):
            maybe.append(_listed(row, row.size, sure=False))
    return fits, maybe


def _may_be_of(row: Position, ordered: Mapping[str, Decimal | None], size: Decimal) -> bool:
    """Say whether a position that was opened with another size may come from an order of this size."""
    order_id = row.working_order_id
    return order_id is not None and ordered.get(order_id) in {None, size}


def _is_opening(lost: Lost, row: Activity) -> bool:
    return row.source not in _CLOSERS and row.status in _MADE and row.side in {None, lost.request.side}


def _opened_and_gone(lost: Lost, seen: Seen) -> Iterator[Trace]:
    """Find deals that were opened like the order and are in the list no longer, or not yet."""
    listed = {row.deal_id for row in seen.positions}
    for deal_id, rows in _histories(lost, seen, _POSITION):
        first = rows[0]
        if deal_id in listed or first.working_order_id is not None:
            continue
        if not _is_opening(lost, first) or not _fits(lost, first):
            continue
        closed = any(row.side is not None and row.side is not lost.request.side for row in rows[1:])
        sure = closed and None not in {first.size, first.level, first.side}
        yield Trace((deal_id,), (), first.level, first.size, None, Ending.CLOSED, sure, first.at)


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
    hidden = tuple(_hidden(lost, seen))
    # A position that is gone may have been closed by hand: then only the order's own row tells. One that is
    # smaller was reduced by an order (API page 9.4).
    shrunk = cut.keys() <= {row.deal_id for row in seen.positions}
    deals = (*(row.deal_id for row in opened), *cut)
    first = _first_cut(lost, seen, cut.keys())
    level = opened[0].level if opened else (first.level if first else None)
    sure = len(hidden) == 1 or (shrunk and not rest and not hidden)
    at = opened[0].opened_at if opened else (first.at if first else seen.at)
    return [
        Trace(deals, opened, level, lost.request.size, next(iter(hidden), None), Ending.REDUCED, sure, at)
    ]


def _first_cut(lost: Lost, seen: Seen, deals: Collection[str]) -> Activity | None:
    """Return the row that tells when and at which price the order reduced the first of these deals."""
    cuts = (
        row
        for row in reversed(seen.activity)
        if row.deal_id in deals and row.side is lost.request.side and row.at >= lost.since
    )
    return next(cuts, None)


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


def _hidden(lost: Lost, seen: Seen) -> dict[str, datetime]:
    """Return the orders like ours that were accepted at once, and when: market orders leave such rows."""
    waiting = {row.deal_id for row in seen.orders}
    return {
        order_id: rows[0].at
        for order_id, rows in _histories(lost, seen, _ORDER)
        if order_id not in waiting
        and _fits(lost, rows[0])
        and {row.status for row in rows} <= _MADE
        and rows[0].size is not None
    }


def _hidden_only(lost: Lost, seen: Seen) -> list[Trace]:
    """Return those orders where nothing else shows; a listed position that does not fit explains none."""
    return [
        Trace((), (), None, None, order_id, sure=False, at=at) for order_id, at in _hidden(lost, seen).items()
    ]


def _working(lost: Lost, seen: Seen) -> list[Trace]:
    histories = dict(_histories(lost, seen, _ORDER))
    found = list(_still_waiting(lost, seen, histories))
    waiting = {row.deal_id for row in seen.orders}
    found += [
        _ended(lost, seen, order_id, rows)
        for order_id, rows in histories.items()
        if order_id not in waiting and _fits(lost, rows[0]) and _is_made(lost, rows[0])
    ]
    # Its own rows may be late: until they tell, a new position may be what it became, whatever is left of it.
    found += [
        replace(_listed(row, row.size, sure=False), at=None)
        for row in _new_positions(lost, seen.positions)
        if row.working_order_id is not None and row.working_order_id not in histories
    ]
    return found


def _still_waiting(lost: Lost, seen: Seen, histories: Mapping[str, list[Activity]]) -> Iterator[Trace]:
    """Find waiting orders that were made like the order: a person may have moved them since."""
    trigger = lost.request.trigger
    asked = (lost.request.size, trigger.level if trigger else None)
    for row in _new_orders(lost, seen.orders):
        made = next(iter(histories.get(row.deal_id, ())), None)
        if made is None or made.status not in _MADE:
            yield _waiting(row, sure=(row.size, row.level) == asked)
        elif _fits(lost, made) and _is_made(lost, made):
            told = (made.size or row.size, made.level or row.level)
            yield _waiting(row, sure=told == asked)


def _is_made(lost: Lost, row: Activity) -> bool:
    trigger = lost.request.trigger
    return row.status in _MADE and (row.level is None or (trigger is not None and row.level == trigger.level))


def _ended(lost: Lost, seen: Seen, order_id: str, rows: list[Activity]) -> Trace:
    """Tell what a working order that no longer waits became: a position (API page 9.6), or nothing."""
    complete, at = None not in {rows[0].size, rows[0].level, rows[0].side}, rows[0].at
    became = tuple(row for row in seen.positions if row.working_order_id == order_id)
    if became:
        deals = tuple(row.deal_id for row in became)
        size = lost.request.size
        return Trace(deals, became, became[0].level, size, order_id, Ending.FILLED, complete, at)
    last = rows[-1].status
    if last in _ENDED:
        return Trace((order_id,), (), None, None, order_id, _ENDED[last], complete, at)
    # A deal of the baseline may have been reduced by it (API page 9.4); one of another attempt is no trace.
    filled = [
        row
        for row in seen.activity
        if row.type == _POSITION
        and row.working_order_id == order_id
        and (row.deal_id not in lost.known or row.deal_id in lost.sizes)
    ]
    if not filled:
        return Trace((order_id,), (), None, None, order_id, sure=False, at=at)
    deals = tuple(dict.fromkeys(row.deal_id for row in filled))
    closed = complete and all(_is_closed(lost, seen, deal) for deal in deals)
    return Trace(
        deals, (), filled[0].level, lost.request.size, order_id, Ending.FILLED_AND_CLOSED, closed, at
    )


def _is_closed(lost: Lost, seen: Seen, deal_id: str) -> bool:
    return any(
        row.deal_id == deal_id and row.type == _POSITION and row.side is lost.request.side.opposite
        for row in seen.activity
    )


def _rejected(lost: Lost, seen: Seen) -> dict[str, datetime]:
    listed = {row.deal_id for row in seen.positions} | {row.deal_id for row in seen.orders}
    return {
        order_id: rows[0].at
        for order_id, rows in _histories(lost, seen, _ORDER)
        if order_id not in listed
        and {row.status for row in rows} == {"REJECTED"}
        and rows[0].size is not None
        and rows[0].side is not None
        and _fits(lost, rows[0])
    }


def _fits(lost: Lost, row: Activity) -> bool:
    """Say whether a row is of an order like ours; what a row does not say yet does not exclude it."""
    request = lost.request
    return row.epic == request.epic and row.side in {None, request.side} and row.size in {None, request.size}


def _histories(lost: Lost, seen: Seen, kind: str) -> Iterable[tuple[str, list[Activity]]]:
    """Return the rows of each deal that nobody accounts for, oldest first.

    An order that a known position came from is accounted for with it.
    """
    known = lost.known | {row.working_order_id for row in seen.positions if row.deal_id in lost.known}
    deals: dict[str, list[Activity]] = {}
    for row in reversed(seen.activity):
        if row.type == kind and row.at >= lost.since and row.deal_id and row.deal_id not in known:
            deals.setdefault(row.deal_id, []).append(row)
    return deals.items()
