"""The context of every use case, and one consistent snapshot of the account."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import Account, Position, Preferences, Transaction, WorkingOrder
from capcli.domain.account_events import Place
from capcli.domain.market import Market, OrderRules
from capcli.errors import CapcliError, WouldSend
from capcli.ports import Broker, Clock, Ids, Lane
from capcli.ports.journal import AccountLock, AttemptBook, HaltSwitch, Journal

if TYPE_CHECKING:
    from capcli.domain.check_input import Policy
    from capcli.safety.approval import Approvals
    from capcli.trading.send_gate import SendGate

T = TypeVar("T")


class Patience(Struct, frozen=True):
    """How long a missing order proves nothing, and the least time between two such checks (seconds)."""

    quiet_s: float = 120
    gap_s: float = 30

    @property
    def pause_s(self) -> float:
        """Return the pause between two checks while waiting for an outcome."""
        return self.gap_s / 6


class supplied(Generic[T]):  # noqa: N801  used as a property is
    """A fact of a context that is made whenever it is read, since it may fail or costs a load."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, context: "Context", owner: type | None = None) -> T:
        found: T = context.supply[self._name]()
        return found


class Context(Struct, frozen=True, kw_only=True):
    """What every use case works with: broker, journal, limits, approvals, clock, random ids.

    `account` is the one that the user asked for, if any. `client` names who asks. `notices` are said beside a
    result: settings that cannot be read and that it does not use.
    """

    env: str
    host: str
    account: str | None
    dry_run: bool
    confirmation_needed: bool
    ensure_stop: bool
    patience: Patience
    clock: Clock
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    ids: Ids
    client: Callable[[], str]
    lock: AccountLock
    supply: Mapping[str, Callable[[], Any]]
    notices: tuple[str, ...] = ()

    broker: ClassVar[supplied[Broker]] = supplied()
    journal: ClassVar[supplied[Journal]] = supplied()
    book: ClassVar[supplied[AttemptBook]] = supplied()
    """Where attempts are recorded: the journal, or for what takes risk away the best that there is."""
    halt: ClassVar[supplied[HaltSwitch]] = supplied()
    send_gate: "ClassVar[supplied[SendGate]]" = supplied()
    policy: "ClassVar[supplied[Policy]]" = supplied()
    approval: ClassVar[supplied[str]] = supplied()
    """Who approves: `confirm` is whoever confirms, `human` a person."""
    approvals: "ClassVar[supplied[Approvals]]" = supplied()
    preview_ttl_s: ClassVar[supplied[int]] = supplied()

    def require_policy(self) -> None:
        """Raise what is wrong with settings that orders depend on, before the broker is asked."""
        self.supply["policy"]()

    def now(self) -> datetime:
        """Return the broker's time if known, else this computer's (UTC)."""
        return self.broker.broker_time() or self.clock()

    def place(self) -> Place:
        """Return environment, host and active account; asks the broker where no session is known."""
        broker = self.broker
        return self.env, broker.host, broker.account_id or broker.session().account_id

    def in_lane(self, lane: Lane) -> "Context":
        """Return this context with requests of another lane."""
        return replace(self, supply={**self.supply, "broker": lambda: self.broker.in_lane(lane)})

    def where(self, account_id: str | None) -> str:
        """Name environment, host and account, as the scope of a command."""
        named = dict.fromkeys((self.env, self.host, f"account {account_id or 'unknown'}"))
        return ", ".join(named)

    def rehearse(
        self, request: tuple[str, str, bytes | None], account_id: str, preview_id: str | None = None
    ) -> None:
        """Raise WouldSend on a dry run: called once everything is checked, before anything is recorded."""
        if self.dry_run:
            raise WouldSend(request, account_id=account_id, preview_id=preview_id)


class AccountSnapshot(Struct, frozen=True):
    """One consistent read of the broker: the session, the market, the account and the book.

    `rates`: account currency for one of the market's currency, and of those other deals are in, where known.
    """

    account_id: str
    market: Market
    rules: OrderRules
    account: Account
    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    orders_today: int
    preferences: Preferences
    rates: Mapping[str, Decimal]
    bookings: tuple[Transaction, ...] = ()


def active_on(broker: Broker, account_id: str) -> str:
    """Return the active account, after a switch to the wanted one if they differ.

    A login, of this or of another process, may have landed on the preferred account (API page 2.6).
    """
    active = broker.session().account_id
    return active if active == account_id else broker.visit_account(account_id).account_id


def active_account_id(context: Context) -> str:
    """Return the session's account, logging in if nothing has been read yet."""
    return context.broker.account_id or context.broker.login().account_id


@contextmanager
def returning(broker: Broker) -> Iterator[None]:
    """Restore the active account afterwards: it is the user's choice."""
    before = broker.account_id
    try:
        yield
    finally:
        if before is not None and broker.account_id not in {None, before}:
            with suppress(CapcliError):
                broker.visit_account(before)
