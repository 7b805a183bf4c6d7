"""Catching up: everything that fell due since the last request happens, in time order, for all accounts."""

from capcli.paper import book, records
from capcli.paper.alarms import EXPIRED, Event, arm, next_event
from capcli.paper.book import Order, Position
from capcli.paper.catalogue import MARKETS
from capcli.paper.dealing import Trade, Unaffordable, attempt, close, execute
from capcli.paper.desk import Desk
from capcli.paper.records import Deal


def is_due(desk: Desk) -> bool:
    return book.next_alarm(desk.db, desk.second) is not None


def settle(desk: Desk) -> None:
    """Inside a write transaction; a second call at the same instant finds nothing."""
    while alarm := book.next_alarm(desk.db, desk.second):
        deal_id, since, wake = alarm
        deal = book.position(desk.db, deal_id) or book.order(desk.db, deal_id)
        if deal is None:
            book.drop_alarm(desk.db, deal_id)
        elif event := next_event(desk, deal, since, wake):
            _happen(desk.moved_to(event.second), deal, event)
        else:
            arm(desk, deal, wake + 1)


def _happen(desk: Desk, deal: Position | Order, event: Event) -> None:
    if isinstance(deal, Position):
        close(desk, deal, deal.size, event.price, event.cause)
    elif event.cause == EXPIRED:
        book.drop_order(desk.db, deal.deal_id)
        records.activity(desk, order_deal(deal), kind="WORKING_ORDER", source="SYSTEM", status="EXPIRED")
    else:
        _fill(desk, deal, event)


def _fill(desk: Desk, order: Order, event: Event) -> None:
    """The position gets a new id, and none of the order's legs where it netted (API pages 9.4, 9.6)."""
    book.drop_order(desk.db, order.deal_id)
    market = MARKETS[order.epic]
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
        with attempt(desk):
            execute(desk, trade)
    except Unaffordable:
        records.activity(desk, order_deal(order), kind="WORKING_ORDER", source="SYSTEM", status="REJECTED")
    else:
        records.activity(desk, order_deal(order), kind="WORKING_ORDER", source="USER", status="EXECUTED")


def order_deal(order: Order, reference: str | None = None) -> Deal:
    """A working order as confirms and activity show it."""
    return Deal(
        order.account_id,
        order.epic,
        order.deal_id,
        reference or f"o_{order.deal_id}",
        order.direction,
        order.size,
        order.level,
        order.guaranteed,
        order.trail is not None,
    )
