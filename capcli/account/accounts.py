"""Accounts and the session: who is logged in, on which account, and what is in it."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from capcli.context import Context
from capcli.domain.account import Account, Rows, UnreadableRow
from capcli.domain.fields import with_fields_of
from capcli.errors import AccountUnknown, UsageError
from capcli.reply import Reply


class AccountRow(Struct, frozen=True):
    """One account. Amounts in its `currency`; `margin` is equity less what is available."""

    account_id: str
    name: str
    active: bool
    preferred: bool
    status: str
    type: str
    currency: str
    cash: Decimal
    equity: Decimal
    open_pl: Decimal
    margin: Decimal
    available: Decimal


class AccountsFound(Struct, frozen=True):
    """The accounts of the login."""

    accounts: tuple[AccountRow, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class SessionShown(Struct, frozen=True):
    """The broker session; `logged_in` is false when there is none (then no request was made).

    `approval` says who approves orders (confirm or human), `halt` why new risk is halted (None: it is not).
    """

    logged_in: bool
    host: str
    account_id: str | None
    currency: str | None
    client_id: str | None
    broker_time: datetime | None
    approval: str
    halt: str | None = None


class LoggedOut(Struct, frozen=True):
    """Whether a session was ended at the broker (false when there was none)."""

    ended: bool


class Pong(Struct, frozen=True):
    """Whether the broker answered and the session is renewed."""

    alive: bool


class Accounts:
    """Reads accounts and handles the session."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._broker = context.broker

    def list(self) -> Reply[AccountsFound]:
        """Return all accounts of the login and say which one is active."""
        accounts = self._broker.accounts()
        active = self._broker.account_id
        rows = tuple(
            with_fields_of(
                account,
                AccountRow,
                active=account.account_id == active,
                margin=account.equity - account.available,
            )
            for account in accounts
        )
        return Reply(AccountsFound(rows, accounts.unreadable), active)

    def use(self, account_id: str) -> Reply[SessionShown]:
        """Make an account the active one for this session. Raises ConfigError for an unknown one."""
        if not account_id.isascii() or not account_id.isalnum():
            raise UsageError("An account id is made of digits.", next="capcli accounts")
        require_known_account(self._broker.accounts(), account_id)
        if self._broker.session().account_id != account_id:
            self._broker.switch_account(account_id)
        return self.session()

    def login(self, *, force: bool = False) -> Reply[SessionShown]:
        """Log in where there is no session yet (or again with `force`) and show it."""
        self._broker.login(force=force)
        return self.session()

    def session(self) -> Reply[SessionShown]:
        """Return the session as the broker sees it now."""
        session = self._broker.session()
        return self._session(session.account_id, session.currency, session.client_id)

    def known(self) -> Reply[SessionShown]:
        """Return what is known about the session without asking the broker."""
        return self._session(self._broker.account_id, self._broker.account_currency, None)

    def _session(
        self, account_id: str | None, currency: str | None, client_id: str | None
    ) -> Reply[SessionShown]:
        halt = self._context.halt.read()
        found = SessionShown(
            logged_in=account_id is not None,
            host=self._broker.host,
            account_id=account_id,
            currency=currency,
            client_id=client_id,
            broker_time=self._broker.broker_time(),
            approval=self._context.approval,
            halt=halt.words if halt else None,
        )
        return Reply(found, account_id)

    def ping(self) -> Reply[Pong]:
        """Keep the session alive."""
        return Reply(Pong(self._broker.ping()), self._broker.account_id)

    def logout(self) -> Reply[LoggedOut]:
        """End the broker's sessions of all accounts and forget their tokens. Raises the Keychain errors."""
        account_id = self._broker.account_id
        return Reply(LoggedOut(self._broker.logout()), account_id)


def require_known_account(accounts: Rows[Account], account_id: str) -> None:
    """Raise AccountUnknown when the login has no such account, naming the ones it has."""
    ids = [account.account_id for account in accounts] + [row.name or "" for row in accounts.unreadable]
    known = ", ".join(ids)
    if account_id not in ids:
        raise AccountUnknown(
            f"This login has no account {account_id}; it has {known}. Nothing was switched.",
            next="capcli accounts",
        )
