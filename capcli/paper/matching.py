"""Trades: netting against open rows oldest first, opening, closing and booking the result (API page 9.4).

A hedging account nets nothing: its opposite rows stand side by side.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from capcli.paper import book, money, overnight, records
from capcli.paper.book import TRADE, Entry, ExitOrders, Position
from capcli.paper.catalogue import Market
from capcli.paper.context import Context
from capcli.paper.preferences import hedges, leverage_of
from capcli.paper.records import Affected, Deal
from capcli.paper.scheduler import arm

# Words of the broker's open set (API pages 7, 18.6). RISK_CHECK: the account was short of margin
# before the order; RC_NOT_ENOUGH_MARGIN: the order would make it so.
NO_FUNDS, RISK_CHECK, STOP_REFUSED = "RC_NOT_ENOUGH_MARGIN", "RISK_CHECK", "HEDGING_MODE_GSL"


class Trade(Struct, frozen=True):
    account_id: str
    market: Market
    direction: str
    size: Decimal
    price: Decimal
    legs: ExitOrders
    order_id: str
    guards_excess: bool = True  # whether what is left after netting gets the stop and profit
    announces_order: bool = False  # activity of the new row names the working order


class Rejected(Exception):
    """Undoes the savepoint and becomes a rejected confirm; the reason is one of the broker's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@contextmanager
def attempt(context: Context, account_id: str) -> Iterator[None]:
    """What is rejected is undone as a whole; who was short of margin before it is told so."""
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


def execute(context: Context, trade: Trade) -> tuple[Affected, ...]:
    """Nets first, opens what is left; only new risk has to be affordable."""
    hedging = hedges(context.db, trade.account_id)
    if hedging and trade.legs.guaranteed:
        raise Rejected(STOP_REFUSED)
    affected, rest = ([], trade.size) if hedging else _net(context, trade)
    if rest:
        legs = trade.legs if trade.guards_excess or not affected else ExitOrders()
        affected.append(_open(context, replace(trade, size=rest, legs=legs)))
        if _is_short(context, trade.account_id):
            raise Rejected(NO_FUNDS)
    return tuple(affected)


def _is_short(context: Context, account_id: str) -> bool:
    return money.figures(context, book.owner(context.db, account_id)).available < 0


def _net(context: Context, trade: Trade) -> tuple[list[Affected], Decimal]:
    affected, rest, side = [], trade.size, (trade.account_id, trade.market.epic, trade.direction)
    while rest and (row := book.oldest_against(context.db, *side)):
        part = min(rest, row.size)
        affected.append(close(context, row, part, trade.price, "USER"))
        rest -= part
    return affected, rest


def _open(context: Context, trade: Trade) -> Affected:
    position = Position(
        records.new_deal_id(context, trade.account_id),
        trade.account_id,
        trade.market.epic,
        trade.direction,
        trade.size,
        trade.price,
        leverage_of(context.db, trade.account_id, trade.market),
        trade.order_id,
        context.now,
        trade.legs,
        context.second,
    )
    book.add_position(context.db, position)
    book.watch_margin(context.db, position.account_id, context.second)
    overnight.expect(context)
    arm(context, position, context.second + 1)
    affected = Affected(position.deal_id, "OPENED")
    deal = records.deal_of(position)
    records.confirm(context, deal, "OPEN", (affected,))
    deal = replace(deal, order_id=trade.order_id if trade.announces_order else None)
    records.activity(context, deal, kind="POSITION", source="USER", status="ACCEPTED")
    return affected


def close(context: Context, position: Position, size: Decimal, price: Decimal, source: str) -> Affected:
    """All or part of one row; the remainder keeps its deal id, level, stop and profit."""
    booked = _book_profit(context, position, size, price)
    deal = replace(
        records.deal_of(position),
        direction=book.opposite(position.direction),
        size=size,
        level=price,
        profit=booked,
    )
    records.activity(context, deal, kind="POSITION", source=source, status="ACCEPTED")
    book.reduce_position(context.db, position, size)
    if size < position.size:
        affected, status = Affected(position.deal_id, "PARTIALLY_CLOSED", booked), "PARTIALLY_CLOSED"
    else:
        affected, status = Affected(position.deal_id, "FULLY_CLOSED", booked), "CLOSED"
    records.confirm(context, deal, status, (affected,))
    return affected


def _book_profit(context: Context, position: Position, size: Decimal, price: Decimal) -> tuple[Decimal, str]:
    owner = book.owner(context.db, position.account_id)
    gain = money.profit(position, price, size)
    amount = money.cents(money.converted(context, position.epic, gain, owner))
    entry = Entry(
        owner.account_id, context.now, TRADE, "Trade closed", amount, position.epic, position.deal_id
    )
    book.post(context.db, entry)
    return amount, owner.currency


def confirm_status(affected: tuple[Affected, ...]) -> str:
    """Of a POST that may have netted (API page 17)."""
    statuses = {row.status for row in affected}
    if "OPENED" in statuses:
        return "OPEN"
    return "PARTIALLY_CLOSED" if "PARTIALLY_CLOSED" in statuses else "CLOSED"


def hidden_order(trade: Trade, reference: str) -> Deal:
    """The hidden order of a market opening, as its confirm and activity show it."""
    return Deal(
        trade.account_id,
        trade.market.epic,
        trade.order_id,
        reference,
        trade.direction,
        trade.size,
        trade.price,
        trade.legs.guaranteed,
        trade.legs.trail is not None,
    )
