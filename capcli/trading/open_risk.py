"""Open risk beside a new order: the book, orders in flight, and the day's result so far."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from capcli.domain.account import Activity, Position, Transaction, WorkingOrder
from capcli.domain.attempt import AttemptRecord
from capcli.domain.bookings import realised
from capcli.domain.check_input import OpenRisk
from capcli.domain.effect import Effect, gain
from capcli.domain.market import Market, Side
from capcli.domain.order import Kind, OrderRequest
from capcli.domain.sizing import Figures
from capcli.domain.stored_order import StoredOrder, read_baseline, read_order
from capcli.ports.journal import Journal

Deal = Position | WorkingOrder

_ORDERS = frozenset({Kind.MARKET, Kind.WORKING})
_SLACK = timedelta(seconds=2)


class InFlightOrder(Struct, frozen=True):
    """An order of ours that may be at the broker and is in no list yet."""

    attempt: AttemptRecord
    order: StoredOrder


class Book(Struct, frozen=True):
    """Open positions, working orders, and orders in flight."""

    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    flights: tuple[InFlightOrder, ...] = ()

    @property
    def deals(self) -> tuple[Deal, ...]:
        return (*self.positions, *self.orders)

    def epics(self, kind: Kind) -> tuple[str, ...]:
        """Return the epics of all current and coming positions (MARKET) or working orders (WORKING)."""
        there: tuple[Deal, ...] = self.positions if kind is Kind.MARKET else self.orders
        flying = (one.order.request.epic for one in self.flights if one.attempt.kind is kind)
        return (*(row.epic for row in there), *flying)


def in_flight_orders(
    journal: Journal,
    place: tuple[str, str, str],
    positions: tuple[Position, ...],
    orders: tuple[WorkingOrder, ...],
) -> tuple[InFlightOrder, ...]:
    """Return the unsettled orders of an account (env, host, account) that the book does not show yet.

    Each deal in the book stands for one of them at most, by its ids, else by being new and equal.
    """
    left = {row.deal_id: row for row in Book(positions, orders).deals}
    found = []
    for attempt in journal.unresolved(*place):
        preview = journal.preview(attempt.preview_id) if attempt.preview_id else None
        if attempt.kind not in _ORDERS or preview is None:
            continue
        flight = InFlightOrder(attempt, read_order(preview.document))
        seen = next((deal_id for deal_id, row in left.items() if _is(row, flight)), None)
        if seen is None:
            found.append(flight)
        else:
            del left[seen]
    return tuple(found)


def _is(row: Deal, flight: InFlightOrder) -> bool:
    attempt, request = flight.attempt, flight.order.request
    origin = row.working_order_id if isinstance(row, Position) else None
    if row.deal_id in attempt.deal_ids or (attempt.order_id or "-") in {row.deal_id, origin}:
        return True
    equal = (row.epic, row.side, row.size) == (request.epic, request.side, request.size)
    return equal and row.deal_id not in read_baseline(attempt.baseline)


def open_risk(
    book: Book, request: OrderRequest, figures: Figures, bookings: Iterable[Transaction], apart: str | None
) -> OpenRisk:
    """Calculate the open risk beside an order; `apart` is the deal to leave out."""
    losses = tuple(losses_in(book, request.epic, request.side, apart))
    bare = next((name for name, loss in losses if loss is None), None)
    sizes = [row.size * row.level for row in book.orders if row.epic == request.epic and row.deal_id != apart]
    sizes += [each.order.request.size * each.order.entry for each in book.flights]
    factor = (figures.margin_pct or Decimal(0)) * figures.conversion_rate / 100
    margin, unpriced = sum(sizes, Decimal(0)) * factor, None
    # The margin of an order in flight in another market is unknown.
    if other := next((each for each in book.flights if each.order.request.epic != request.epic), None):
        margin = Decimal(0)
        unpriced = f"{other.attempt.attempt_id}, an order in {other.order.request.epic} on its way"
    return OpenRisk(
        risk=sum((loss for _, loss in losses if loss is not None), Decimal(0)) * figures.conversion_rate,
        unprotected=bare,
        margin=margin,
        unpriced=unpriced,
        realised=realised(bookings),
    )


def total_at_stops(
    book: Book, market: Market | None, rates: Mapping[str, Decimal], effect: Effect | None, apart: str | None
) -> tuple[Decimal, str | None]:
    """Return the loss of all other deals at their stops, in account currency, and a deal with unlimited loss.

    What an order closes counts no more. The loss is unknown of a deal in a currency without a rate, and of an
    order that is on its way in another market than this one.
    """
    closed = {deal.deal_id: deal.closed for deal in effect.deals} if effect else {}
    total = Decimal(0)
    for row in book.deals:
        units = _units(row) - closed.get(row.deal_id, Decimal(0)) * _contract(row)
        if row.deal_id == apart or not units:
            continue
        loss, rate = loss_at(row.stop_level, row.level, units, row.side), rates.get(row.currency)
        if loss is None or rate is None:
            return total, row.deal_id
        total += loss * rate
    for flight in book.flights:
        order, request = flight.order, flight.order.request
        loss = loss_at(order.stop_level, order.entry, request.size, request.side)
        if loss is None or market is None or request.epic != market.epic:
            return total, flight.attempt.attempt_id
        total += loss * rates[market.currency]
    return total, None


def _units(row: Deal) -> Decimal:
    return row.size * _contract(row)


def _contract(row: Deal) -> Decimal:
    return row.contract_size if isinstance(row, Position) else Decimal(1)


def losses_in(book: Book, epic: str, side: Side, apart: str | None) -> Iterator[tuple[str, Decimal | None]]:
    """Return everything in one market and direction, with its loss at stop in the instrument's currency."""
    for row in book.deals:
        if (row.epic, row.side) == (epic, side) and row.deal_id != apart:
            yield row.deal_id, loss_at(row.stop_level, row.level, _units(row), side)
    for flight in book.flights:
        request, order = flight.order.request, flight.order
        if (request.epic, request.side) == (epic, side):
            yield flight.attempt.attempt_id, loss_at(order.stop_level, order.entry, request.size, side)


def loss_at(stop: Decimal | None, level: Decimal, units: Decimal, side: Side) -> Decimal | None:
    """Return the loss at a stop, in the instrument's currency; 0 for a stop in gain, None without one."""
    if stop is None:
        return None
    distance = level - stop if side is Side.BUY else stop - level
    return max(distance, Decimal(0)) * units


def result_at(
    deal: Deal, level: Decimal | None, rate: Decimal, entry: Decimal | None = None
) -> Decimal | None:
    """Return a deal's result at a level, in account currency (`rate`: for one of its own).

    An order counts as filled at `entry`, or at its level.
    """
    if level is None:
        return None
    if isinstance(deal, Position):
        return gain(deal, level, deal.size) * rate
    moved = level - (deal.level if entry is None else entry)
    return (moved if deal.side is Side.BUY else -moved) * deal.size * rate


def lost(result: Decimal | None) -> Decimal | None:
    """Return the loss of a result at a stop: 0 for a gain, None without a stop."""
    return None if result is None else max(-result, Decimal(0))


def orders_on(midnight: datetime, sent: Iterable[AttemptRecord]) -> list[AttemptRecord]:
    """Return our own orders of a UTC day by the broker's clock, if known, else by ours."""
    orders = (attempt for attempt in sent if attempt.kind in _ORDERS)
    return [
        attempt
        for attempt in orders
        if (attempt.broker_time_at_send or attempt.sent_at or attempt.created_at) >= midnight
    ]


def foreign_orders(
    rows: Iterable[Activity], ours: Iterable[AttemptRecord], journal: Journal
) -> dict[str, Activity]:
    """Return the orders that were not ours, by id.

    Every order leaves a WORKING_ORDER/USER row on its order id, a market order too (API page 9.1). Ours are
    known by order id, deal id or reference; one whose answer was lost, by an equal row since it was sent.
    """
    ours = tuple(ours)
    known = {deal for each in ours for deal in (each.order_id, *each.deal_ids) if deal}
    references = {each.deal_reference for each in ours if each.deal_reference}
    found = {
        row.deal_id: row
        for row in rows
        if row.type == "WORKING_ORDER"
        and row.source == "USER"
        and row.status in {"ACCEPTED", "CREATED"}
        and row.deal_id not in known
        and row.deal_reference not in references
    }
    for attempt in ours:
        preview = journal.preview(attempt.preview_id or "") if attempt.kind.is_order else None
        sent = attempt.broker_time_at_send or attempt.sent_at
        if attempt.order_id is not None or attempt.deal_ids or preview is None or sent is None:
            continue
        request = read_order(preview.document).request
        wanted = (request.epic, request.side, request.size)
        equal = [
            deal_id
            for deal_id, row in found.items()
            if (row.epic, row.side, row.size) == wanted and row.at >= sent - _SLACK
        ]
        if equal:
            del found[equal[0]]
    return found
