"""The search for a lost order: its criteria, and the candidates found."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from capcli.domain.account import Activity, Position, WorkingOrder
from capcli.domain.attempt import Ending
from capcli.domain.identity import CLOCKS
from capcli.domain.order import OrderRequest

# The broker executes an order within two seconds of its last byte. How long a killed process kept sending is
# unknown: at most as long as a send can take.
_EXECUTES = timedelta(seconds=2)
_LONGEST_SEND = timedelta(seconds=35)


class Window(Struct, frozen=True):
    """When a lost order can have been created, by the broker's clock."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, sent_at: datetime, last_byte_at: datetime | None) -> "Window":
        """Return the window: from its send to two seconds after its last byte left, plus clock error."""
        until = sent_at + _LONGEST_SEND if last_byte_at is None else last_byte_at + _EXECUTES
        return cls(sent_at - CLOCKS, until + CLOCKS)

    def holds(self, at: datetime | None) -> bool:
        """Whether something was created in time; without a time it is not known to be late."""
        return at is None or self.since <= at <= self.until


class CompetingOrder(Struct, frozen=True):
    """Another lost order of the same epic, side and size. `known` are deals that it cannot be."""

    attempt_id: str
    window: Window
    known: frozenset[str] = frozenset()


class UnconfirmedOrder(Struct, frozen=True):
    """An order without an answer.

    `known`: the ids of the baseline and of all other attempts. `sizes`: those of the baseline's positions,
    `opposite` the ones on the other side of this market. `rivals` may have left the same trace. On an account
    that `hedges` an order reduces nothing.
    """

    request: OrderRequest
    window: Window
    known: frozenset[str]
    sizes: Mapping[str, Decimal] = field(default_factory=dict)
    rivals: tuple[CompetingOrder, ...] = ()
    opposite: frozenset[str] = frozenset()
    hedges: bool = False

    @property
    def since(self) -> datetime:
        return self.window.since


class Seen(Struct, frozen=True):
    """One complete read of the account after the send, `at` by the broker's clock; activity newest first."""

    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    activity: tuple[Activity, ...]
    at: datetime | None = None

    @property
    def names(self) -> frozenset[str]:
        """Return the ids of all deals and orders seen."""
        ids = {row.deal_id for row in self.orders}
        for position in self.positions:
            ids |= {position.deal_id, position.working_order_id or position.deal_id}
        for row in self.activity:
            ids |= {row.deal_id, row.working_order_id or row.deal_id}
        return frozenset(ids)


class Candidate(Struct, frozen=True):
    """A deal or order that the lost order may have become; `rows` are its rows still listed.

    Not `sure`: it only disproves absence. `late`: created (`at`) after the window.
    `shared`: other attempts that it fits. `reduced`: deals that it reduced, not opened.
    """

    deal_ids: tuple[str, ...]
    rows: tuple[Position, ...] | tuple[WorkingOrder, ...] = ()
    level: Decimal | None = None
    size: Decimal | None = None
    order_id: str | None = None
    ending: Ending | None = None
    sure: bool = True
    at: datetime | None = None
    late: bool = False
    shared: tuple[str, ...] = ()
    reduced: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Return its deals, or its order id if none of its deals is seen."""
        return self.deal_ids or tuple(filter(None, (self.order_id,)))


class LookupOutcome(StrEnum):
    """What a lookup proves: one candidate, one rejection, absence, or nothing."""

    LANDED = "landed"
    REJECTED = "rejected"
    NOTHING_THERE = "nothing there"
    UNDECIDED = "undecided"


class ReconciliationReport(Struct, frozen=True):
    """All candidates for a lost order, those with its stop first, and the ids of rejected orders like it.

    `others`: new deals of that epic and side that only a person can identify as this order.
    """

    traces: tuple[Candidate, ...] = ()
    rejected: tuple[str, ...] = ()
    others: tuple[Candidate, ...] = ()
    refused_for_sure: bool = True

    @property
    def outcome(self) -> LookupOutcome:
        """Several candidates prove nothing; a late one proves nothing yet."""
        if not self.traces and not self.rejected:
            return LookupOutcome.NOTHING_THERE
        if not self.traces and len(self.rejected) == 1 and self.refused_for_sure:
            return LookupOutcome.REJECTED
        if len(self.traces) == 1 and self.traces[0].sure and not self.rejected:
            return LookupOutcome.LANDED
        return LookupOutcome.UNDECIDED

    @property
    def deals(self) -> tuple[str, ...]:
        """Return the deals of all candidates."""
        return tuple(dict.fromkeys(deal for trace in self.traces for deal in trace.deal_ids))

    @property
    def in_time(self) -> tuple[Candidate, ...]:
        """Return the candidates created within the window."""
        return tuple(trace for trace in self.traces if not trace.late)

    @property
    def late(self) -> tuple[Candidate, ...]:
        """Return the candidates created later: late landings, or trades by hand."""
        return tuple(trace for trace in self.traces if trace.late)

    @property
    def shared(self) -> tuple[str, ...]:
        """Return the other attempts that a candidate fits."""
        return tuple(dict.fromkeys(name for trace in self.traces for name in trace.shared))

    def naming(self, deal_id: str) -> Candidate | None:
        """Return the candidate with a deal id, else the new deal with that id."""
        every = (*self.traces, *self.others)
        return next((one for one in every if deal_id in {*one.deal_ids, one.order_id}), None)
