"""An order as requested by the user."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import OrderType
from capcli.domain.market import Side
from capcli.domain.money import EXACT, ceil_to, floor_to, short
from capcli.domain.notes import as_options


class Kind(StrEnum):
    """The kind of a preview or an attempt; an attempt of one kind never runs as another."""

    MARKET = "MARKET"
    WORKING = "WORKING"
    WORKING_UPDATE = "WORKING_UPDATE"
    CLOSE = "CLOSE"
    AMEND = "AMEND"
    CANCEL = "CANCEL"

    @property
    def is_order(self) -> bool:
        """Whether it sends an order; the others change an existing deal."""
        return self in {Kind.MARKET, Kind.WORKING}


class ExitForm(StrEnum):
    """How a stop or a limit is given: a price, a distance in price units, an amount, or percent of the entry.

    PERCENT never reaches the broker: `placed` turns it into a level, or a distance where the stop trails.
    """

    LEVEL = "LEVEL"
    DISTANCE = "DISTANCE"
    AMOUNT = "AMOUNT"
    PERCENT = "PERCENT"


_OPTIONS = {
    ExitForm.LEVEL: "",
    ExitForm.PERCENT: "",
    ExitForm.DISTANCE: "-distance",
    ExitForm.AMOUNT: "-amount",
}


class ExitOrder(Struct, frozen=True):
    """A stop or a limit as the user gave it."""

    form: ExitForm
    value: Decimal

    def words(self, name: str, write: Callable[[Decimal], str] = short) -> str:
        """Return it as an option of a command line; `name` is stop or limit."""
        return f"--{name}{_OPTIONS[self.form]} {write(self.value)}{'%' * (self.form is ExitForm.PERCENT)}"

    def placed(self, entry: Decimal, step: Decimal, *, below: bool, trailing: bool = False) -> "ExitOrder":
        """Convert percent to a level on the price step, never nearer than given."""
        if self.form is not ExitForm.PERCENT:
            return self
        distance = EXACT.multiply(entry, self.value) / 100
        if trailing:
            return ExitOrder(ExitForm.DISTANCE, ceil_to(distance, step))
        level = floor_to(entry - distance, step) if below else ceil_to(entry + distance, step)
        return ExitOrder(ExitForm.LEVEL, level)


class Trigger(Struct, frozen=True):
    """Makes an order a working order: its level, its type, and its expiry (UTC)."""

    level: Decimal
    type: OrderType | None = None
    good_till: datetime | None = None


class OrderTerms(Struct, frozen=True, kw_only=True):
    """An order's terms besides market, size and levels, also in previews and the journal."""

    trailing: bool = False
    guaranteed: bool = False
    note: str | None = None
    tag: str | None = None

    @property
    def words(self) -> list[str]:
        """Return them as options of a command line."""
        words = ["--trailing"] * self.trailing + ["--guaranteed"] * self.guaranteed
        return words + as_options(self.note, self.tag)

    def lines(self) -> Iterator[str]:
        """Describe the terms not covered by the lines about stop and limit, for the person who approves."""
        if self.tag:
            yield f"Tag {self.tag}"
        if self.note:
            yield f'Note: "{self.note.replace(chr(34), chr(39))}"'


class OrderRequest(OrderTerms, frozen=True):
    """An order as asked for: `size` in units, exits in the instrument's currency; notes are never sent."""

    epic: str
    side: Side
    size: Decimal
    stop: ExitOrder | None = None
    limit: ExitOrder | None = None
    trigger: Trigger | None = None

    def placed(self, entry: Decimal, step: Decimal) -> "OrderRequest":
        """Return it with a stop and a limit in percent converted for the broker."""
        below = self.side is Side.BUY
        stop = self.stop and self.stop.placed(entry, step, below=below, trailing=self.trailing)
        return replace(self, stop=stop, limit=self.limit and self.limit.placed(entry, step, below=not below))

    @property
    def kind(self) -> Kind:
        return Kind.WORKING if self.trigger else Kind.MARKET


_TRAILS = frozenset({ExitForm.DISTANCE, ExitForm.PERCENT})


def faults(request: OrderRequest) -> Iterator[str]:
    """Yield why no market could accept an order like this."""
    for name, given in (("stop", request.stop), ("limit", request.limit)):
        if given is not None and given.value <= 0:
            yield f"The {name} must be above 0, not {given.value}."
    if request.trigger and request.trigger.level <= 0:
        yield f"The level must be above 0, not {request.trigger.level}."
    # API page 6.4: trailing needs a distance and excludes guaranteed, which needs a stop.
    if request.trailing and request.guaranteed:
        yield "A stop is trailing or guaranteed, not both."
    if request.trailing and (request.stop is None or request.stop.form not in _TRAILS):
        yield "A trailing stop needs its distance: --stop-distance D --trailing, or --stop 2% --trailing."
    if request.guaranteed and request.stop is None:
        yield "A guaranteed stop needs a stop: --stop, --stop-distance or --stop-amount."


def wire_time(at: datetime) -> str:
    """Write an instant as the broker reads it: UTC, seconds, no `Z` (API page 5.1)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
