"""Which deals may be the order whose answer was lost (order protocol, Reconcile). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from capcli.domain.account import Position, WorkingOrder
from capcli.domain.order import OrderRequest

_SLACK = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Lost:
    """An order without an answer. `sent_at` is the broker's clock; `known` are deals that others account for.

    `known` holds the ids of the baseline and of every other attempt, orders and positions alike.
    """

    request: OrderRequest
    sent_at: datetime
    known: frozenset[str]


def matching_positions(lost: Lost, book: tuple[Position, ...]) -> tuple[Position, ...]:
    """Return the new positions that the order may have become. Stops never exclude: one may be dropped."""
    request = lost.request
    return tuple(
        row
        for row in book
        if (row.epic, row.side, row.size) == (request.epic, request.side, request.size)
        and row.opened_at >= lost.sent_at - _SLACK
        and lost.known.isdisjoint({row.deal_id, row.working_order_id or row.deal_id})
    )


def reduced_positions(
    request: OrderRequest, sizes: Mapping[str, Decimal], book: tuple[Position, ...]
) -> tuple[Position, ...]:
    """Return the opposite positions that shrank by exactly the order's size, together (API page 9.4).

    `sizes` is the baseline. Rows that are gone do not count: that they were of this market is not known.
    """
    opposite = [
        row
        for row in book
        if row.epic == request.epic and row.side is not request.side and row.deal_id in sizes
    ]
    shrunk = tuple(row for row in opposite if row.size < sizes[row.deal_id])
    taken = sum((sizes[row.deal_id] - row.size for row in shrunk), Decimal(0))
    return shrunk if shrunk and taken == request.size else ()


def matching_orders(lost: Lost, waiting: tuple[WorkingOrder, ...]) -> tuple[WorkingOrder, ...]:
    """Return the new working orders that the order may have become."""
    request = lost.request
    level = request.trigger.level if request.trigger else None
    return tuple(
        row
        for row in waiting
        if (row.epic, row.side, row.size, row.level) == (request.epic, request.side, request.size, level)
        and row.created_at >= lost.sent_at - _SLACK
        and row.deal_id not in lost.known
    )
