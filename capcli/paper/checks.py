"""Checks that positions and working orders share before anything is accepted."""

from decimal import Decimal

from capcli.paper import book, faults, limits
from capcli.paper.active_faults import peek, spend, strike
from capcli.paper.book import Account
from capcli.paper.catalogue import Market
from capcli.paper.context import Call
from capcli.paper.messages import Refusal
from capcli.paper.preferences import hedges
from capcli.paper.wire import Bracket, NewPosition, plain


def pace(call: Call) -> None:
    """Opening requests have limits of their own, counted jointly (API page 3)."""
    if call.context.settings.limits:
        limits.spend(call.context.db, call.context.at, limits.ORDERS, limits.ORDERS_AN_HOUR)


def market(call: Call, body: NewPosition) -> Market:
    if not body.epic:
        raise Refusal(400, "error.null.epic")
    if found := call.context.markets.get(body.epic):
        return found
    raise Refusal(400, "error.invalid.epic")


def direction(body: NewPosition) -> str:
    if body.direction is None:
        raise Refusal(400, "error.null.direction")
    if body.direction not in (book.BUY, book.SELL):
        raise Refusal(400, "error.invalid.direction")
    return body.direction


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


def guarantees(call: Call) -> bool:
    """Hedging accounts have no guaranteed stops (API page 9.4)."""
    return not hedges(call.context.db, call.account_id)


def guarantee_demanded(call: Call, bracket: Bracket) -> None:
    """Some accounts take nothing without a guaranteed stop, and want it restated (API page 4.2, sic)."""
    fault = peek(call.context, faults.STOP_DEMANDED)
    if fault and bracket.guaranteedStop is not True:
        spend(call.context, fault)
        raise Refusal(400, "error.vallidation.guaranteed-stop-loss.required")


def say_closed(call: Call, market: Market) -> None:
    """Both answers of a closed market were seen (API page 15): this one while its fault is set."""
    if strike(call.context, faults.CLOSED_TEXT):
        raise Refusal(400, f"{market.name} is currently closed for trading.")


def owner(call: Call) -> Account:
    return book.owner(call.context.db, call.account_id)
