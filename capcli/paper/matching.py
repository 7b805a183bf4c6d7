"""Trades: netting against open rows oldest first, opening, closing and booking the result (API page 9.4).

A hedging account nets nothing: its opposite rows stand side by side.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from msgspec import convert
from msgspec.structs import asdict, replace

from capcli.paper import book, money, overnight, records
from capcli.paper.book import TRADE, Entry, ExitOrders, Position
from capcli.paper.context import Context
from capcli.paper.preferences import hedges, leverage_of
from capcli.paper.records import Affected, Trade, deal_of
from capcli.paper.scheduler import arm

# Words of the broker's open set (API pages 7, 18.6). RISK_CHECK: the account was short of margin
# before the order; RC_NOT_ENOUGH_MARGIN: the order would make it so.
NO_FUNDS, RISK_CHECK, STOP_REFUSED = "RC_NOT_ENOUGH_MARGIN", "RISK_CHECK", "HEDGING_MODE_GSL"


class Rejected(Exception):
    """Rolls back the savepoint and becomes a rejected confirm; the reason is one of the broker's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@contextmanager
def attempt(context: Context, account_id: str) -> Iterator[None]:
    """A rejected order is rolled back; the reason depends on the margin before it."""
    context.db.execute("SAVEPOINT attempt")
    try:
        yield
    except Rejected as rejected:
        context.db.execute("ROLLBACK TO attempt")
        if rejected.reason == NO_FUNDS and _is_short(context, account_id):
            raise Rejected(RISK_CHECK) from None
        raise
    finally:
        context.db.execute("RELEASE attempt")


def execute(context: Context, trade: Trade) -> Sequence[Affected]:
    """Net first, open the rest; only new risk needs margin."""
    hedging, rest = hedges(context.db, trade.account_id), trade.size
    if hedging and trade.guaranteed:
        raise Rejected(STOP_REFUSED)
    affected: list[Affected] = []
    side = (trade.account_id, trade.epic, trade.direction)
    while not hedging and rest and (row := book.oldest_against(context.db, *side)):
        part = min(rest, row.size)
        affected.append(close(context, row, part, trade.level, "USER"))
        rest -= part
    if rest:
        exits = asdict(ExitOrders()) if trade.is_fill and affected else {}
        affected.append(_open(context, replace(trade, size=rest, **exits)))
        if _is_short(context, trade.account_id):
            raise Rejected(NO_FUNDS)
    return affected


def _is_short(context: Context, account_id: str) -> bool:
    return money.figures(context, book.owner(context.db, account_id)).available < 0


def _open(context: Context, trade: Trade) -> Affected:
    facts = {
        "deal_id": records.new_deal_id(context, trade.account_id),
        "order_id": trade.deal_id,
        "leverage": leverage_of(context.db, trade.account_id, context.markets[trade.epic]),
        "created_ms": context.now,
        "trail_since": context.second,
    }
    position = convert({**asdict(trade), **facts}, Position)
    book.save(context.db, position)
    book.watch_margin(context.db, position.account_id, context.second)
    overnight.expect(context)
    arm(context, position, context.second + 1)
    affected = Affected(position.deal_id, "OPENED")
    deal = deal_of(position, position.reference)
    records.confirm(context, deal, "OPEN", (affected,))
    deal = replace(deal, filled=trade.deal_id if trade.is_fill else None)
    records.activity(context, deal, kind="POSITION", source="USER", status="ACCEPTED")
    return affected


def close(context: Context, position: Position, size: Decimal, price: Decimal, source: str) -> Affected:
    """All or part of one row; the remainder keeps its deal id, level, stop and profit."""
    owner = book.owner(context.db, position.account_id)
    gain = money.converted(context, position.epic, money.profit(position, price, size), owner)
    booked = money.cents(gain), owner.currency
    entry = (owner.account_id, context.now, TRADE, "Trade closed", booked[0], position.epic, position.deal_id)
    book.post(context.db, Entry(*entry))
    direction = book.opposite(position.direction)
    facts = {"direction": direction, "size": size, "level": price, "booked": booked}
    deal = deal_of(position, position.reference, **facts)
    records.activity(context, deal, kind="POSITION", source=source, status="ACCEPTED")
    book.reduce_position(context.db, position, size)
    part, status = ("PARTIALLY_CLOSED",) * 2 if size < position.size else ("FULLY_CLOSED", "CLOSED")
    affected = Affected(position.deal_id, part, booked)
    records.confirm(context, deal, status, (affected,))
    return affected
