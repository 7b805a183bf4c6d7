"""When a stop, profit, trigger or expiry is due: found ahead on the price path and stored as an alarm."""

from decimal import Decimal
from typing import NamedTuple

from capcli.paper import book
from capcli.paper.book import Order, Position
from capcli.paper.catalogue import Market
from capcli.paper.context import Context
from capcli.paper.hours import WEEK
from capcli.paper.price_feed import Fixed, Trailing
from capcli.paper.times import SECOND_MS

STOP_HIT, PROFIT_HIT, TRIGGERED, EXPIRED = "SL", "TP", "TRIGGERED", "EXPIRED"


class Event(NamedTuple):
    second: int
    cause: str
    price: Decimal


class _Line(NamedTuple):
    """A price level on the side of the quote that reaches it."""

    market: Market
    level: Decimal
    at_offer: bool
    rising: bool

    @property
    def barrier(self) -> Fixed:
        """In steps of its side of the quote."""
        market = self.market
        return Fixed(
            market.steps_above(self.level) if self.rising else market.steps_below(self.level), self.rising
        )

    def price(self, context: Context, second: int) -> Decimal:
        quote = context.moved_to(second).quote(self.market)
        return quote.offer if self.at_offer else quote.bid

    def reached(self, price: Decimal) -> bool:
        return price >= self.level if self.rising else price <= self.level


def arm(context: Context, deal: Position | Order, since: int) -> None:
    """Sets the deal's alarm to its next event, or to the end of the searched week."""
    if isinstance(deal, Position) and not _guarded(deal):
        book.drop_alarm(context.db, deal.deal_id)
        return
    until = since + WEEK
    event = next_event(context, deal, since, until)
    book.set_alarm(context.db, deal.deal_id, since, event.second if event else until)


def next_event(context: Context, deal: Position | Order, since: int, until: int) -> Event | None:
    """What happens to the deal first from `since` to `until`, both included."""
    if isinstance(deal, Position):
        return _position_event(context, deal, since, until)
    return _order_event(context, deal, since, until)


def stop_level(context: Context, position: Position) -> Decimal | None:
    """Where the stop is now; a trailing one has followed the best quote since it was armed."""
    if position.legs.trail is None:
        return position.legs.stop
    best = _best(context, position, context.second)
    return best - position.legs.trail if position.long else best + position.legs.trail


def _guarded(position: Position) -> bool:
    legs = position.legs
    return legs.stop is not None or legs.profit is not None or legs.trail is not None


def _position_event(context: Context, position: Position, since: int, until: int) -> Event | None:
    stop = _stop_event(context, position, since, until)
    profit = _profit_event(context, position, since, stop.second - 1 if stop else until)
    return profit or stop


def _stop_event(context: Context, position: Position, since: int, until: int) -> Event | None:
    if position.legs.trail is not None:
        return _trailing_event(context, position, since, until)
    if position.legs.stop is None:
        return None
    line = _Line(
        context.markets[position.epic], position.legs.stop, not position.long, rising=not position.long
    )
    event = _crossing(context, line, STOP_HIT, since, until)
    return event._replace(price=line.level) if event and position.legs.guaranteed else event


def _profit_event(context: Context, position: Position, since: int, until: int) -> Event | None:
    if position.legs.profit is None:
        return None
    line = _Line(
        context.markets[position.epic], position.legs.profit, not position.long, rising=position.long
    )
    return _crossing(context, line, PROFIT_HIT, since, until)


def _trailing_event(context: Context, position: Position, since: int, until: int) -> Event | None:
    market, trail = context.markets[position.epic], position.legs.trail
    assert trail is not None, "only asked of trailing stops"
    best = _best_steps(context, position, since - 1)
    barrier = Trailing(best, int(trail / market.step), rising=not position.long)
    second = context.price_feed.crossing(market, barrier, since, until, offer=not position.long)
    if second is None:
        return None
    level = stop_level(context.moved_to(second - 1), position)
    assert level is not None, "a trailing stop always has a level"
    line = _Line(market, level, not position.long, rising=not position.long)
    return Event(second, STOP_HIT, _landing(context, line, second))


def _order_event(context: Context, order: Order, since: int, until: int) -> Event | None:
    expiry = None if order.good_till_ms is None else order.good_till_ms // SECOND_MS
    line = _Line(
        context.markets[order.epic], order.level, order.long, rising=(order.type == "STOP") == order.long
    )
    last = until if expiry is None else min(until, expiry - 1)
    if event := _crossing(context, line, TRIGGERED, since, last):
        return event
    return Event(expiry, EXPIRED, order.level) if expiry is not None and expiry <= until else None


def _crossing(context: Context, line: _Line, cause: str, since: int, until: int) -> Event | None:
    second = context.price_feed.crossing(line.market, line.barrier, since, until, offer=line.at_offer)
    return None if second is None else Event(second, cause, _landing(context, line, second))


def _landing(context: Context, line: _Line, second: int) -> Decimal:
    """The level itself, or the first tick when the price was beyond it before: a gap at the reopening."""
    if context.price_feed.follows(line.market, second) and not line.reached(line.price(context, second - 1)):
        return line.level
    return line.price(context, second)


def _best(context: Context, position: Position, until: int) -> Decimal:
    return context.markets[position.epic].price(_best_steps(context, position, until))


def _best_steps(context: Context, position: Position, until: int) -> int:
    """The best price to close at from the second of arming on; while the market is closed, its last tick."""
    market = context.markets[position.epic]
    last = context.price_feed.last(market, position.trail_since)
    first = last.bid if position.long else last.offer
    bar = context.price_feed.so_far(market, position.trail_since, until, offer=not position.long)
    if bar is None:
        return first
    return max(first, bar.high) if position.long else min(first, bar.low)
