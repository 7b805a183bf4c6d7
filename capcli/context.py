"""What every use case works with, and what one look at the account holds. Reads only who we are there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from capcli.domain.account import Account, Position, Preferences, Transaction, WorkingOrder
from capcli.domain.check_input import Policy
from capcli.domain.market import Market, OrderRules
from capcli.errors import CapcliError, WouldSend
from capcli.ports import Broker, Clock, HaltSwitch, Journal

if TYPE_CHECKING:
    from capcli.safety.approval import Approvals


@dataclass(frozen=True, slots=True)
class Context:
    """What every use case about orders works with."""

    env: str
    broker: Broker
    journal: Journal
    policy: Policy
    clock: Clock
    halt: HaltSwitch
    approvals: "Approvals"
    dry_run: bool = False
    notices: tuple[str, ...] = ()
    """What a way out says beside its result: settings that cannot be read and that it does not use."""

    def where(self, account_id: str | None) -> str:
        """Name environment, host and account: where something is closed, and the rest is not."""
        named = dict.fromkeys((self.env, self.broker.host, f"account {account_id or 'unknown'}"))
        return ", ".join(named)

    def rehearse(
        self,
        method: str,
        path: str,
        body: bytes | None,
        account_id: str,
        preview_id: str | None = None,
    ) -> None:
        """Raise WouldSend on a dry run: called once everything is checked, before anything is recorded."""
        if self.dry_run:
            raise WouldSend((method, path, body), account_id=account_id, preview_id=preview_id)


class AccountSnapshot(Struct, frozen=True):
    """One consistent look at the broker: who we are there, the market, the account and the book.

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
    """Return the account that the broker is on, after a switch to the one that is wanted where they differ.

    A login, of this or of another process, may have landed on the preferred account (API page 2.6).
    """
    active = broker.session().account_id
    return active if active == account_id else broker.visit_account(account_id).account_id


def active_account_id(context: Context) -> str:
    """Return the account that the session is on, after a login where nothing has been read yet."""
    return context.broker.account_id or context.broker.login().account_id


@contextmanager
def returning(broker: Broker) -> Iterator[None]:
    """Leave the active account as it was found: which one that is stays the user's choice."""
    before = broker.account_id
    try:
        yield
    finally:
        if before is not None and broker.account_id not in {None, before}:
            with suppress(CapcliError):
                broker.visit_account(before)
