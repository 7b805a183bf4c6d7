"""Finds when a stop, profit, trigger or expiry is due, ahead on the price path, and schedules a check."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
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


def arm(context: Context, deal: Position | Order, since: int) -> None:
    """Schedule the deal's next event, or the end of the searched week."""
    if isinstance(deal, Position) and (deal.stop, deal.profit, deal.trail) == (None, None, None):
        book.drop_alarm(context.db, deal.deal_id)
        return
    until = since + WEEK
    event = next_event(context, deal, since, until)
    book.set_alarm(context.db, deal.deal_id, since, event.second if event else until)


def next_event(context: Context, deal: Position | Order, since: int, until: int) -> Event | None:
    """The deal's first event from `since` to `until`, both included."""
    if isinstance(deal, Order):
        return _order_event(context, deal, since, until)
    stop = _stop_event(context, deal, since, until)
    if deal.profit is None:
        return stop
    line = _Line(context.markets[deal.epic], deal.profit, not deal.long, rising=deal.long)
    return _crossing(context, line, PROFIT_HIT, since, stop.second - 1 if stop else until) or stop


def stop_level(context: Context, position: Position) -> Decimal | None:
    """The current stop level; a trailing one has followed the best quote since it was armed."""
    if position.trail is None:
        return position.stop
    best = context.markets[position.epic].price(_best_steps(context, position, context.second))
    return best - position.trail if position.long else best + position.trail


def _stop_event(context: Context, position: Position, since: int, until: int) -> Event | None:
    market, hurting = (
        context.markets[position.epic],
        not position.long,
    )  # for a short position, the rising offer
    if position.trail is not None:
        best = _best_steps(context, position, since - 1)
        barrier = Trailing(best, int(position.trail / market.step), rising=hurting)
        second = context.price_feed.crossing(market, barrier, since, until, offer=hurting)
        if second is None:
            return None
        level = stop_level(context.moved_to(second - 1), position)
        assert level is not None, "a trailing stop always has a level"
        return Event(second, STOP_HIT, _landing(context, _Line(market, level, hurting, hurting), second))
    if position.stop is None:
        return None
    event = _crossing(context, _Line(market, position.stop, hurting, hurting), STOP_HIT, since, until)
    return event._replace(price=position.stop) if event and position.guaranteed else event


def _order_event(context: Context, order: Order, since: int, until: int) -> Event | None:
    expiry = None if order.good_till_ms is None else order.good_till_ms // SECOND_MS
    rising = (order.type == "STOP") == order.long
    line = _Line(context.markets[order.epic], order.level, order.long, rising)
    last = until if expiry is None else min(until, expiry - 1)
    if event := _crossing(context, line, TRIGGERED, since, last):
        return event
    return Event(expiry, EXPIRED, order.level) if expiry is not None and expiry <= until else None


def _crossing(context: Context, line: _Line, cause: str, since: int, until: int) -> Event | None:
    level = line.market.steps(line.level, ROUND_CEILING if line.rising else ROUND_FLOOR)
    barrier = Fixed(level, line.rising)
    second = context.price_feed.crossing(line.market, barrier, since, until, offer=line.at_offer)
    return None if second is None else Event(second, cause, _landing(context, line, second))


def _landing(context: Context, line: _Line, second: int) -> Decimal:
    """The fill price: the level, or the first tick after a gap beyond it."""
    before, now = (context.moved_to(at).quote(line.market) for at in (second - 1, second))
    price = before.offer if line.at_offer else before.bid
    was_beyond = price >= line.level if line.rising else price <= line.level
    if context.price_feed.follows(line.market, second) and not was_beyond:
        return line.level
    return now.offer if line.at_offer else now.bid


def _best_steps(context: Context, position: Position, until: int) -> int:
    """The best price to close at from the second of arming on; while the market is closed, its last tick."""
    market = context.markets[position.epic]
    last = context.price_feed.last(market, position.trail_since)
    first = last.bid if position.long else last.offer
    bar = context.price_feed.so_far(market, position.trail_since, until, offer=not position.long)
    if bar is None:
        return first
    return max(first, bar.high) if position.long else min(first, bar.low)
