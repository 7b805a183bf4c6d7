"""Orders as the journal keeps them: JSON with every number as text, so that digits survive."""

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
    """What an execution needs of its preview besides the bytes it sends.

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
        """Say whether its preview took risk away and added none."""
        reduces = self.effect is not None and self.effect.only_reduces
        return reduces and self.request.kind is Kind.MARKET


class _Waits(Struct, frozen=True):
    level: Decimal
    good_till: datetime | None


class _Document(OrderTerms, frozen=True):
    """A stored order as JSON: the request and what was worked out for it, side by side."""

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
    """Write the book as it stands before a send, and what the order is about to do to it."""
    rows: tuple[Position | WorkingOrder, ...] = (*positions, *orders)
    sizes = {row.deal_id: row.size for row in positions}
    markets = {row.deal_id: (row.epic, row.side, row.size) for row in rows}
    return encode(_Baseline(sizes, tuple(row.deal_id for row in orders), markets, effect), order="sorted")


def read_baseline(document: bytes) -> frozenset[str]:
    """Read the ids of all deals, open or waiting, that a baseline holds."""
    book = decode(document, type=_Baseline)
    return frozenset(book.positions) | frozenset(book.orders)


def read_deal(document: bytes, deal_id: str) -> tuple[str, Side, Decimal] | None:
    """Read epic, side and size of a deal of a baseline; None where it does not say."""
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
    """Read what an order was about to do to the book of a baseline; None for what is no order."""
    return decode(document, type=_Baseline).effect


def read_sizes(document: bytes) -> dict[str, Decimal]:
    """Read the sizes of the positions that a baseline holds, by deal id."""
    return dict(decode(document, type=_Baseline).positions)
