"""Checks that positions and working orders share before anything is accepted."""

from collections.abc import Collection
from decimal import Decimal

from capcli.paper import faults, limits
from capcli.paper.active_faults import strike
from capcli.paper.catalogue import Market
from capcli.paper.context import Call
from capcli.paper.messages import Refusal
from capcli.paper.wire import NewPosition, plain


def pace(call: Call) -> None:
    """Opening requests have their own limits, counted together (API page 3)."""
    if call.context.settings.limits:
        limits.spend(call.context.db, call.context.at, limits.ORDERS, limits.ORDERS_AN_HOUR)


def market(call: Call, body: NewPosition) -> Market:
    if not body.epic:
        raise Refusal(400, "error.null.epic")
    if found := call.context.markets.get(body.epic):
        return found
    raise Refusal(400, "error.invalid.epic")


def word(name: str, found: str | None, known: Collection[str]) -> str:
    """A field that must be one of some words."""
    if found is None:
        raise Refusal(400, f"error.null.{name}")
    if found not in known:
        raise Refusal(400, f"error.invalid.{name}")
    return found


def size(call: Call, body: NewPosition, rules: Market) -> Decimal:
    if body.size is None:
        raise Refusal(400, "error.null.size")
    if body.size < rules.min_size:
        raise Refusal(400, f"error.invalid.size.minvalue: {rules.min_size}")
    if body.size > rules.max_size:
        raise Refusal(400, f"error.invalid.size.maxvalue: {rules.max_size}")
    excess = body.size % rules.size_step
    if excess and not strike(call.context, faults.ROUND_SIZE):
        raise Refusal(400, "error.invalid.size")
    return plain(body.size - excess if excess else body.size)


def say_closed(call: Call, market: Market) -> None:
    """Two answers of a closed market were seen (API page 15): this one with its fault set."""
    if strike(call.context, faults.CLOSED_TEXT):
        raise Refusal(400, f"{market.name} is currently closed for trading.")
