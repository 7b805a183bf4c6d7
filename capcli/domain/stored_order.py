"""Orders as stored in the journal: JSON with every number as text, to keep its digits."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field
from msgspec.json import decode, encode
from msgspec.structs import asdict

from capcli.domain.account import OrderType, Position, WorkingOrder
from capcli.domain.effect import Effect
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.order import ExitOrder, Kind, OrderRequest, OrderTerms, Trigger


class StoredOrder(Struct, frozen=True):
    """A preview's order for its execution, besides the bytes to send.

    For statistics: `risk`, the loss in account currency at the stop of what it opens, and the `client`.
    """

    request: OrderRequest
    order_type: OrderType | None
    entry: Decimal
    stop_level: Decimal | None
    limit_level: Decimal | None
    effect: Effect | None = None
    risk: Decimal | None = None
    client: str | None = None

    @property
    def only_reduces(self) -> bool:
        """Whether its preview reduced risk and added none."""
        reduces = self.effect is not None and self.effect.only_reduces
        return reduces and self.request.kind is Kind.MARKET


class _Waits(Struct, frozen=True):
    level: Decimal
    good_till: datetime | None


class _Document(OrderTerms, frozen=True):
    """A stored order as JSON: the request and its calculated figures."""

    epic: str
    side: Side
    size: Decimal
    stop: ExitOrder | None
    limit: ExitOrder | None
    trigger: _Waits | None
    order_type: OrderType | None
    entry: Decimal
    stop_level: Decimal | None
    limit_level: Decimal | None
    effect: Effect | None
    risk: Decimal | None = None
    client: str | None = None


def write_order(order: StoredOrder) -> bytes:
    """Write a previewed order for the journal."""
    request, trigger = order.request, order.request.trigger
    waits = _Waits(trigger.level, trigger.good_till) if trigger else None
    facts = asdict(request) | asdict(order) | {"trigger": waits}
    del facts["request"]
    return encode(_Document(**facts), order="sorted")


def read_order(document: bytes) -> StoredOrder:
    """Read a previewed order back, unchanged."""
    raw = decode(document, type=_Document)
    waits = raw.trigger
    trigger = Trigger(waits.level, raw.order_type, waits.good_till) if waits else None
    return with_fields_of(raw, StoredOrder, request=with_fields_of(raw, OrderRequest, trigger=trigger))


class _Baseline(Struct, frozen=True):
    """The book before a send: sizes by deal id, ids of waiting orders, and the planned effect.

    `markets`: epic, side and size of each deal.
    """

    positions: Mapping[str, Decimal]
    orders: tuple[str, ...]
    markets: Mapping[str, tuple[str, Side, Decimal]] = field(default_factory=dict)
    effect: Effect | None = None


def write_baseline(
    positions: tuple[Position, ...], orders: tuple[WorkingOrder, ...], effect: Effect | None = None
) -> bytes:
    """Write the book before a send, and the order's planned effect on it."""
    rows: tuple[Position | WorkingOrder, ...] = (*positions, *orders)
    sizes = {row.deal_id: row.size for row in positions}
    markets = {row.deal_id: (row.epic, row.side, row.size) for row in rows}
    return encode(_Baseline(sizes, tuple(row.deal_id for row in orders), markets, effect), order="sorted")


def read_baseline(document: bytes) -> frozenset[str]:
    """Read the ids of all deals in a baseline, open or waiting."""
    book = decode(document, type=_Baseline)
    return frozenset(book.positions) | frozenset(book.orders)


def read_deal(document: bytes, deal_id: str) -> tuple[str, Side, Decimal] | None:
    """Read epic, side and size of a deal in a baseline; None if missing."""
    return decode(document, type=_Baseline).markets.get(deal_id) if document else None


def read_opposite(document: bytes, epic: str, side: Side) -> frozenset[str]:
    """Read the positions of a baseline that an order of this market and side would reduce."""
    book = decode(document, type=_Baseline)
    return frozenset(
        deal_id
        for deal_id, (its_epic, its_side, _) in book.markets.items()
        if deal_id in book.positions and (its_epic, its_side) == (epic, side.opposite)
    )


def read_effect(document: bytes) -> Effect | None:
    """Read an order's planned effect from its baseline; None for other changes."""
    return decode(document, type=_Baseline).effect


def read_sizes(document: bytes) -> dict[str, Decimal]:
    """Read the sizes of a baseline's positions, by deal id."""
    return dict(decode(document, type=_Baseline).positions)
