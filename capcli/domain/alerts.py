"""Alert levels: a price, a move, the open P&L or the margin, and whether one is reached. Pure."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import Account
from capcli.domain.money import percent_of, plain, short

_MOVE = Decimal("0.0001")


class Way(StrEnum):
    """The side from which a level is reached."""

    ABOVE = "above"
    BELOW = "below"


class Measure(StrEnum):
    """The figure that a level is compared with."""

    BID = "bid"
    MOVE = "move"
    PNL = "pnl"
    MARGIN = "margin"


_SUBJECTS = {Measure.PNL: "open P&L", Measure.MARGIN: "margin"}


class Level(Struct, frozen=True):
    """A level to wait for: a market's bid (instrument's currency) or its move in percent from `start`.

    Without an epic the account's: open P&L in its currency, or margin in use in percent of equity.
    """

    epic: str
    way: Way
    price: Decimal
    measure: Measure = Measure.BID
    start: Decimal | None = None

    def begun(self, bid: Decimal) -> "Level":
        """Return this level with the starting bid of a move."""
        return replace(self, start=bid) if self.measure is Measure.MOVE and self.start is None else self

    def value(self, bid: Decimal) -> Decimal:
        """Return the value to compare at a bid; account figures are compared unchanged."""
        if self.measure is not Measure.MOVE or not self.start:
            return bid
        return ((bid - self.start) * 100 / self.start).quantize(_MOVE)

    def is_met(self, value: Decimal) -> bool:
        """Whether the level is reached at a value."""
        if self.measure is Measure.MOVE:
            return self.start is not None and abs(value) >= self.price
        return value >= self.price if self.way is Way.ABOVE else value <= self.price

    @property
    def key(self) -> str:
        if self.measure is Measure.BID:
            return f"{self.epic} {self.way.value} {self.price:f}"
        return f"{self.measure.value} {self.epic} {self.way.value} {self.price:f}"

    @property
    def _bound(self) -> str:
        unit = f"{short(self.price)} % of equity" if self.measure is Measure.MARGIN else plain(self.price)
        return f"{self.way.value} {unit}"

    @property
    def _since(self) -> str:
        return "" if self.start is None else f" from {plain(self.start)}"

    @property
    def words(self) -> str:
        """Describe the level: `SILVER above 31.5`."""
        if self.measure is Measure.MOVE:
            return f"{self.epic} {short(self.price)} % up or down{self._since}"
        return f"{_SUBJECTS.get(self.measure, self.epic)} {self._bound}"

    def reached(self, value: Decimal) -> str:
        """Describe the level as reached, with the value: `SILVER is above 31.5: bid 31.52`."""
        if self.measure is Measure.MOVE:
            return f"{self.epic} moved {short(value)} %{self._since}"
        margin = f"{short(value)} %" if self.measure is Measure.MARGIN else plain(value)
        subject = {Measure.PNL: "Open P&L", Measure.MARGIN: "Margin"}.get(self.measure, self.epic)
        return f"{subject} is {self._bound}: {'bid ' * (self.measure is Measure.BID)}{margin}"


class AccountLevels(Struct, frozen=True):
    """The figures for account levels: open P&L (account currency), margin (% of equity)."""

    pnl: Decimal
    margin: Decimal
    at: datetime

    @classmethod
    def of(cls, account: Account, at: datetime) -> "AccountLevels":
        used = account.equity - account.available
        # Without equity all of it is used.
        share = percent_of(used, account.equity) if account.equity > 0 else Decimal(100 if used > 0 else 0)
        return cls(account.open_pl, share.quantize(Decimal("0.01")), at)

    def value(self, measure: Measure) -> Decimal:
        return self.pnl if measure is Measure.PNL else self.margin


class AlertState(StrEnum):
    """The state of a stored alert; it fires once."""

    WAITING = "WAITING"
    FIRED = "FIRED"
    REMOVED = "REMOVED"


class StoredAlert(Struct, frozen=True):
    """A level stored in the journal until it is reached, with a number in its account."""

    number: int
    level: Level
    state: AlertState
    created_at: datetime
    ended_at: datetime | None = None
