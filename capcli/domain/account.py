"""Accounts, positions and working orders as the broker reports them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from capcli.domain.market import MarketStatus, Quote, Side


@dataclass(frozen=True, slots=True)
class Account:
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


@dataclass(frozen=True, slots=True)
class Position:
    """An open position. Prices and `upl` are in the instrument's currency (API page 14.4)."""

    deal_id: str
    epic: str
    name: str
    type: str
    side: Side
    size: Decimal
    level: Decimal
    quote: Quote
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


class OrderType(StrEnum):
    """How a working order triggers."""

    LIMIT = "LIMIT"
    STOP = "STOP"


@dataclass(frozen=True, slots=True)
class WorkingOrder:
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


@dataclass(frozen=True, slots=True)
class AffectedDeal:
    """A deal that a confirmed request touched."""

    deal_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """The broker's verdict on a request (API page 6.6). `order_id` is its dealId, not the position's."""

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


@dataclass(frozen=True, slots=True)
class Activity:
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


@dataclass(frozen=True, slots=True)
class Transaction:
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


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in and on which account."""

    client_id: str
    account_id: str
    currency: str
    timezone_offset: int
    locale: str | None = None
    stream_url: str | None = None
