"""Catching up: everything that fell due since the last request happens, in time order, for all accounts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from capcli.paper import book, closeout, overnight, records
from capcli.paper.book import Alarm, Order, Position
from capcli.paper.context import Context
from capcli.paper.matching import Rejected, Trade, attempt, close, execute
from capcli.paper.scheduler import EXPIRED, Event, arm, next_event
from capcli.paper.store import DEAL, FEE, MARGIN


def is_due(context: Context) -> bool:
    return book.next_alarm(context.db, context.second) is not None


def settle(context: Context) -> None:
    """Inside a write transaction; a second call at the same instant finds nothing."""
    while alarm := book.next_alarm(context.db, context.second):
        _RINGS[alarm.rank](context, alarm)


def _look(context: Context, alarm: Alarm) -> None:
    """At a deal."""
    deal = book.position(context.db, alarm.name) or book.order(context.db, alarm.name)
    if deal is None:
        book.drop_alarm(context.db, alarm.name)
    elif event := next_event(context, deal, alarm.since, alarm.wake):
        _happen(context.moved_to(event.second), deal, event)
    else:
        arm(context, deal, alarm.wake + 1)


def _happen(context: Context, deal: Position | Order, event: Event) -> None:
    if isinstance(deal, Position):
        close(context, deal, deal.size, event.price, event.cause)
    elif event.cause == EXPIRED:
        book.drop_order(context.db, deal.deal_id)
        _tell(context, deal, "SYSTEM", "EXPIRED")
    else:
        _fill(context, deal, event)


def _fill(context: Context, order: Order, event: Event) -> None:
    """The position gets a new id, and none of the order's legs where it netted (API pages 9.4, 9.6)."""
    book.drop_order(context.db, order.deal_id)
    market = context.markets[order.epic]
    trade = Trade(
        order.account_id,
        market,
        order.direction,
        order.size,
        event.price,
        order.legs,
        order.deal_id,
        guards_excess=False,
        announces_order=True,
    )
    try:
        with attempt(context, trade.account_id):
            execute(context, trade)
    except Rejected:
        _tell(context, order, "SYSTEM", "REJECTED")
    else:
        _tell(context, order, "USER", "EXECUTED")


def _tell(context: Context, order: Order, source: str, status: str) -> None:
    """No request did this, so the row names the reference of the one that made the order (API page 10.1)."""
    deal = records.order_deal(order, records.creating_reference(context, order))
    records.activity(context, deal, kind="WORKING_ORDER", source=source, status=status)


_RINGS: Mapping[int, Callable[[Context, Alarm], None]] = MappingProxyType(
    {DEAL: _look, FEE: overnight.charge, MARGIN: closeout.look}
)
