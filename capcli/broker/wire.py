"""The broker's JSON as it is sent, straight from bytes. Unknown fields are ignored, absent ones are None.

Field names and shapes: API page sections 6 to 11.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import field

from capcli.broker import readings
from capcli.broker.answers import OK, clean
from capcli.broker.failures import HEALTH, not_json
from capcli.broker.readings import (
    Currency,
    Flag,
    MaybeCurrency,
    MaybeMoment,
    MaybeNumber,
    MaybeSide,
    MaybeWhole,
    MaybeWord,
    Moment,
    Number,
    Status,
    Text,
    Whole,
    Word,
    Yes,
)
from capcli.domain.account import OrderType
from capcli.domain.market import MarketStatus, Side
from capcli.errors import UnreadableAnswer

_T = TypeVar("_T")


def decode(body: bytes, shape: type[_T], endpoint: str) -> _T:
    """Read a 200 answer. Raises UnreadableAnswer that names the endpoint and the field."""
    try:
        return readings.decode(body, shape)
    except msgspec.ValidationError as error:
        reason = clean(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_json(endpoint, OK) from None
    raise UnreadableAnswer(
        f"The broker's answer to {endpoint} cannot be read: {reason}.", next=HEALTH, endpoint=endpoint
    )


def rows(body: bytes, key: str, endpoint: str) -> tuple[msgspec.Raw, ...]:
    """Return the list under a key, to be read row by row: an unreadable row must not hide the others."""
    found: tuple[msgspec.Raw, ...] = getattr(decode(body, _list_under(key), endpoint), key)
    return found


@cache
def _list_under(key: str) -> type[msgspec.Struct]:
    return msgspec.defstruct("Rows", [(key, tuple[msgspec.Raw, ...])], frozen=True)


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all shapes. A field with a name of ours also states the broker's name."""


# For each type of a domain field: how it is read, and its value when absent.
_READ_AS: Mapping[Any, Any] = {
    str: (Word,),
    str | None: (MaybeWord, None),
    int: (Whole,),
    int | None: (MaybeWhole, None),
    Decimal: (Number,),
    Decimal | None: (MaybeNumber, None),
    tuple[Decimal, ...]: (tuple[Number, ...],),
    datetime: (Moment,),
    datetime | None: (MaybeMoment, None),
    bool: (Yes, False),
}


@cache
def plain(kind: type[msgspec.Struct]) -> type[Any]:
    """Return the shape of a domain value whose fields the broker sends under the same names.

    What may be None may be absent, and an absent flag is a no. Raises KeyError for a field of any other type.
    """
    fields = [(name, *_READ_AS[hint]) for name, hint in get_type_hints(kind).items()]
    return msgspec.defstruct(kind.__name__, fields, bases=(Shape,), frozen=True, kw_only=True)


class Pong(Shape, frozen=True):
    status: MaybeWord = None


class ServerTime(Shape, frozen=True):
    """`serverTime` is epoch milliseconds."""

    server_time: Moment


class LoginAccount(Shape, frozen=True):
    account_id: Word


class Login(Shape, frozen=True):
    """POST /session."""

    client_id: Word
    current_account_id: Word
    currency_iso_code: Currency
    timezone_offset: Number
    accounts: tuple[LoginAccount, ...] = ()
    streaming_host: MaybeWord = None


class EncryptionKey(Shape, frozen=True):
    """GET /session/encryptionKey. `timeStamp` is epoch milliseconds."""

    encryption_key: Word
    time_stamp: Whole


class SessionDetails(Shape, frozen=True):
    """GET /session."""

    client_id: Word
    account_id: Word
    currency: Currency
    timezone_offset: Number
    locale: MaybeWord = None
    stream_url: MaybeWord = field(default=None, name="streamEndpoint")


class Balance(Shape, frozen=True):
    """`balance` is equity and `deposit` is cash (API page 14.1)."""

    equity: Number = field(name="balance")
    cash: Number = field(name="deposit")
    open_pl: Number = field(name="profitLoss")
    available: Number


class AccountRow(Shape, frozen=True):
    account_id: Word
    currency: Currency
    balance: Balance
    name: Text = field(default="", name="accountName")
    status: Text = ""
    type: Text = field(default="", name="accountType")
    preferred: Yes = False


class Preferences(Shape, frozen=True):
    """Leverages are read one by one: an unreadable class does not hide the others."""

    hedging_mode: Flag
    leverages: dict[str, msgspec.Raw]


class MarketSummary(Shape, frozen=True):
    """A market in a search result, and beside a position or an order."""

    epic: Word
    name: Text = field(default="", name="instrumentName")
    type: Text = field(default="", name="instrumentType")
    status: Status = field(default=MarketStatus.UNKNOWN, name="marketStatus")
    bid: MaybeNumber = None
    offer: MaybeNumber = None
    high: MaybeNumber = None
    low: MaybeNumber = None
    change: MaybeNumber = field(default=None, name="netChange")
    change_pct: MaybeNumber = field(default=None, name="percentageChange")
    at: MaybeMoment = field(default=None, name="updateTimeUTC")


class OvernightFee(Shape, frozen=True):
    """`swapChargeTimestamp` is epoch milliseconds, the interval minutes; neither decides an order."""

    long_rate: MaybeNumber = None
    short_rate: MaybeNumber = None
    swap_charge_timestamp: msgspec.Raw = msgspec.Raw(b"null")
    swap_charge_interval: MaybeWhole = None


class Instrument(Shape, frozen=True):
    """`controlledRiskAllowed` is the older name of `guaranteedStopAllowed`."""

    epic: Word
    name: Word
    type: Word
    currency: Currency
    lot_size: Number
    expiry: MaybeWord = None
    margin_factor: MaybeNumber = None
    margin_factor_unit: MaybeWord = None
    guaranteed_stop_allowed: Yes = False
    controlled_risk_allowed: Yes = False
    opening_hours: dict[str, Any] | None = None
    overnight_fee: OvernightFee | None = None


class Rule(Shape, frozen=True):
    unit: MaybeWord = None
    value: MaybeNumber = None


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
    market_order_preference: MaybeWord = None
    trailing_stops_preference: MaybeWord = None


class Snapshot(Shape, frozen=True):
    """Its `updateTime` has no UTC twin and is not UTC (API page 5.1), so it is not read."""

    bid: MaybeNumber = None
    offer: MaybeNumber = None
    status: Status = field(default=MarketStatus.UNKNOWN, name="marketStatus")
    decimals: MaybeWhole = field(default=None, name="decimalPlacesFactor")
    high: MaybeNumber = None
    low: MaybeNumber = None
    change: MaybeNumber = field(default=None, name="netChange")
    change_pct: MaybeNumber = field(default=None, name="percentageChange")
    modes: tuple[MaybeWord, ...] | None = field(default=None, name="marketModes")


class MarketDetails(Shape, frozen=True):
    instrument: Instrument
    snapshot: Snapshot
    dealing_rules: DealingRules | None = None


class BidAsk(Shape, frozen=True):
    """Prices call the offer `ask`."""

    bid: Number
    ask: Number


class Bar(Shape, frozen=True):
    time: Moment = field(name="snapshotTimeUTC")
    open_price: BidAsk
    high_price: BidAsk
    low_price: BidAsk
    close_price: BidAsk
    last_traded_volume: MaybeNumber = None


class PositionData(Shape, frozen=True):
    """Stop and profit are there only when set (API page 6.4)."""

    deal_id: Word
    side: Side = field(name="direction")
    size: Number
    level: Number
    upl: Number
    currency: Currency
    contract_size: Number
    opened_at: Moment = field(name="createdDateUTC")
    leverage: MaybeNumber = None
    working_order_id: MaybeWord = None
    guaranteed: Yes = field(default=False, name="guaranteedStop")
    trailing: Yes = field(default=False, name="trailingStop")
    stop_level: MaybeNumber = None
    limit_level: MaybeNumber = field(default=None, name="profitLevel")
    stop_distance: MaybeNumber = None


class PositionRow(Shape, frozen=True):
    position: PositionData
    market: MarketSummary


class OrderData(Shape, frozen=True):
    """Stop and profit are distances from `orderLevel` (API page 6.5)."""

    deal_id: Word
    epic: Word
    side: Side = field(name="direction")
    type: OrderType = field(name="orderType")
    size: Number = field(name="orderSize")
    level: Number = field(name="orderLevel")
    currency: Currency = field(name="currencyCode")
    created_at: Moment = field(name="createdDateUTC")
    good_till: MaybeMoment = field(default=None, name="goodTillDateUTC")
    guaranteed: Yes = field(default=False, name="guaranteedStop")
    trailing: Yes = field(default=False, name="trailingStop")
    stop_distance: MaybeNumber = None
    profit_distance: MaybeNumber = None


class OrderRow(Shape, frozen=True):
    working_order_data: OrderData
    market_data: MarketSummary


class AffectedDeal(Shape, frozen=True):
    deal_id: Word
    status: Word


class Confirm(Shape, frozen=True):
    """Accepted ones carry no reason nowadays, rejected ones `rejectReason` or `reason` (API page 6.6)."""

    deal_status: Word
    status: Text = ""
    at: MaybeMoment = field(default=None, name="date")
    reason: MaybeWord = None
    reject_reason: MaybeWord = None
    epic: MaybeWord = None
    deal_reference: MaybeWord = None
    order_id: MaybeWord = field(default=None, name="dealId")
    affected_deals: tuple[AffectedDeal, ...] | None = None
    level: MaybeNumber = None
    size: MaybeNumber = None
    side: Side | None = field(default=None, name="direction")
    profit: MaybeNumber = None
    profit_currency: MaybeCurrency = None


class ActivityDetails(Shape, frozen=True):
    deal_reference: MaybeWord = None
    working_order_id: MaybeWord = None
    size: MaybeNumber = None
    level: MaybeNumber = None
    side: MaybeSide = field(default=None, name="direction")


class ActivityRow(Shape, frozen=True):
    """System rows need not be about a market or a deal."""

    at: Moment = field(name="dateUTC")
    source: Text = ""
    type: Text = ""
    status: Text = ""
    epic: Text = ""
    deal_id: Text = ""
    details: ActivityDetails | None = None


class TransactionRow(Shape, frozen=True):
    """`size` is money, as a text; deposits name no market (API page 10.2)."""

    at: Moment = field(name="dateUtc")
    type: Word = field(name="transactionType")
    amount: Number = field(name="size")
    currency: Currency
    reference: Text = ""
    note: Text = ""
    epic: MaybeWord = field(default=None, name="instrumentName")
    status: MaybeWord = None
    deal_id: MaybeWord = None


class NodeRow(Shape, frozen=True):
    node_id: Word = field(name="id")
    name: Text = ""


class Navigation(Shape, frozen=True):
    """A group has nodes and a leaf has markets; either can be absent (API page 6.7)."""

    nodes: tuple[msgspec.Raw, ...] = ()
    markets: tuple[msgspec.Raw, ...] = ()


class SentimentRow(Shape, frozen=True):
    market_id: Word
    long_pct: Number = field(name="longPositionPercentage")
    short_pct: Number = field(name="shortPositionPercentage")


class WatchlistRow(Shape, frozen=True):
    """The broker writes `deleteable` (API page 6.9)."""

    watchlist_id: Word = field(name="id")
    name: Word
    editable: Yes = False
    deletable: Yes = field(default=False, name="deleteable")
    system: Yes = field(default=False, name="defaultSystemWatchlist")
