"""Stop and profit fields of a request, checked and turned into levels (API pages 4.2, 8.2, 9.5)."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec import UNSET, Struct

from capcli.paper.book import ExitOrders
from capcli.paper.catalogue import Market
from capcli.paper.messages import Refusal
from capcli.paper.wire import Bracket, Number, given, plain

PERCENT = Decimal("0.01")


class Anchor(Struct, frozen=True):
    """What distances, amounts and bounds of one deal are measured from."""

    market: Market
    long: bool
    quote: Decimal  # the side that would close it: bounds are percent of it (API page 8.2)
    price: Decimal  # where distances and bounds start: the quote again, or the level of a working order
    entry: Decimal  # where the deal opens: money amounts count from here
    size: Decimal
    rate: Decimal  # instrument to account currency
    farthest: Decimal | None = None  # percent of the quote, where it is nearer than the market's rule
    guarantees: bool = True  # whether the account may have guaranteed stops
    signed: bool = False  # whether a distance may carry the sign with which orders list it


def resolve(anchor: Anchor, bracket: Bracket) -> ExitOrders:
    _check_flags(anchor, bracket)
    stop = _stop_level(anchor, bracket)
    profit = _profit_level(anchor, bracket)
    guaranteed = bracket.guaranteedStop is True
    if stop is not None:
        _check_stop(anchor, stop, guaranteed=guaranteed)
    if profit is not None:
        _check_profit(anchor, profit)
    if bracket.trailingStop is True and stop is not None:
        return ExitOrders(None, profit, trail=anchor.market.on_grid(abs(anchor.price - stop)))
    return ExitOrders(stop, profit, guaranteed)


def names_a_stop(bracket: Bracket) -> bool:
    """Also by a null."""
    return any(field is not UNSET for field in _stop_fields(bracket))


def names_a_profit(bracket: Bracket) -> bool:
    return any(field is not UNSET for field in _profit_fields(bracket))


def _stop_fields(bracket: Bracket) -> tuple[Number, Number, Number]:
    return bracket.stopLevel, bracket.stopDistance, bracket.stopAmount


def _profit_fields(bracket: Bracket) -> tuple[Number, Number, Number]:
    return bracket.profitLevel, bracket.profitDistance, bracket.profitAmount


def _check_flags(anchor: Anchor, bracket: Bracket) -> None:
    """The codes are this simulator's own: the real ones are not documented (API page 17)."""
    guaranteed, trailing = bracket.guaranteedStop is True, bracket.trailingStop is True
    stops = sum(map(given, _stop_fields(bracket)))
    if stops > 1 or (guaranteed and trailing):
        raise Refusal(400, "error.validation.stop")
    if sum(map(given, _profit_fields(bracket))) > 1:
        raise Refusal(400, "error.validation.profit")
    if guaranteed and not (stops and anchor.guarantees):
        raise Refusal(400, "error.validation.guaranteed-stop")
    if trailing and (not given(bracket.stopDistance) or not anchor.market.kind.trailing):
        raise Refusal(400, "error.validation.trailing-stop")


def _stop_level(anchor: Anchor, bracket: Bracket) -> Decimal | None:
    away = -1 if anchor.long else 1
    return _level(anchor, away, *_stop_fields(bracket))


def _profit_level(anchor: Anchor, bracket: Bracket) -> Decimal | None:
    away = 1 if anchor.long else -1
    return _level(anchor, away, *_profit_fields(bracket))


def _level(anchor: Anchor, away: int, level: Number, distance: Number, amount: Number) -> Decimal | None:
    """Always on the grid. A negative distance or amount points to the side where the bounds refuse it.

    Assumption: a level between two steps is put on the nearer one and not refused (API page 8.2).
    """
    if isinstance(level, Decimal):
        return anchor.market.taken(plain(level))
    if isinstance(distance, Decimal):
        return anchor.market.on_grid(anchor.price + away * _length(anchor, away, distance))
    if isinstance(amount, Decimal):
        return anchor.market.on_grid(anchor.entry + away * amount / (anchor.size * anchor.rate))
    return None


def _length(anchor: Anchor, away: int, distance: Decimal) -> Decimal:
    """Orders list what lies below them as negative, and a client may send that back (API page 6.5)."""
    return abs(distance) if anchor.signed and away < 0 else distance


def _check_stop(anchor: Anchor, stop: Decimal, *, guaranteed: bool) -> None:
    kind = anchor.market.kind
    nearest = kind.guaranteed_stop if guaranteed else kind.min_stop
    _check(anchor, stop, "stoploss", nearest, below=anchor.long)


def _check_profit(anchor: Anchor, profit: Decimal) -> None:
    _check(anchor, profit, "takeprofit", anchor.market.kind.min_stop, below=not anchor.long)


def _check(anchor: Anchor, level: Decimal, name: str, nearest: Decimal, *, below: bool) -> None:
    """The number in the text is a price level, itself allowed (API page 4.2).

    Assumption: of a working order the rules count from its own level (API pages 6.5, 8.2). It may lie so far
    below the quote that the farther bound would be no price; it is the lowest price then.
    """
    away = -1 if below else 1
    farthest = anchor.farthest or anchor.market.kind.max_stop
    bounds = sorted(anchor.price + away * part * PERCENT * anchor.quote for part in (nearest, farthest))
    step = anchor.market.step
    low = max((bounds[0] / step).to_integral_value(ROUND_CEILING) * step, step)
    high = (bounds[1] / step).to_integral_value(ROUND_FLOOR) * step
    if level < low:
        raise Refusal(400, f"error.invalid.{name}.minvalue: {low}")
    if level > high:
        raise Refusal(400, f"error.invalid.{name}.maxvalue: {high}")
