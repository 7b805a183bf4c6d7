"""What an opposite order took from the positions that were there, on an account that nets. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from capcli.domain.account import Position
from capcli.domain.order import OrderRequest


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
