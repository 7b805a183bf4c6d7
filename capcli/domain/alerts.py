"""What is waited for: a price, a move, the open P&L or the margin, and whether it is reached. Pure."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import Account
from capcli.domain.money import percent_of, plain, short

_MOVE = Decimal("0.0001")


class Way(StrEnum):
    """From which side a level is waited for."""

    ABOVE = "above"
    BELOW = "below"


class Measure(StrEnum):
    """What a level is compared with."""

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
        """Return this level with the bid that a move counts from."""
        return replace(self, start=bid) if self.measure is Measure.MOVE and self.start is None else self

    def value(self, bid: Decimal) -> Decimal:
        """Return what is compared at a bid; of the account it is compared as it is."""
        if self.measure is not Measure.MOVE or not self.start:
            return bid
        return ((bid - self.start) * 100 / self.start).quantize(_MOVE)

    def is_met(self, value: Decimal) -> bool:
        """Say whether it is reached at such a value."""
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
        """Say what is waited for: `SILVER above 31.5`."""
        if self.measure is Measure.MOVE:
            return f"{self.epic} {short(self.price)} % up or down{self._since}"
        return f"{_SUBJECTS.get(self.measure, self.epic)} {self._bound}"

    def reached(self, value: Decimal) -> str:
        """Say that it is reached, and where the value is: `SILVER is above 31.5: bid 31.52`."""
        if self.measure is Measure.MOVE:
            return f"{self.epic} moved {short(value)} %{self._since}"
        margin = f"{short(value)} %" if self.measure is Measure.MARGIN else plain(value)
        subject = {Measure.PNL: "Open P&L", Measure.MARGIN: "Margin"}.get(self.measure, self.epic)
        return f"{subject} is {self._bound}: {'bid ' * (self.measure is Measure.BID)}{margin}"


class AccountLevels(Struct, frozen=True):
    """What the levels of an account are compared with: open P&L (account currency), margin (% of equity)."""

    pnl: Decimal
    margin: Decimal
    at: datetime

    @classmethod
    def of(cls, account: Account, at: datetime) -> "AccountLevels":
        used = account.equity - account.available
        # Without equity all of it is in use.
        share = percent_of(used, account.equity) if account.equity > 0 else Decimal(100 if used > 0 else 0)
        return cls(account.open_pl, share.quantize(Decimal("0.01")), at)

    def value(self, measure: Measure) -> Decimal:
        return self.pnl if measure is Measure.PNL else self.margin


class AlertState(StrEnum):
    """What became of a stored alert: it fires once."""

    WAITING = "WAITING"
    FIRED = "FIRED"
    REMOVED = "REMOVED"


class StoredAlert(Struct, frozen=True):
    """A level that is kept in the journal until it is reached, under a number of its account."""

    number: int
    level: Level
    state: AlertState
    created_at: datetime
    ended_at: datetime | None = None
