"""Open positions with P&L, margin and distances, and working orders."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from capcli import ids
from capcli.context import Context
from capcli.domain.account import Listed, OrderType, Position, UnreadableRow, WorkingOrder
from capcli.domain.fields import with_fields_of
from capcli.domain.levels import OwnLevel, own_levels
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import EXACT, FINE, cents, percent_of
from capcli.domain.notes import OrderNotes
from capcli.errors import DealUnknown, UnreadableAnswer
from capcli.fanout import together
from capcli.marketdata.conversion import rates_for
from capcli.reconcile.deal_account import active_account, name_account
from capcli.reply import Reply


class PositionRow(Struct, frozen=True):
    """One open position. Prices, `pl` and `margin` in `currency`; distances in price units from now.

    `pl_account` is the P&L in account currency, None without a rate; `pl_pct` in percent of the value at the
    opening level. `note` and `tag` are those of its order, None where it was not sent from here.
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
    """Sums in account currency, None where unknown; the broker's own where a row or a rate is missing."""

    currency: str | None
    pl: Decimal | None
    margin: Decimal | None
    count: int


class PositionsFound(Struct, frozen=True):
    """Open positions of the active account, `unreadable` ones too; `halt` says why new risk is halted."""

    positions: tuple[PositionRow, ...]
    totals: Totals
    halt: str | None = None
    unreadable: tuple[UnreadableRow, ...] = ()


class OrderRow(Struct, frozen=True):
    """One working order. Levels in `currency`; `distance` is from the market to its level.

    `note` and `tag` are None where it was not sent from here.
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
    """Reads positions and orders. One request; with several currencies one more, for all rates."""

    def __init__(
        self, context: Context, notes_of: Callable[[Iterable[str]], Mapping[str, OrderNotes]]
    ) -> None:
        """`notes_of` returns what was kept with an order, by the deals and working orders that came of it."""
        self._context = context
        self._broker = context.broker
        self._notes_of = notes_of

    def positions(self, deal_id: str | None = None) -> Reply[PositionsFound]:
        """Return all positions, or the one with this deal id. Raises DealUnknown."""
        if deal_id is None:
            book = self._broker.list_positions()
        else:
            deal_id = ids.deal_id(deal_id)
            try:
                book = Listed((self._broker.position(deal_id),))
            except DealUnknown as error:
                name_account(error, self._context, deal_id, f"capcli positions {deal_id}")
                raise
        rates = rates_for(self._broker, book.rows)
        known = self._notes_of(name for row in book.rows for name in _names(row))
        rows = tuple(
            position_row(row, rates, next((known[name] for name in _names(row) if name in known), None))
            for row in book.rows
        )
        halt = self._context.halt.read()
        totals = self._totals(rows, len(book.unreadable), rates, whole=deal_id is None)
        found = PositionsFound(rows, totals, halt.words if halt else None, book.unreadable)
        return Reply(found, self._broker.account_id)

    def _totals(
        self, rows: tuple[PositionRow, ...], unreadable: int, rates: Mapping[str, Decimal], *, whole: bool
    ) -> Totals:
        count, pls = len(rows) + unreadable, [row.pl_account for row in rows]
        known = [pl for pl in pls if pl is not None]
        if unreadable or len(known) < len(rows):
            # The broker's own figures, where they can be read.
            with suppress(UnreadableAnswer):
                if whole:
                    one = active_account(self._broker.accounts(), self._broker.account_id or "")
                    return Totals(one.currency, one.open_pl, one.equity - one.available, count)
            return Totals(self._broker.account_currency, None, None, count)
        margins = [EXACT.multiply(row.margin, rates[row.currency]) for row in rows if row.margin is not None]
        margin = cents(sum(margins, Decimal(0))) if len(margins) == len(rows) else None
        return Totals(self._broker.account_currency, sum(known, Decimal("0.00")), margin, count)

    def levels(self, epic: str) -> tuple[tuple[OwnLevel, ...], tuple[UnreadableRow, ...]]:
        """Return the user's own levels in a market, and the deals that could not be read. Two requests."""
        positions, orders = together(self._broker.list_positions, self._broker.list_orders)
        found = own_levels(epic, positions.rows, orders.rows)
        return found, (*positions.unreadable, *orders.unreadable)

    def orders(self, deal_id: str | None = None) -> Reply[OrdersFound]:
        """Return all working orders, or the one with this deal id. Raises DealUnknown."""
        wanted = None if deal_id is None else ids.deal_id(deal_id)
        found = self._broker.list_orders()
        waiting = [order for order in found.rows if wanted is None or order.deal_id == wanted]
        known = self._notes_of(order.deal_id for order in waiting)
        rows = tuple(order_row(order, known.get(order.deal_id)) for order in waiting)
        unreadable = tuple(row for row in found.unreadable if wanted in {None, row.deal_id})
        if wanted is not None and not (rows or unreadable):
            gone = DealUnknown(
                f"No working order has the deal id {wanted}. It may have been filled or cancelled.",
                next="capcli positions",
                deal_id=wanted,
            )
            name_account(gone, self._context, wanted, f"capcli orders {wanted}")
            raise gone
        return Reply(OrdersFound(rows, unreadable), self._broker.account_id)


def _names(position: Position) -> Iterator[str]:
    """Return the ids under which the journal may know a position: its own and its working order's."""
    yield position.deal_id
    if position.working_order_id:
        yield position.working_order_id


def position_row(
    position: Position, rates: Mapping[str, Decimal], kept: OrderNotes | None = None
) -> PositionRow:
    """Turn a position into the row that is shown, with its distances from the price it closes at."""
    price, rate = position.closing_price, rates.get(position.currency)
    stop_distance = _apart(price, position.stop_level)
    share = None
    if stop_distance is not None and price:
        share = (stop_distance * 100 / price).quantize(Decimal("0.01"), ROUND_HALF_EVEN, EXACT)
    # API page 14.5: size x level x contractSize / leverage, in instrument currency.
    margin = cents(EXACT.divide(position.value_at_open, position.leverage)) if position.leverage else None
    return with_fields_of(
        position,
        PositionRow,
        pl=position.upl,
        pl_account=None if rate is None else cents(EXACT.multiply(position.upl, rate)),
        pl_pct=percent_of(position.upl, position.value_at_open, FINE),
        margin=margin,
        stop_distance=stop_distance,
        stop_distance_pct=share,
        limit_distance=_apart(price, position.limit_level),
        note=kept.note if kept else None,
        tag=kept.tag if kept else None,
    )


def _apart(price: Decimal | None, level: Decimal | None) -> Decimal | None:
    return None if price is None or level is None else abs(price - level)


def order_row(order: WorkingOrder, kept: OrderNotes | None = None) -> OrderRow:
    """Turn a working order into the row that is shown."""
    price = order.offer if order.side is Side.BUY else order.bid
    return with_fields_of(
        order,
        OrderRow,
        distance=_apart(price, order.level),
        note=kept.note if kept else None,
        tag=kept.tag if kept else None,
    )
