"""What is open and what waits: positions with P&L, margin and distances, and working orders."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from capcli import ids
from capcli.domain.account import Account, Listed, OrderType, Position, UnreadableRow, WorkingOrder
from capcli.domain.levels import OwnLevel, own_levels
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import EXACT, FINE, cents, percent_of
from capcli.domain.notes import OrderNotes
from capcli.errors import DealUnknown, UnreadableAnswer
from capcli.fanout import together
from capcli.marketdata.conversion import rates_for
from capcli.ports import Broker, HaltSwitch
from capcli.reconcile.deal_account import active_account, name_account
from capcli.reply import Reply

_PCT = Decimal("0.01")


class PositionRow(Struct, frozen=True):
    """One open position. Prices, `pl` and `margin` in `currency`; distances in price units from now.

    `pl_account` is the P&L in account currency at the present rate, None where no market gives one. `pl_pct`
    is the P&L in percent of the position's value at its opening level. `note` and `tag` are those of the
    order that it came from, None where it was not sent from here.
    """

    deal_id: str
    epic: str
    name: str
    side: Side
    size: Decimal
    level: Decimal
    bid: Decimal | None
    offer: Decimal | None
    pl: Decimal
    currency: str
    pl_account: Decimal | None
    pl_pct: Decimal
    margin: Decimal | None
    leverage: Decimal | None
    stop_level: Decimal | None
    stop_distance: Decimal | None
    stop_distance_pct: Decimal | None
    limit_level: Decimal | None
    limit_distance: Decimal | None
    trailing: bool
    guaranteed: bool
    market_status: MarketStatus
    opened_at: datetime
    working_order_id: str | None
    note: str | None = None
    tag: str | None = None


class Totals(Struct, frozen=True):
    """Sums in account currency, each None where it cannot be known in that currency.

    Where a row or a rate is missing they are the broker's own figures for the account.
    """

    currency: str | None
    pl: Decimal | None
    margin: Decimal | None
    count: int


class PositionsFound(Struct, frozen=True):
    """The open positions of the active account; `halt` says since when and why new risk is halted.

    `unreadable` are open as well: the broker sends them in a form that cannot be read.
    """

    positions: tuple[PositionRow, ...]
    totals: Totals
    halt: str | None = None
    unreadable: tuple[UnreadableRow, ...] = ()


class OrderRow(Struct, frozen=True):
    """One working order. Levels in `currency`; `distance` is how far the market is from its level.

    `note` and `tag` are those that it was sent with, None where it was not sent from here.
    """

    deal_id: str
    epic: str
    name: str
    side: Side
    type: OrderType
    size: Decimal
    level: Decimal
    bid: Decimal | None
    offer: Decimal | None
    distance: Decimal | None
    currency: str
    stop_level: Decimal | None
    limit_level: Decimal | None
    trailing: bool
    guaranteed: bool
    good_till: datetime | None
    market_status: MarketStatus
    created_at: datetime
    note: str | None = None
    tag: str | None = None


class OrdersFound(Struct, frozen=True):
    """The working orders of the active account; `unreadable` wait as well."""

    orders: tuple[OrderRow, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class Portfolio:
    """Reads the book. One request; a book in several currencies takes one more, for all rates."""

    def __init__(
        self,
        broker: Broker,
        halt: HaltSwitch,
        opened_on: Callable[[str], str | None],
        notes_of: Callable[[Iterable[str]], Mapping[str, OrderNotes]],
    ) -> None:
        """`notes_of` returns what was kept with an order, by the deals and working orders that came of it."""
        self._broker = broker
        self._halt = halt
        self._opened_on = opened_on
        self._notes_of = notes_of

    def positions(self, deal_id: str | None = None) -> Reply[PositionsFound]:
        """Return all positions, or the one with this deal id. Raises DealUnknown."""
        if deal_id is None:
            book = self._broker.list_positions()
        else:
            book = Listed((self._position(ids.deal_id(deal_id)),))
        rates = rates_for(self._broker, book.rows)
        known = self._notes_of(name for row in book.rows for name in _names(row))
        rows = tuple(
            position_row(row, rates, next((known[name] for name in _names(row) if name in known), None))
            for row in book.rows
        )
        held = self._halt.read()
        totals = self._totals(rows, len(book.unreadable), rates, whole=deal_id is None)
        found = PositionsFound(rows, totals, held.words if held else None, book.unreadable)
        return Reply(found, self._broker.account_id)

    def _position(self, deal_id: str) -> Position:
        try:
            return self._broker.position(deal_id)
        except DealUnknown as error:
            name_account(error, self._broker, self._opened_on, deal_id, f"capcli positions {deal_id}")
            raise

    def _totals(
        self, rows: tuple[PositionRow, ...], unreadable: int, rates: Mapping[str, Decimal], *, whole: bool
    ) -> Totals:
        count, pls = len(rows) + unreadable, [row.pl_account for row in rows]
        known = [pl for pl in pls if pl is not None]
        if unreadable or len(known) < len(rows):
            account = self._figures() if whole else None
            if account is None:
                return Totals(self._broker.account_currency, None, None, count)
            return Totals(account.currency, account.open_pl, account.equity - account.available, count)
        margins = [EXACT.multiply(row.margin, rates[row.currency]) for row in rows if row.margin is not None]
        margin = cents(sum(margins, Decimal(0))) if len(margins) == len(rows) else None
        return Totals(self._broker.account_currency, sum(known, Decimal("0.00")), margin, count)

    def _figures(self) -> Account | None:
        """Return the broker's own figures of the active account, None where they cannot be read."""
        try:
            return active_account(self._broker.accounts(), self._broker.account_id or "")
        except UnreadableAnswer:
            return None

    def levels(self, epic: str) -> tuple[tuple[OwnLevel, ...], tuple[UnreadableRow, ...]]:
        """Return one's own levels in a market, and the deals that could not be read. Two requests."""
        positions, orders = together(self._broker.list_positions, self._broker.list_orders)
        found = own_levels(epic, positions.rows, orders.rows)
        return found, (*positions.unreadable, *orders.unreadable)

    def orders(self, deal_id: str | None = None) -> Reply[OrdersFound]:
        """Return all working orders, or the one with this deal id. Raises DealUnknown."""
        wanted = None if deal_id is None else ids.deal_id(deal_id)
        found = self._broker.list_orders()
        shown = [order for order in found.rows if wanted is None or order.deal_id == wanted]
        known = self._notes_of(order.deal_id for order in shown)
        rows = tuple(order_row(order, known.get(order.deal_id)) for order in shown)
        unreadable = tuple(row for row in found.unreadable if wanted in {None, row.deal_id})
        if wanted is not None and not (rows or unreadable):
            gone = DealUnknown(
                f"No working order has the deal id {wanted}. It may have been filled or cancelled.",
                next="capcli positions",
                deal_id=wanted,
            )
            name_account(gone, self._broker, self._opened_on, wanted, f"capcli orders {wanted}")
            raise gone
        return Reply(OrdersFound(rows, unreadable), self._broker.account_id)


def _names(position: Position) -> Iterator[str]:
    """Return what the journal may know a position by: itself, and the working order that opened it."""
    yield position.deal_id
    if position.working_order_id:
        yield position.working_order_id


def position_row(
    position: Position, rates: Mapping[str, Decimal], kept: OrderNotes | None = None
) -> PositionRow:
    """Turn a position into the row that is shown, with its distances from the price it closes at."""
    price, rate = position.closing_price, rates.get(position.currency)
    stop, limit = position.stop_level, position.limit_level
    stop_distance = _apart(price, stop)
    return PositionRow(
        deal_id=position.deal_id,
        epic=position.epic,
        name=position.name,
        side=position.side,
        size=position.size,
        level=position.level,
        bid=position.bid,
        offer=position.offer,
        pl=position.upl,
        currency=position.currency,
        pl_account=None if rate is None else cents(EXACT.multiply(position.upl, rate)),
        pl_pct=percent_of(position.upl, position.value_at_open, FINE),
        margin=_margin(position),
        leverage=position.leverage,
        stop_level=stop,
        stop_distance=stop_distance,
        stop_distance_pct=_percent(stop_distance, price),
        limit_level=limit,
        limit_distance=_apart(price, limit),
        trailing=position.trailing,
        guaranteed=position.guaranteed,
        market_status=position.market_status,
        opened_at=position.opened_at,
        working_order_id=position.working_order_id,
        note=kept.note if kept else None,
        tag=kept.tag if kept else None,
    )


def _margin(position: Position) -> Decimal | None:
    # API page 14.5: size x level x contractSize / leverage, in instrument currency.
    if not position.leverage:
        return None
    return cents(EXACT.divide(position.value_at_open, position.leverage))


def _apart(price: Decimal | None, level: Decimal | None) -> Decimal | None:
    return None if price is None or level is None else abs(price - level)


def _percent(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    if part is None or not whole:
        return None
    return (part * 100 / whole).quantize(_PCT, ROUND_HALF_EVEN, EXACT)


def order_row(order: WorkingOrder, kept: OrderNotes | None = None) -> OrderRow:
    """Turn a working order into the row that is shown."""
    price = order.offer if order.side is Side.BUY else order.bid
    return OrderRow(
        deal_id=order.deal_id,
        epic=order.epic,
        name=order.name,
        side=order.side,
        type=order.type,
        size=order.size,
        level=order.level,
        bid=order.bid,
        offer=order.offer,
        distance=_apart(price, order.level),
        currency=order.currency,
        stop_level=order.stop_level,
        limit_level=order.limit_level,
        trailing=order.trailing,
        guaranteed=order.guaranteed,
        good_till=order.good_till,
        market_status=order.market_status,
        created_at=order.created_at,
        note=kept.note if kept else None,
        tag=kept.tag if kept else None,
    )
