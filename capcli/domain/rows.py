"""Rows of book and activity in the search for a lost order. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from capcli.domain.account import Activity, Position, WorkingOrder
from capcli.domain.candidates import Seen, UnconfirmedOrder
from capcli.domain.identity import CLOCKS, SentRequest, misfit

POSITION, ORDER = "POSITION", "WORKING_ORDER"
MADE = frozenset({"ACCEPTED", "CREATED"})
# Sources that only close positions (API page 7); an opening comes from a person or an order.
CLOSERS = frozenset({"SL", "TP", "CLOSE_OUT"})


def rows_by_deal(lost: UnconfirmedOrder, seen: Seen, kind: str) -> dict[str, list[Activity]]:
    """Return the rows of every deal since the send, oldest first."""
    deals: dict[str, list[Activity]] = {}
    for row in reversed(seen.activity):
        if row.type == kind and row.at >= lost.since and row.deal_id:
            deals.setdefault(row.deal_id, []).append(row)
    return deals


def unclaimed_rows(lost: UnconfirmedOrder, seen: Seen, kind: str) -> Iterable[tuple[str, list[Activity]]]:
    """Return the rows of deals that belong to no known deal or order, oldest first."""
    known = lost.known | {row.working_order_id for row in seen.positions if row.deal_id in lost.known}
    return [
        (deal_id, rows) for deal_id, rows in rows_by_deal(lost, seen, kind).items() if deal_id not in known
    ]


def order_rows(lost: UnconfirmedOrder, seen: Seen) -> list[Activity]:
    """Return the rows of orders of this market and side in the order's time, any size, none waiting."""
    request, waiting = lost.request, {row.deal_id for row in seen.orders}
    return [
        row
        for row in seen.activity
        if row.type == ORDER
        and row.deal_id not in waiting
        and (row.epic, row.side) == (request.epic, request.side)
        and row.status in MADE | {"EXECUTED"}
        and lost.window.holds(row.at)
    ]


def is_like_ours(lost: UnconfirmedOrder, row: Activity) -> bool:
    """Whether a row is of an order like ours; values still missing do not exclude it."""
    request = lost.request
    return row.epic == request.epic and row.side in {None, request.side} and row.size in {None, request.size}


def is_opening(lost: UnconfirmedOrder, row: Activity) -> bool:
    """Whether a deal's first row is an opening on the order's side."""
    return row.source not in CLOSERS and row.status in MADE and row.side in {None, lost.request.side}


def new_positions(lost: UnconfirmedOrder, book: tuple[Position, ...]) -> Iterator[Position]:
    """Yield unclaimed positions of this market and side since the send, of any size."""
    sent = _sent_request(lost)
    for row in book:
        if lost.known.isdisjoint({row.deal_id, row.working_order_id}) and misfit(sent, row) is None:
            yield row


def new_orders(lost: UnconfirmedOrder, waiting: tuple[WorkingOrder, ...]) -> Iterator[WorkingOrder]:
    """Yield unclaimed working orders of this market and side since the send."""
    sent = _sent_request(lost)
    for row in waiting:
        if row.deal_id not in lost.known and misfit(sent, row) is None:
            yield row


def _sent_request(lost: UnconfirmedOrder) -> SentRequest:
    """Return the order to compare rows with; of any size, since a person may have changed them."""
    return SentRequest(lost.request.kind, lost.since + CLOCKS, lost.request, any_size=True)


def hidden_orders(lost: UnconfirmedOrder, seen: Seen) -> dict[str, datetime]:
    """Return the orders like ours that were accepted at once, and when, as market orders are."""
    waiting = {row.deal_id for row in seen.orders}
    return {
        order_id: rows[0].at
        for order_id, rows in unclaimed_rows(lost, seen, ORDER)
        if order_id not in waiting
        and is_like_ours(lost, rows[0])
        and {row.status for row in rows} <= MADE
        and rows[0].size is not None
    }
