"""Catching up: everything that fell due since the last request happens, in time order, for all accounts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from capcli.paper import book, closeout, overnight, records
from capcli.paper.book import Alarm, Order, Position
from capcli.paper.context import Desk
from capcli.paper.matching import Rejected, Trade, attempt, close, execute
from capcli.paper.records import Deal
from capcli.paper.scheduler import EXPIRED, Event, arm, next_event
from capcli.paper.store import DEAL, FEE, MARGIN


def is_due(desk: Desk) -> bool:
    return book.next_alarm(desk.db, desk.second) is not None


def settle(desk: Desk) -> None:
    """Inside a write transaction; a second call at the same instant finds nothing."""
    while alarm := book.next_alarm(desk.db, desk.second):
        _RINGS[alarm.rank](desk, alarm)


def _look(desk: Desk, alarm: Alarm) -> None:
    """At a deal."""
    deal = book.position(desk.db, alarm.name) or book.order(desk.db, alarm.name)
    if deal is None:
        book.drop_alarm(desk.db, alarm.name)
    elif event := next_event(desk, deal, alarm.since, alarm.wake):
        _happen(desk.moved_to(event.second), deal, event)
    else:
        arm(desk, deal, alarm.wake + 1)


def _happen(desk: Desk, deal: Position | Order, event: Event) -> None:
    if isinstance(deal, Position):
        close(desk, deal, deal.size, event.price, event.cause)
    elif event.cause == EXPIRED:
        book.drop_order(desk.db, deal.deal_id)
        _tell(desk, deal, "SYSTEM", "EXPIRED")
    else:
        _fill(desk, deal, event)


def _fill(desk: Desk, order: Order, event: Event) -> None:
    """The position gets a new id, and none of the order's legs where it netted (API pages 9.4, 9.6)."""
    book.drop_order(desk.db, order.deal_id)
    market = desk.markets[order.epic]
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
        with attempt(desk, trade.account_id):
            execute(desk, trade)
    except Rejected:
        _tell(desk, order, "SYSTEM", "REJECTED")
    else:
        _tell(desk, order, "USER", "EXECUTED")


def _tell(desk: Desk, order: Order, source: str, status: str) -> None:
    """No request did this, so the row names the reference of the one that made the order (API page 10.1)."""
    deal = order_deal(order, records.creating_reference(desk, order))
    records.activity(desk, deal, kind="WORKING_ORDER", source=source, status=status)


_RINGS: Mapping[int, Callable[[Desk, Alarm], None]] = MappingProxyType(
    {DEAL: _look, FEE: overnight.charge, MARGIN: closeout.look}
)


def order_deal(order: Order, reference: str) -> Deal:
    """A working order as confirms and activity show it."""
    return Deal(
        order.account_id,
        order.epic,
        order.deal_id,
        reference,
        order.direction,
        order.size,
        order.level,
        order.guaranteed,
        order.trail is not None,
    )
