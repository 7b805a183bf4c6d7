"""Markets, quotes, dealing rules and candles. Prices are in the instrument's currency."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

EPIC_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"
_EPIC = re.compile(EPIC_PATTERN)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_epic(text: str) -> bool:
    """Whether text has the form of an epic (letters, digits, `_`, `.`, `-`; at most 64)."""
    return bool(_EPIC.fullmatch(text)) and text.isascii()


class Side(StrEnum):
    """The direction of a deal."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class MarketStatus(StrEnum):
    """Whether a market can be dealt in (API page section 7). UNKNOWN: a word not documented there."""

    TRADEABLE = "TRADEABLE"
    CLOSED = "CLOSED"
    EDITS_ONLY = "EDITS_ONLY"
    OFFLINE = "OFFLINE"
    ON_AUCTION = "ON_AUCTION"
    ON_AUCTION_NO_EDITS = "ON_AUCTION_NO_EDITS"
    SUSPENDED = "SUSPENDED"
    UNKNOWN = "UNKNOWN"


class Resolution(StrEnum):
    """Candle widths the broker knows."""

    MINUTE = "MINUTE"
    MINUTE_5 = "MINUTE_5"
    MINUTE_15 = "MINUTE_15"
    MINUTE_30 = "MINUTE_30"
    HOUR = "HOUR"
    HOUR_4 = "HOUR_4"
    DAY = "DAY"
    WEEK = "WEEK"

    @property
    def span(self) -> timedelta:
        return timedelta(minutes=_MINUTES[self])


_MINUTES = {
    Resolution.MINUTE: 1,
    Resolution.MINUTE_5: 5,
    Resolution.MINUTE_15: 15,
    Resolution.MINUTE_30: 30,
    Resolution.HOUR: 60,
    Resolution.HOUR_4: 240,
    Resolution.DAY: 1440,
    Resolution.WEEK: 10080,
}


class RuleUnit(StrEnum):
    """The unit of a dealing rule: price or size units, or percent of the live quote."""

    POINTS = "POINTS"
    PERCENTAGE = "PERCENTAGE"


class Distance(Struct, frozen=True):
    """A minimum or maximum distance from the live quote."""

    value: Decimal
    unit: RuleUnit

    def at(self, price: Decimal) -> Decimal:
        """Return the distance in price units at this quote (API page 8.2)."""
        return price * self.value / 100 if self.unit is RuleUnit.PERCENTAGE else self.value


class DealingRules(Struct, frozen=True):
    """A market's dealing rules as sent: None where the broker sent none (never filled in here)."""

    price_step: Decimal | None
    min_size: Decimal | None
    max_size: Decimal | None
    size_step: Decimal | None
    min_stop_distance: Distance | None
    min_guaranteed_stop_distance: Distance | None
    max_stop_distance: Distance | None
    trailing_stops: bool | None
    market_orders: bool | None

    def for_orders(self) -> "OrderRules | None":
        """Return the rules without which an order cannot be checked, or None when one of them is missing."""
        needed = [getattr(self, name) for name in OrderRules.__struct_fields__]
        return None if None in needed else OrderRules(*needed)

    def missing(self) -> tuple[str, ...]:
        """Return the names of required rules that the broker did not send."""
        return tuple(name for name in OrderRules.__struct_fields__ if getattr(self, name) is None)


class OrderRules(Struct, frozen=True):
    """The dealing rules that every order is checked against, all present."""

    price_step: Decimal
    min_size: Decimal
    max_size: Decimal
    size_step: Decimal
    min_stop_distance: Distance
    max_stop_distance: Distance


class MarketSnapshot(Struct, frozen=True):
    """A market at one instant; a suspended one may have no prices (API page 18.11)."""

    epic: str
    bid: Decimal | None
    offer: Decimal | None
    at: datetime
    status: MarketStatus


class Quote(MarketSnapshot, frozen=True):
    """The same with both prices, in the instrument's currency."""

    epic: str  # redefining a field moves it to the end, so all are redefined
    bid: Decimal
    offer: Decimal
    at: datetime
    status: MarketStatus

    @property
    def spread(self) -> Decimal:
        return self.offer - self.bid

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.offer) / 2

    def entry(self, side: Side) -> Decimal:
        """Return the price at which this side opens: BUY at the offer, SELL at the bid (API page 14.2)."""
        return self.offer if side is Side.BUY else self.bid

    def exit(self, side: Side) -> Decimal:
        """Return the price at which a position of this side closes."""
        return self.bid if side is Side.BUY else self.offer


class OvernightFee(Struct, frozen=True):
    """Percent of the position's value per charge: positive is credited, negative charged (API page 14.6)."""

    long_rate: Decimal
    short_rate: Decimal
    next_charge: datetime | None
    interval_minutes: int | None

    def rate(self, side: Side) -> Decimal:
        return self.long_rate if side is Side.BUY else self.short_rate


class DayHours(Struct, frozen=True):
    """The sessions of one weekday, `HH:MM-HH:MM` each, in the zone of the opening hours."""

    day: str
    sessions: tuple[str, ...]


class OpeningHours(Struct, frozen=True):
    """When a market is usually open. There is no holiday calendar: the market status decides."""

    zone: str
    days: tuple[DayHours, ...]


class MarketDetails(Struct, frozen=True):
    """A market with its rules, hours and fees, and with prices where it has any."""

    epic: str
    name: str
    type: str
    currency: str
    expiry: str
    lot_size: Decimal
    margin_factor: Decimal | None
    margin_factor_unit: str | None
    guaranteed_stops: bool
    rules: DealingRules
    hours: OpeningHours | None
    overnight: OvernightFee | None
    quote: MarketSnapshot
    high: Decimal | None
    low: Decimal | None
    change: Decimal | None
    change_pct: Decimal | None
    decimals: int
    modes: tuple[str, ...]


class Market(MarketDetails, frozen=True):
    """A market with prices, as every order needs it."""

    quote: Quote


class MarketRow(Struct, frozen=True):
    """A market in a search result."""

    epic: str
    name: str
    type: str
    status: MarketStatus
    bid: Decimal | None
    offer: Decimal | None
    high: Decimal | None
    low: Decimal | None
    change: Decimal | None
    change_pct: Decimal | None
    at: datetime | None


class Node(Struct, frozen=True):
    """A node of the tree of market categories (API page 6.7)."""

    node_id: str
    name: str


class Sentiment(Struct, frozen=True):
    """Shares of a market's clients that are long and short, in percent (API page 6.8)."""

    market_id: str
    long_pct: Decimal
    short_pct: Decimal


class Candle(Struct, frozen=True):
    """One bar; `time` is its opening instant. Prices in the instrument's currency, bid and ask."""

    time: datetime
    bid_open: Decimal
    bid_high: Decimal
    bid_low: Decimal
    bid_close: Decimal
    ask_open: Decimal
    ask_high: Decimal
    ask_low: Decimal
    ask_close: Decimal
    volume: Decimal | None
