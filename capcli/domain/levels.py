"""The trader's own levels in a market: entries, stops, limits and working orders."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from capcli.domain.account import Position, WorkingOrder


class OwnLevel(Struct, frozen=True):
    """One of the trader's levels: `name` is entry, stop, limit or order (a working order's level)."""

    name: str
    level: Decimal
    deal_id: str


def own_levels(
    epic: str, positions: Iterable[Position], orders: Iterable[WorkingOrder]
) -> tuple[OwnLevel, ...]:
    """Return the levels of the positions and working orders in a market."""
    found = [
        (name, level, row.deal_id)
        for row in positions
        if row.epic == epic
        for name, level in (("entry", row.level), ("stop", row.stop_level), ("limit", row.limit_level))
    ]
    found += [("order", row.level, row.deal_id) for row in orders if row.epic == epic]
    return tuple(OwnLevel(name, level, deal) for name, level, deal in found if level is not None)
