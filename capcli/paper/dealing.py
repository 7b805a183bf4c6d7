"""Trades: netting against open rows oldest first, opening, closing and booking the result (API page 9.4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

from capcli.paper import book, ledger, money, records
from capcli.paper.alarms import arm
from capcli.paper.book import Account, Legs, Position
from capcli.paper.catalogue import MARKETS, Market
from capcli.paper.desk import Desk
from capcli.paper.ledger import TRADE, Entry
from capcli.paper.preferences import leverage_of
from capcli.paper.records import Affected, Deal


@dataclass(frozen=True, slots=True)
class Trade:
    account_id: str
    market: Market
    direction: str
    size: Decimal
    price: Decimal
    legs: Legs
    order_id: str
    guards_excess: bool = True  # whether what is left after netting gets the stop and profit
    announces_order: bool = False  # activity of the new row names the working order


class Unaffordable(Exception):
    """Undoes the savepoint and becomes a rejected confirm."""


@contextmanager
def attempt(desk: Desk) -> Iterator[None]:
    """On missing funds everything inside is undone."""
    desk.db.execute("SAVEPOINT attempt")
    try:
        yield
    except Unaffordable:
        desk.db.execute("ROLLBACK TO attempt")
        raise
    finally:
        desk.db.execute("RELEASE attempt")


def execute(desk: Desk, trade: Trade) -> tuple[Affected, ...]:
    """Nets first, opens what is left; only new risk has to be affordable."""
    affected, rest = _net(desk, trade)
    if rest:
        legs = trade.legs if trade.guards_excess or not affected else Legs()
        affected.append(_open(desk, replace(trade, size=rest, legs=legs)))
        _check_funds(desk, trade.account_id)
    return tuple(affected)


def _net(desk: Desk, trade: Trade) -> tuple[list[Affected], Decimal]:
    affected, rest = [], trade.size
    for row in book.positions_of(desk.db, trade.account_id):
        if rest and row.epic == trade.market.epic and row.direction != trade.direction:
            part = min(rest, row.size)
            affected.append(close(desk, row, part, trade.price, "USER"))
            rest -= part
    return affected, rest


def _open(desk: Desk, trade: Trade) -> Affected:
    position = Position(
        records.new_deal_id(desk, trade.account_id),
        trade.account_id,
        trade.market.epic,
        trade.direction,
        trade.size,
        trade.price,
        leverage_of(desk.db, trade.account_id, trade.market),
        trade.order_id,
        desk.now,
        trade.legs,
        desk.second,
    )
    book.save_position(desk.db, position)
    arm(desk, position, desk.second + 1)
    affected = Affected(position.deal_id, "OPENED")
    deal = records.deal_of(position)
    records.confirm(desk, deal, "OPEN", (affected,))
    deal = replace(deal, order_id=trade.order_id if trade.announces_order else None)
    records.activity(desk, deal, kind="POSITION", source="USER", status="ACCEPTED")
    return affected


def _check_funds(desk: Desk, account_id: str) -> None:
    if money.figures(desk, _owner(desk, account_id)).available < 0:
        raise Unaffordable


def close(desk: Desk, position: Position, size: Decimal, price: Decimal, source: str) -> Affected:
    """All or part of one row; the remainder keeps its deal id, level, stop and profit."""
    _book_profit(desk, position, size, price)
    deal = replace(
        records.deal_of(position), direction=book.opposite(position.direction), size=size, level=price
    )
    records.activity(desk, deal, kind="POSITION", source=source, status="ACCEPTED")
    if size < position.size:
        book.save_position(desk.db, replace(position, size=position.size - size))
        affected, status = Affected(position.deal_id, "PARTIALLY_CLOSED"), "PARTIALLY_CLOSED"
    else:
        book.drop_position(desk.db, position.deal_id)
        affected, status = Affected(position.deal_id, "FULLY_CLOSED"), "CLOSED"
    records.confirm(desk, deal, status, (affected,))
    return affected


def _book_profit(desk: Desk, position: Position, size: Decimal, price: Decimal) -> None:
    owner = _owner(desk, position.account_id)
    rate = money.rate(desk, MARKETS[position.epic].currency, owner.currency)
    amount = money.cents(money.profit(position, price, size) * rate)
    entry = Entry(owner.account_id, desk.now, TRADE, "Trade closed", amount, position.epic, position.deal_id)
    ledger.post(desk.db, entry)


def _owner(desk: Desk, account_id: str) -> Account:
    owner = book.account(desk.db, account_id)
    assert owner, "every deal belongs to an account of the same database"
    return owner


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
