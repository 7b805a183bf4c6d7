"""The plan of an amendment: the deal before and after, and the differences between kinds of deals."""

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import Position, WorkingOrder
from capcli.domain.bracket import Bracket, Change, Target, loosened, shows
from capcli.domain.commands import change_words
from capcli.domain.mandate import Tightening
from capcli.domain.money import plain
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.errors import BrokerRefused, UsageError
from capcli.ports import Broker
from capcli.safety.approval_text import Ends, ExitOrders
from capcli.trading.exit_orders import check_change
from capcli.trading.open_risk import result_at

D = TypeVar("D", bound=Position | WorkingOrder)
A = TypeVar("A")


class Plan(Struct, Generic[D], frozen=True):
    """An amendment that passed its checks: the deal before and after.

    `kept` is the stop and limit where none is named: those of an order keep their distance when it moves.
    """

    deal: D
    account_id: str
    change: Change
    before: Target
    kept: Bracket
    after: Target
    consequences: tuple[str, ...] = ()

    @property
    def deal_id(self) -> str:
        return self.deal.deal_id

    @property
    def level(self) -> Decimal:
        """Return the deal's opening level, or its order level."""
        return self.deal.level if self.after.level is None else self.after.level

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to change; a position's trailing stop always starts again."""
        if isinstance(self.deal, Position):
            return self.after == self.before
        return shows(self.deal, self.after)

    @property
    def risks(self) -> tuple[str, ...]:
        """Describe the new risk; adding or tightening a stop is none, and neither is a limit."""
        before, after = self.before, self.after
        moved = after.level is not None and after.level != before.level
        waits = before.good_till is not None and (
            after.good_till is None or after.good_till > before.good_till
        )
        return (
            *([f"moves the order to {plain(self.level)}"] if moved else []),
            *(["lets it wait longer"] if waits else []),
            *loosened(self.kept, after.bracket, self.deal.side),
        )

    @property
    def tightening(self) -> Tightening | None:
        """Return an amendment's facts for the mandate check, which covers positions only."""
        if not isinstance(self.deal, Position):
            return None
        before, after = self.before.bracket, self.after.bracket
        only_stop = replace(before, stop=after.stop) == after and after.trail is None and not self.risks
        return Tightening(self.deal.side, before.stop, after.stop, only_stop=only_stop)

    def judged(self, request: OrderRequest) -> OrderRequest:
        """Return the request for the rules: of a kept stop only its guarantee is included."""
        stop, after = request.stop, self.after.bracket
        if self.change.guaranteed and after.stop is not None:
            stop = ExitOrder(ExitForm.LEVEL, after.stop)
        return replace(request, stop=stop, guaranteed=after.guaranteed and stop is not None)

    def ends(self, target: Target, rate: Decimal) -> ExitOrders:
        """Return a stop and limit with the deal's results there, in account currency."""
        entry, exits = target.level, target.bracket
        return ExitOrders(
            exits, Ends(*(result_at(self.deal, level, rate, entry) for level in (exits.stop, exits.limit)))
        )


class Amendable(ABC, Generic[D, A]):
    """The differences between kinds of deals. `unchanged` says what stays if an amendment is refused."""

    noun: ClassVar[str]
    unchanged: ClassVar[str]
    nothing_named: ClassVar[str]

    def command(self, deal_id: str, change: Change) -> str:
        """Return the command that makes a change."""
        return " ".join([f"capcli {self.noun}s amend", deal_id, *change_words(change)])

    def check(self, change: Change) -> None:
        """Refuse changes impossible for this kind of deal, before any request. Raises UsageError."""
        check_change(change, f"capcli {self.noun}s amend")
        if change == Change():
            raise UsageError(self.nothing_named, next=f"capcli {self.noun}s amend --help")

    @abstractmethod
    def find(self, broker: Broker, deal_id: str) -> D:
        """Read the deal. Raises DealUnknown."""

    def trigger(self, deal: D, change: Change) -> Trigger | None:  # noqa: ARG002
        """Return the trigger of the amended order; None for a position."""
        return None

    def refuse(self, plan: Plan[D], *, exact: bool) -> None:
        """Raise UsageError for values this deal cannot have; `exact`: a person must approve exact levels."""

    @abstractmethod
    def words(self, plan: Plan[D]) -> str:
        """Describe the amended deal."""

    @abstractmethod
    def question(self, plan: Plan[D]) -> tuple[str, str]:
        """Return the two lines that a person approves."""

    @abstractmethod
    def gone(self, plan: Plan[D], broker: Broker) -> tuple[str, BrokerRefused]:
        """Return what ended the deal before the amendment: a note for the journal, and the error."""

    @abstractmethod
    def without_stop(self, plan: Plan[D], seen: Bracket) -> str:
        """Describe a deal whose stop differs from the request although the broker accepted it."""

    @abstractmethod
    def result(self, plan: Plan[D], seen: Target, facts: dict[str, Any]) -> A:
        """Return the result: the common fields, and those of this kind."""
