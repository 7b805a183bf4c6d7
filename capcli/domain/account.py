"""Accounts, positions and working orders as the broker reports them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Self, TypeVar

from msgspec import Struct, field

from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import EXACT, Money

_Row = TypeVar("_Row")


class UnreadableRow(Struct, frozen=True):
    """A row of the broker's list that could not be read: the readable part, and the reason."""

    deal_id: str | None
    epic: str | None
    why: str
    name: str | None = None  # for rows that are not deals: an account, a market, a candle's time

    @property
    def words(self) -> str:
        """Return the row's name for messages."""
        if self.name:
            return self.name
        return f"{self.deal_id or 'one without a deal id'}{f' ({self.epic})' if self.epic else ''}"


class Listed(Struct, Generic[_Row], frozen=True):
    """A list from the broker: its readable rows, and the unreadable ones."""

    rows: tuple[_Row, ...]
    unreadable: tuple[UnreadableRow, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.rows or self.unreadable)


class Rows(tuple[_Row, ...]):  # noqa: SLOT001  a tuple of any length has no room for slots
    """The readable rows of a list as a tuple; `unreadable` are the others."""

    unreadable: tuple[UnreadableRow, ...]

    def __new__(cls, rows: Iterable[_Row], unreadable: tuple[UnreadableRow, ...] = ()) -> Self:
        """Make a tuple with its unreadable rows."""
        made = super().__new__(cls, rows)
        made.unreadable = unreadable
        return made


class Account(Struct, frozen=True):
    """One account of the login, in `currency`; `equity` is the broker's `balance` (API page 14.1)."""

    account_id: str
    name: str
    status: str
    type: str
    currency: str
    preferred: bool
    cash: Decimal
    equity: Decimal
    open_pl: Decimal
    available: Decimal


class Leverage(Struct, frozen=True):
    """The leverage chosen for a class of markets, and those that may be chosen (API page 6.3)."""

    current: Decimal
    available: tuple[Decimal, ...]


class Preferences(Struct, frozen=True):
    """Whether opposite positions stay open side by side, and the leverage of each class of markets.

    `observed`: the margin that a fill showed, in percent of its value, by market.
    """

    hedging: bool
    leverages: Mapping[str, Leverage]
    observed: Mapping[str, Decimal] = field(default_factory=dict)

    def leverage(self, market_class: str) -> Decimal | None:
        """Return the leverage chosen for a class; None if the broker lists none."""
        found = self.leverages.get(market_class)
        return found.current if found is not None and found.current > 0 else None


class Position(Struct, frozen=True):
    """An open position. Prices and `upl` in the instrument's currency (API page 14.4), no bid or offer where
    its market is suspended (18.11).
    """

    deal_id: str
    epic: str
    name: str
    type: str
    side: Side
    size: Decimal
    level: Decimal
    bid: Decimal | None
    offer: Decimal | None
    market_status: MarketStatus
    upl: Decimal
    currency: str
    leverage: Decimal | None
    contract_size: Decimal
    stop_level: Decimal | None
    limit_level: Decimal | None
    trailing: bool
    stop_distance: Decimal | None
    guaranteed: bool
    working_order_id: str | None
    opened_at: datetime

    @property
    def value_at_open(self) -> Decimal:
        """The position's value at its opening, in the instrument's currency (API page 14.3)."""
        return EXACT.multiply(EXACT.multiply(self.size, self.level), self.contract_size)

    @property
    def closing_price(self) -> Decimal | None:
        """The current closing price, None while its market has none."""
        return self.bid if self.side is Side.BUY else self.offer

    @property
    def valued_at(self) -> Decimal:
        """The price of its valuation: the closing price, or the one implied by the broker's P&L."""
        units = EXACT.multiply(self.size, self.contract_size)
        if self.closing_price is not None:
            return self.closing_price
        if not units:
            return self.level
        moved = EXACT.divide(self.upl, units)
        return self.level + moved if self.side is Side.BUY else self.level - moved

    @property
    def mid(self) -> Decimal:
        """The mid price; without bid and offer the price of its valuation."""
        if self.bid is None or self.offer is None:
            return self.valued_at
        return (self.bid + self.offer) / 2


class OrderType(StrEnum):
    """How a working order triggers."""

    LIMIT = "LIMIT"
    STOP = "STOP"


class WorkingOrder(Struct, frozen=True):
    """An order that waits for its level. Stop and limit are levels here (API page 6.5: distances)."""

    deal_id: str
    epic: str
    name: str
    side: Side
    type: OrderType
    size: Decimal
    level: Decimal
    currency: str
    stop_level: Decimal | None
    limit_level: Decimal | None
    trailing: bool
    guaranteed: bool
    good_till: datetime | None
    created_at: datetime
    bid: Decimal | None
    offer: Decimal | None
    market_status: MarketStatus


class AffectedDeal(Struct, frozen=True):
    """A deal that a confirmed request touched."""

    deal_id: str
    status: str


class Confirm(Struct, frozen=True):
    """The broker's confirmation of a request (API page 6.6). `order_id` is its dealId, not the position's.

    `profit` is the realised P&L of a close in the currency that it names; None where the broker sent none.
    """

    deal_reference: str
    accepted: bool
    status: str
    reason: str | None
    epic: str | None
    order_id: str | None
    deals: tuple[AffectedDeal, ...]
    level: Decimal | None
    size: Decimal | None
    side: Side | None
    at: datetime | None
    profit: Money | None = None


class Activity(Struct, frozen=True):
    """One row of the account's activity; size, level and side exist only when details were asked for."""

    at: datetime
    epic: str
    deal_id: str
    source: str
    type: str
    status: str
    size: Decimal | None
    level: Decimal | None
    side: Side | None
    deal_reference: str | None
    working_order_id: str | None


class Transaction(Struct, frozen=True):
    """One booking; `amount` is money in the account's currency, charges below 0 (API page 10.2)."""

    at: datetime
    type: str
    epic: str | None
    note: str
    amount: Decimal
    currency: str
    reference: str
    status: str | None
    deal_id: str | None


class Watchlist(Struct, frozen=True):
    """A named list of markets; it belongs to the login, not to an account (API page 6.9)."""

    watchlist_id: str
    name: str
    editable: bool
    deletable: bool
    system: bool


class Session(Struct, frozen=True):
    """Who is logged in and on which account."""

    client_id: str
    account_id: str
    currency: str
    timezone_offset: int
    locale: str | None = None
    stream_url: str | None = None
