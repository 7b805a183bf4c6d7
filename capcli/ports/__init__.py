"""The use cases' view of the broker, as Protocols. The adapter is in capcli/broker.

A read that only one package needs is a Protocol there, as in marketdata/browse.py.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from capcli.domain.account import (
    Account,
    Activity,
    Confirm,
    Listed,
    Position,
    Preferences,
    Rows,
    Session,
    Transaction,
    Watchlist,
    WorkingOrder,
)
from capcli.domain.attempt import Answer
from capcli.domain.market import Candle, Market, MarketDetails, MarketRow, Resolution

if TYPE_CHECKING:
    from capcli.domain.account import OrderType
    from capcli.domain.bracket import Target
    from capcli.domain.order import OrderRequest


Clock = Callable[[], datetime]
"""Returns the present as aware UTC."""


Ids = Callable[[str], str]
"""Returns a new id for a prefix: `p_` or `a_` and 12 of `[0-9a-z]`."""


class Lane(IntEnum):
    """Priority for the broker's request limit. Inside a lane, first come first served."""

    ORDERS = 0
    """Orders, closes, amendments, cancellations, and the reads that make them safe."""
    READS = 1
    """What somebody waits for."""
    BULK = 2
    """Long downloads: what the others leave, in even steps so that nobody waits long behind them."""


PREFIX = "/api/v1"
"""What every path of the broker begins with (API page 1)."""


class Request(NamedTuple):
    """A change exactly as sent: stored by a preview, approved by a person, shown by a dry run."""

    method: str
    path: str
    body: bytes = b""


class Requests(Protocol):
    """Builds the request of each change. Pure."""

    def open_order(self, request: "OrderRequest", order_type: "OrderType | None") -> Request: ...

    def close_position(self, deal_id: str) -> Request: ...

    def cancel_order(self, deal_id: str) -> Request: ...

    def amend(self, deal_id: str, target: "Target", *, endless: bool) -> Request: ...

    def set_preferences(self, hedging: bool | None, leverages: Mapping[str, Decimal]) -> Request: ...

    def top_up(self, amount: Decimal) -> Request: ...

    def create_watchlist(self, name: str, epics: Iterable[str]) -> Request: ...

    def add_to_watchlist(self, watchlist_id: str, epic: str) -> Request: ...

    def remove_from_watchlist(self, watchlist_id: str, epic: str) -> Request: ...

    def delete_watchlist(self, watchlist_id: str) -> Request: ...


class Broker(Protocol):
    """One broker session. Reads raise the errors of `capcli.errors`; mutations answer with what came back.

    Reads log in on demand, are repeated once after a new login on a lost session, and wait when rate limited.
    Mutations are sent once, whatever happens: no retry, no redirect, no new login.
    """

    @property
    def host(self) -> str:
        """The broker's host (`paper` for the embedded one)."""

    @property
    def account_id(self) -> str | None:
        """Return the session's account as last seen, without a request."""

    @property
    def account_currency(self) -> str | None:
        """Return the currency of that account, without a request."""

    @property
    def requests(self) -> Requests: ...

    def in_lane(self, lane: Lane) -> Self:
        """Return this broker for another lane, with the same session and connections."""

    def opening_wait_s(self) -> int:
        """Return the seconds until the hourly limit allows another order; 0: now."""

    def login(self, *, force: bool = False) -> Session:
        """Return the session, logging in if there is none or if forced. Raises LoginRefused, ConfigError."""

    def logout(self) -> bool:
        """End the sessions of all accounts; return whether there was one. Raises the Keychain errors."""

    def hold_account(self) -> AbstractContextManager[None]:
        """Keep the active account: no process of this user can switch it meanwhile. Raises Busy."""

    def session(self) -> Session:
        """GET /session: the account as the broker sees it now."""

    def switch_account(self, account_id: str) -> Session:
        """Make an account active, here and for later processes. Raises ConfigError, Busy."""

    def visit_account(self, account_id: str) -> Session:
        """Switch to an account temporarily; later processes stay on the chosen one."""

    def ping(self) -> bool: ...

    def server_time(self) -> datetime: ...

    def broker_time(self) -> datetime | None:
        """Return the broker's clock as of its last answer (its Date header, moved on by our own clock)."""

    def accounts(self) -> Rows[Account]: ...

    def preferences(self, *, fresh: bool = True) -> Preferences:
        """GET /accounts/preferences of the active account, or a copy at most five minutes old."""

    def observe_margin(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        """Store a market's margin in percent as seen in a fill; `preferences` include it from then on."""

    def forget_preferences(self) -> None:
        """Drop the cached preferences of the active account."""

    def search(self, term: str | None) -> Rows[MarketRow]: ...

    def markets(self, epics: tuple[str, ...]) -> tuple[Market, ...]: ...

    def market(self, epic: str) -> Market: ...

    def all_details(self, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]: ...

    def details(self, epic: str) -> MarketDetails:
        """Return a market, with or without prices. Raises EpicUnknown."""

    def candles(
        self,
        epic: str,
        resolution: Resolution,
        *,
        last: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Rows[Candle]:
        """Return one page of candles, oldest first, empty when the window has none; `last` at most 1000."""

    def positions(self) -> tuple[Position, ...]:
        """Return all positions. Raises RowUnreadable if one cannot be read."""

    def list_positions(self) -> Listed[Position]:
        """Return the readable positions, and name the others."""

    def position(self, deal_id: str) -> Position:
        """Return one position. Raises DealUnknown, and RowUnreadable for one that cannot be read."""

    def orders(self) -> tuple[WorkingOrder, ...]:
        """Return all working orders. Raises RowUnreadable, as `positions`."""

    def list_orders(self) -> Listed[WorkingOrder]:
        """Return the readable working orders, and name the others."""

    def confirm(self, deal_reference: str) -> Confirm | None:
        """Return the confirmation, None while the broker does not know the reference (404)."""

    def activity(self, start: datetime, end: datetime | None) -> tuple[Activity, ...]:
        """Return activity of at most a day, newest first; no end: up to now. Raises RowUnreadable."""

    def list_activity(
        self,
        start: datetime,
        end: datetime | None,
        *,
        deal_id: str | None = None,
        only: Mapping[str, tuple[str, ...]] = ...,
    ) -> Listed[Activity]:
        """Return the same, row by row; `only`: what a field (epic, source, status, type) must be one of."""

    def transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> tuple[Transaction, ...]:
        """Return a window's bookings, newest first; no end: up to now. Raises RowUnreadable."""

    def list_transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> Listed[Transaction]:
        """Return the same, row by row."""

    def watchlists(self) -> Rows[Watchlist]: ...

    def watchlist_markets(self, watchlist_id: str) -> Rows[MarketRow]: ...

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        account_id: str | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send one mutation once and return what came back. Network failures are not raised.

        `ready` is called when nothing is left to wait for, right before the first byte; what it raises keeps
        the mutation here.
        With an `account_id`, nothing leaves while the session is on another account: NOT_CONNECTED.
        """
