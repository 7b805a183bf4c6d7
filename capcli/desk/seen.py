"""The state of the desk. Values only: readers make them, the frame draws them."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct, field

from capcli.account.events import EventRow
from capcli.domain.account import Account, Position, UnreadableRow, WorkingOrder
from capcli.domain.effect import gain
from capcli.domain.market import Candle, MarketStatus, Resolution, Side
from capcli.domain.stream import Tick

WIDTHS: Mapping[Resolution, str] = MappingProxyType(
    {
        Resolution.MINUTE_5: "5m",
        Resolution.MINUTE_15: "15m",
        Resolution.HOUR: "1h",
        Resolution.HOUR_4: "4h",
        Resolution.DAY: "1d",
    }
)
"""The widths of candles that the chart can have."""


class Pane(StrEnum):
    """The lists with selectable rows."""

    POSITIONS = "positions"
    ORDERS = "orders"
    PRICES = "prices"


class Chosen(Struct, frozen=True):
    """The chosen row: a deal id, or an epic in the list of prices."""

    pane: Pane
    key: str


class AccountSeen(Struct, frozen=True):
    """The account as it was read last. `booked` since 00:00 UTC, None where it could not be read.

    `rates` are units of account currency for one of each currency.
    """

    account: Account
    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    unreadable: tuple[UnreadableRow, ...]
    rates: Mapping[str, Decimal]
    booked: Decimal | None = None


class PriceSeen(Struct, frozen=True):
    """A market: its latest prices (suspended: perhaps none), its first bid, since when no tick came (ms)."""

    tick: Tick | None
    first: Decimal | None
    status: MarketStatus
    quiet_since_ms: int | None = None


class CandlesSeen(Struct, frozen=True):
    """The candles of the chosen market; `problem` says why there are none."""

    epic: str
    resolution: Resolution
    candles: tuple[Candle, ...] = ()
    problem: str = ""


class LocalSeen(Struct, frozen=True):
    """The state stored on this computer: waiting requests, a halt, and lost orders."""

    waiting: tuple[str, ...] = ()
    waiting_elsewhere: int = 0
    halt: str | None = None
    unresolved: tuple[str, ...] = ()


class Trouble(Struct, frozen=True):
    """A failing source: since when (ms since 1970), and why."""

    since_ms: int
    why: str


class Seen(Struct, frozen=True):
    """Everything on the screen, at `at_ms`; `events` newest first. Not read yet: None or empty."""

    env: str
    account_id: str | None
    at_ms: int
    account: AccountSeen | None = None
    prices: Mapping[str, PriceSeen] = field(default_factory=dict)
    candles: CandlesSeen | None = None
    local: LocalSeen = LocalSeen()
    stream: Trouble | None = None
    broker: Trouble | None = None
    problems: tuple[str, ...] = ()
    events: tuple[EventRow, ...] = ()

    def deals(self, pane: Pane) -> tuple[Position | WorkingOrder, ...]:
        """Return the list's positions or working orders; none for the list of prices."""
        if self.account is None or pane is Pane.PRICES:
            return ()
        return self.account.positions if pane is Pane.POSITIONS else self.account.orders

    def rows(self, pane: Pane) -> tuple[str, ...]:
        """Return the keys of a list's rows, top to bottom."""
        return tuple(self.prices) if pane is Pane.PRICES else tuple(row.deal_id for row in self.deals(pane))

    def deal(self, chosen: Chosen | None) -> Position | WorkingOrder | None:
        """Return the chosen deal, None if none is chosen or it is gone."""
        rows = self.deals(chosen.pane) if chosen else ()
        return next((row for row in rows if chosen and row.deal_id == chosen.key), None)

    def epic_of(self, chosen: Chosen | None) -> str | None:
        """Return the market of the chosen row, without one that of the chart."""
        if chosen is None:
            return self.candles.epic if self.candles else None
        if chosen.pane is Pane.PRICES:
            return chosen.key
        row = self.deal(chosen)
        return row.epic if row else None

    def price(self, position: Position) -> Decimal:
        """Return a position's closing price by the latest tick."""
        seen = self.prices.get(position.epic)
        if seen is None or seen.tick is None:
            return position.valued_at
        return seen.tick.bid if position.side is Side.BUY else seen.tick.offer

    def profit(self, position: Position) -> Decimal:
        """Return its P&L in its own currency (API page 14.3; lotSize plays no part)."""
        return gain(position, self.price(position), position.size)

    def profit_in_account(self, position: Position) -> Decimal | None:
        """Return its P&L in account currency, None without a rate."""
        rate = self.account.rates.get(position.currency) if self.account else None
        return None if rate is None else self.profit(position) * rate

    @property
    def open_profit(self) -> Decimal | None:
        """Return the P&L of all positions in account currency, None if any is unknown."""
        if self.account is None or self.account.unreadable:
            return None
        found = [self.profit_in_account(row) for row in self.account.positions]
        known = [one for one in found if one is not None]
        return sum(known, Decimal(0)) if len(known) == len(found) else None
