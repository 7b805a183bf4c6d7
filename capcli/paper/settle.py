"""Catches up: runs everything due since the last request, in time order, for all accounts."""

from msgspec import convert
from msgspec.structs import asdict

from capcli.paper import book, closeout, overnight, records
from capcli.paper.book import Order, Position, ScheduledCheck
from capcli.paper.context import Context
from capcli.paper.matching import Rejected, attempt, close, execute
from capcli.paper.records import Trade
from capcli.paper.scheduler import EXPIRED, Event, arm, next_event
from capcli.paper.store import FEE, MARGIN


def is_due(context: Context) -> bool:
    return book.next_due(context.db, context.second) is not None


def settle(context: Context) -> None:
    """Inside a write transaction; a second call at the same instant finds nothing."""
    while due := book.next_due(context.db, context.second):
        if due.rank == FEE:
            overnight.charge(context, due)
        elif due.rank == MARGIN:
            closeout.check(context, due)
        else:
            _check_deal(context, due)


def _check_deal(context: Context, due: ScheduledCheck) -> None:
    deal = book.position(context.db, due.deal_id) or book.order(context.db, due.deal_id)
    if deal is None:
        book.drop_alarm(context.db, due.deal_id)
    elif event := next_event(context, deal, due.since_s, due.wake_s):
        then = context.moved_to(event.second)
        if isinstance(deal, Position):
            close(then, deal, deal.size, event.price, event.cause)
        else:
            _end_order(then, deal, event)
    else:
        arm(context, deal, due.wake_s + 1)


def _end_order(context: Context, order: Order, event: Event) -> None:
    """By expiry or a fill: its position has a new id, no exit orders where it netted (API pages 9.4, 9.6).

    No request did this, so the row has the reference of the order's own request (API page 10.1).
    """
    book.drop_order(context.db, order.deal_id)
    source, status = "SYSTEM", "EXPIRED"
    if event.cause != EXPIRED:
        facts = {**asdict(order), **asdict(order.exits), "level": event.price, "is_fill": True}
        try:
            with attempt(context, order.account_id):
                execute(context, convert(facts, Trade))
        except Rejected:
            status = "REJECTED"
        else:
            source, status = "USER", "EXECUTED"
    deal = records.deal_of(order, records.creating_reference(context, order))
    records.activity(context, deal, kind="WORKING_ORDER", source=source, status=status)
