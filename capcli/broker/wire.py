"""The broker's JSON as it is sent, straight from bytes. Unknown fields are ignored, absent ones are None.

Field names and shapes: API page sections 6 to 11.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import field

from capcli.broker.failures import HEALTH, clean, not_json
from capcli.domain.account import OrderType
from capcli.domain.market import Side
from capcli.errors import UnreadableAnswer

_T = TypeVar("_T")
_OK = 200


def decode(body: bytes, shape: type[_T], endpoint: str) -> _T:
    """Read a 200 answer. Raises UnreadableAnswer that names the endpoint and the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        reason = clean(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_json(endpoint, _OK) from None
    raise UnreadableAnswer(
        f"The broker's answer to {endpoint} cannot be read: {reason}.", next=HEALTH, endpoint=endpoint
    )


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all shapes: our snake_case names stand for the broker's camelCase ones."""


class Status(Shape, frozen=True):
    status: str | None = None


class ServerTime(Shape, frozen=True):
    """`serverTime` is epoch milliseconds."""

    server_time: int


class LoginAccount(Shape, frozen=True):
    account_id: str


class Login(Shape, frozen=True):
    """POST /session."""

    client_id: str
    current_account_id: str
    currency_iso_code: str
    timezone_offset: Decimal
    accounts: tuple[LoginAccount, ...] = ()
    streaming_host: str | None = None


class EncryptionKey(Shape, frozen=True):
    """GET /session/encryptionKey. `timeStamp` is epoch milliseconds."""

    encryption_key: str
    time_stamp: int


class SessionDetails(Shape, frozen=True):
    """GET /session."""

    client_id: str
    account_id: str
    currency: str
    timezone_offset: Decimal
    locale: str | None = None
    stream_endpoint: str | None = None


class Balance(Shape, frozen=True):
    """`balance` is equity and `deposit` is cash (API page 14.1)."""

    balance: Decimal
    deposit: Decimal
    profit_loss: Decimal
    available: Decimal


class AccountRow(Shape, frozen=True):
    account_id: str
    account_name: str
    status: str
    account_type: str
    preferred: bool
    currency: str
    balance: Balance


class Accounts(Shape, frozen=True):
    accounts: tuple[AccountRow, ...]


class Leverage(Shape, frozen=True):
    current: Decimal
    available: tuple[Decimal, ...]


class Preferences(Shape, frozen=True):
    hedging_mode: bool
    leverages: dict[str, Leverage]


class MarketSummary(Shape, frozen=True):
    """A market in a search result, and beside a position or an order."""

    epic: str
    instrument_name: str
    instrument_type: str
    market_status: str
    bid: Decimal | None = None
    offer: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    net_change: Decimal | None = None
    percentage_change: Decimal | None = None
    updated: datetime | None = field(default=None, name="updateTimeUTC")


class PricedMarket(Shape, frozen=True):
    """The same beside a position, where both prices and their time are needed."""

    epic: str
    instrument_name: str
    instrument_type: str
    market_status: str
    bid: Decimal
    offer: Decimal
    updated: datetime = field(name="updateTimeUTC")


class MarketList(Shape, frozen=True):
    markets: tuple[MarketSummary, ...]


class OvernightFee(Shape, frozen=True):
    """`swapChargeTimestamp` is epoch milliseconds, the interval minutes."""

    long_rate: Decimal
    short_rate: Decimal
    swap_charge_timestamp: int | None = None
    swap_charge_interval: int | None = None


class Instrument(Shape, frozen=True):
    """`controlledRiskAllowed` is the older name of `guaranteedStopAllowed`."""

    epic: str
    name: str
    type: str
    currency: str
    expiry: str
    lot_size: Decimal
    margin_factor: Decimal | None = None
    margin_factor_unit: str | None = None
    guaranteed_stop_allowed: bool | None = None
    controlled_risk_allowed: bool | None = None
    opening_hours: dict[str, Any] | None = None
    overnight_fee: OvernightFee | None = None


class Rule(Shape, frozen=True):
    unit: str
    value: Decimal


class DealingRules(Shape, frozen=True):
    """New names first, then the older ones of the same rule (API page 8.2)."""

    min_step_distance: Rule | None = None
    min_deal_size: Rule | None = None
    max_deal_size: Rule | None = None
    min_size_increment: Rule | None = None
    min_guaranteed_stop_distance: Rule | None = None
    min_stop_or_profit_distance: Rule | None = None
    max_stop_or_profit_distance: Rule | None = None
    min_controlled_risk_stop_distance: Rule | None = None
    min_normal_stop_or_limit_distance: Rule | None = None
    max_stop_or_limit_distance: Rule | None = None
    market_order_preference: str | None = None
    trailing_stops_preference: str | None = None


class Snapshot(Shape, frozen=True):
    """Its `updateTime` has no UTC twin and is not UTC (API page 5.1), so it is not read."""

    market_status: str
    bid: Decimal
    offer: Decimal
    decimal_places_factor: int
    high: Decimal | None = None
    low: Decimal | None = None
    net_change: Decimal | None = None
    percentage_change: Decimal | None = None
    market_modes: tuple[str, ...] | None = None


class MarketDetails(Shape, frozen=True):
    instrument: Instrument
    snapshot: Snapshot
    dealing_rules: DealingRules | None = None


class MarketDetailsList(Shape, frozen=True):
    """GET /markets?epics= has another key than the search."""

    market_details: tuple[MarketDetails, ...]


class BidAsk(Shape, frozen=True):
    """Prices call the offer `ask`."""

    bid: Decimal
    ask: Decimal


class Bar(Shape, frozen=True):
    time: datetime = field(name="snapshotTimeUTC")
    open_price: BidAsk
    high_price: BidAsk
    low_price: BidAsk
    close_price: BidAsk
    last_traded_volume: Decimal | None = None


class Prices(Shape, frozen=True):
    prices: tuple[Bar, ...]


class PositionData(Shape, frozen=True):
    """Stop and profit are there only when set (API page 6.4)."""

    deal_id: str
    direction: Side
    size: Decimal
    level: Decimal
    upl: Decimal
    currency: str
    contract_size: Decimal
    created: datetime = field(name="createdDateUTC")
    leverage: Decimal | None = None
    working_order_id: str | None = None
    guaranteed_stop: bool | None = None
    trailing_stop: bool | None = None
    stop_level: Decimal | None = None
    profit_level: Decimal | None = None
    stop_distance: Decimal | None = None


class PositionRow(Shape, frozen=True):
    position: PositionData
    market: PricedMarket


class Positions(Shape, frozen=True):
    """Row by row: one that cannot be read must not hide the others."""

    positions: tuple[msgspec.Raw, ...]


class OrderData(Shape, frozen=True):
    """Stop and profit are distances from `orderLevel` (API page 6.5)."""

    deal_id: str
    epic: str
    direction: Side
    order_type: OrderType
    order_size: Decimal
    order_level: Decimal
    currency_code: str
    created: datetime = field(name="createdDateUTC")
    good_till: datetime | None = field(default=None, name="goodTillDateUTC")
    guaranteed_stop: bool | None = None
    trailing_stop: bool | None = None
    stop_distance: Decimal | None = None
    profit_distance: Decimal | None = None


class OrderRow(Shape, frozen=True):
    working_order_data: OrderData
    market_data: MarketSummary


class Orders(Shape, frozen=True):
    """Row by row, as positions."""

    working_orders: tuple[msgspec.Raw, ...]


class AffectedDeal(Shape, frozen=True):
    deal_id: str
    status: str


class Confirm(Shape, frozen=True):
    """Accepted ones carry no reason nowadays, rejected ones `rejectReason` or `reason` (API page 6.6)."""

    deal_status: str
    status: str | None = None
    date: datetime | None = None
    reason: str | None = None
    reject_reason: str | None = None
    epic: str | None = None
    deal_reference: str | None = None
    deal_id: str | None = None
    affected_deals: tuple[AffectedDeal, ...] | None = None
    level: Decimal | None = None
    size: Decimal | None = None
    direction: Side | None = None


class ActivityDetails(Shape, frozen=True):
    deal_reference: str | None = None
    working_order_id: str | None = None
    size: Decimal | None = None
    level: Decimal | None = None
    direction: Side | None = None


class ActivityRow(Shape, frozen=True):
    """System rows need not be about a market or a deal."""

    at: datetime = field(name="dateUTC")
    source: str
    type: str
    status: str
    epic: str | None = None
    deal_id: str | None = None
    details: ActivityDetails | None = None


class Activities(Shape, frozen=True):
    activities: tuple[ActivityRow, ...]


class TransactionRow(Shape, frozen=True):
    """`size` is money, as a text; deposits name no market (API page 10.2)."""

    at: datetime = field(name="dateUtc")
    transaction_type: str
    size: str
    currency: str
    reference: str = ""
    note: str = ""
    instrument_name: str | None = None
    status: str | None = None
    deal_id: str | None = None


class Transactions(Shape, frozen=True):
    transactions: tuple[TransactionRow, ...]


class NodeRow(Shape, frozen=True):
    id: str
    name: str


class Navigation(Shape, frozen=True):
    """A group has nodes and a leaf has markets; either can be absent (API page 6.7)."""

    nodes: tuple[NodeRow, ...] = ()
    markets: tuple[MarketSummary, ...] = ()


class SentimentRow(Shape, frozen=True):
    market_id: str
    long_position_percentage: Decimal
    short_position_percentage: Decimal


class Sentiments(Shape, frozen=True):
    client_sentiments: tuple[SentimentRow, ...]


class WatchlistRow(Shape, frozen=True):
    """The broker writes `deleteable` (API page 6.9)."""

    id: str
    name: str
    editable: bool
    deleteable: bool
    default_system_watchlist: bool = False


class Watchlists(Shape, frozen=True):
    watchlists: tuple[WatchlistRow, ...]
