"""Stop and profit fields of a request, checked and turned into levels (API pages 4.2, 8.2, 9.5)."""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec import UNSET, Struct

from capcli.paper import faults, money
from capcli.paper.active_faults import peek, spend, strike
from capcli.paper.book import ExitOrders
from capcli.paper.catalogue import Market
from capcli.paper.context import Call
from capcli.paper.messages import Refusal
from capcli.paper.money import PERCENT
from capcli.paper.preferences import hedges
from capcli.paper.wire import Bracket, Number, given, plain


class Anchor(Struct, frozen=True):
    """The base of distances, amounts and bounds of one deal."""

    market: Market
    long: bool
    quote: Decimal  # the side that would close it: bounds are percent of it (API page 8.2)
    price: Decimal  # where distances and bounds start: the quote again, or the level of a working order
    entry: Decimal  # where the deal opens: money amounts count from here
    size: Decimal
    is_order: bool = False  # a distance may carry the sign with which orders list it
    banded: bool = True  # whether a dealing band may be tighter than the market's rule


def exits(call: Call, anchor: Anchor, bracket: Bracket) -> ExitOrders:
    """Return the stored form; refuses what breaks a rule of the market or account, or by a set fault."""
    context, kind = call.context, anchor.market.kind
    guaranteed, trailing = bracket.guaranteedStop is True, bracket.trailingStop is True
    # Some accounts require a guaranteed stop, restated in every amendment (API page 4.2, sic).
    if not guaranteed and (fault := peek(context, faults.STOP_DEMANDED)):
        spend(context.db, fault)
        raise Refusal(400, "error.vallidation.guaranteed-stop-loss.required")
    # The dealing band in percent, once it is tighter than the rules say (API page 8.2).
    band = strike(context, faults.BAND) if anchor.banded else None
    _check_flags(call, anchor, bracket)
    away = -1 if anchor.long else 1
    rate = money.rate(context, anchor.market.currency, call.owner.currency)
    stop = _level(anchor, away, rate, bracket.stops)
    profit = _level(anchor, -away, rate, bracket.profits)
    farthest = band.number if band else kind.max_stop
    if stop is not None:
        nearest = kind.guaranteed_stop if guaranteed else kind.min_stop
        _check(anchor, stop, "stoploss", away, (nearest, farthest))
    if profit is not None:
        _check(anchor, profit, "takeprofit", -away, (kind.min_stop, farthest))
    if stop is None or strike(context, faults.DROP_STOP):
        return ExitOrders(profit=profit)
    if trailing:
        return ExitOrders(profit=profit, trail=anchor.market.on_grid(abs(anchor.price - stop)))
    return ExitOrders(stop, profit, guaranteed)


def names_any(fields: Iterable[Number]) -> bool:
    """Whether the request names any of these fields, null included."""
    return any(field is not UNSET for field in fields)


def _check_flags(call: Call, anchor: Anchor, bracket: Bracket) -> None:
    """The codes are this simulator's own: the real ones are not documented (API page 17).

    Hedging accounts have no guaranteed stops (API page 9.4).
    """
    guaranteed, trailing = bracket.guaranteedStop is True, bracket.trailingStop is True
    stops = sum(map(given, bracket.stops))
    if stops > 1 or (guaranteed and trailing):
        raise Refusal(400, "error.validation.stop")
    if sum(map(given, bracket.profits)) > 1:
        raise Refusal(400, "error.validation.profit")
    if guaranteed and (not stops or hedges(call.context.db, call.account_id)):
        raise Refusal(400, "error.validation.guaranteed-stop")
    if trailing and (not given(bracket.stopDistance) or not anchor.market.kind.trailing):
        raise Refusal(400, "error.validation.trailing-stop")


def _level(anchor: Anchor, away: int, rate: Decimal, fields: Iterable[Number]) -> Decimal | None:
    """Always on the grid. A negative distance or amount points to the side where the bounds refuse it.

    Orders list what lies below them as negative, and a client may send that back (API page 6.5).
    Assumption: a level between two steps is put on the nearer one and not refused (API page 8.2).
    """
    level, distance, amount = fields
    if isinstance(level, Decimal):
        return anchor.market.taken(plain(level))
    if isinstance(distance, Decimal):
        length = abs(distance) if anchor.is_order and away < 0 else distance
        return anchor.market.on_grid(anchor.price + away * length)
    if isinstance(amount, Decimal):
        return anchor.market.on_grid(anchor.entry + away * amount / (anchor.size * rate))
    return None


def _check(anchor: Anchor, level: Decimal, name: str, away: int, percents: tuple[Decimal, Decimal]) -> None:
    """The number in the text is a price level, itself allowed (API page 4.2).

    Assumption: of a working order the rules count from its own level (API pages 6.5, 8.2). It may lie so far
    below the quote that the farther bound would be no price; it is the lowest price then.
    """
    market = anchor.market
    bounds = sorted(anchor.price + away * percent * PERCENT * anchor.quote for percent in percents)
    low = market.price(max(market.steps(bounds[0], ROUND_CEILING), 1))
    high = market.price(market.steps(bounds[1], ROUND_FLOOR))
    if level < low:
        raise Refusal(400, f"error.invalid.{name}.minvalue: {low}")
    if level > high:
        raise Refusal(400, f"error.invalid.{name}.maxvalue: {high}")
