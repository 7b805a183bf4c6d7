"""The broker as typed calls in domain values: implements `ports.Broker` (docstrings are there)."""

import copy
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Self, TypeVar

import httpx
import msgspec
from msgspec.structs import replace

from capcli.broker import history, requests, translate, wire
from capcli.broker.answers import clean, is_not_found
from capcli.broker.calls import Calls
from capcli.broker.changes import Changes
from capcli.broker.limits import Openings, Pace
from capcli.broker.markets import MarketReads
from capcli.broker.proxies import Proxy
from capcli.broker.reader import Reader, decoded
from capcli.broker.requests import Ask
from capcli.broker.session import Sessions
from capcli.broker.transport import Tokens, Wire
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
from capcli.domain.market import MarketRow
from capcli.errors import DealUnknown, ReadOnly, RowUnreadable, WouldSend
from capcli.ports import Clock, Lane, Requests
from capcli.ports.login import (
    Allowance,
    Credentials,
    LoginLock,
    PreferencesBook,
    SessionCache,
    SessionLock,
    SharedBook,
    StoredSession,
)

_Row = TypeVar("_Row")

_NO_FILTER: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class CapitalBroker(MarketReads):
    """Capital.com, or anything that speaks its REST contract, as one `Broker`.

    `transport` is the seam for the paper broker and for faults; `read_timeout_s` touches reads only.
    `monotonic` (seconds) and `sleep` drive the pacing, `clock` everything that is a date; the books and the
    lock are what the processes of a user share. `on_wait` is called with the seconds of a rate-limit wait.
    With `reads_only` it logs in and reads, and refuses everything else.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Callable[[], Credentials],
        *,
        clock: Clock,
        cache: SessionCache | None = None,
        wanted_account: str | None = None,
        transport: httpx.BaseTransport | None = None,
        read_timeout_s: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        pace_book: SharedBook[Allowance] | None = None,
        openings_book: SharedBook[tuple[float, ...]] | None = None,
        openings_an_hour: int | None = None,
        preferences_book: PreferencesBook | None = None,
        login_lock: LoginLock = nullcontext,
        session_lock: SessionLock = nullcontext,
        on_wait: Callable[[float], None] = lambda _seconds: None,
        sealed_login: bool = True,
        dry_run: bool = False,
        reads_only: bool = False,
    ) -> None:
        self._dry_run = dry_run
        self._reads_only = reads_only
        self._wire = Wire(base_url, clock=clock, transport=transport, read_timeout_s=read_timeout_s)
        pace = Pace(monotonic, sleep, pace_book, on_wait)
        self._openings = Openings(clock, openings_book, openings_an_hour)
        self._preferences = preferences_book
        calls = Calls(self._wire, pace)
        self._sessions = Sessions(
            calls,
            credentials,
            clock=clock,
            cache=cache,
            wanted_account=wanted_account,
            lock=login_lock,
            account_lock=session_lock,
            sealed_login=sealed_login,
        )
        super().__init__(Reader(self._wire, calls, self._sessions, clock, Lane.READS))
        self._changes = Changes(self._wire, pace, self._openings, self._sessions)

    @property
    def host(self) -> str:
        return self._wire.host

    @property
    def account_id(self) -> str | None:
        return self._sessions.account_id

    @property
    def account_currency(self) -> str | None:
        session = self._sessions.current
        return session.currency if session else None

    @property
    def requests(self) -> Requests:
        return requests

    def in_lane(self, lane: Lane) -> Self:
        other = copy.copy(self)
        other._reader = self._reader.in_lane(lane)  # noqa: SLF001  a broker of our own making
        return other

    def opening_wait_s(self) -> int:
        return self._openings.wait_s()

    @property
    def held_session(self) -> StoredSession | None:
        """Return the session in use with its tokens, without a request."""
        return self._sessions.current

    def stream_tokens(self) -> Tokens:
        """Return the tokens for messages on the stream, logging in if there are none."""
        return self._sessions.live().tokens

    @property
    def trust(self) -> Callable[[], ssl.SSLContext]:
        """Return the TLS context factory of this process, for a stream on another host."""
        return self._wire.trust

    @property
    def proxy(self) -> Proxy | None:
        """Return the proxy on the way to the broker. Raises ConfigError for one that cannot be used."""
        return self._wire.proxy

    def close(self) -> None:
        """Close the connections; the session stays alive at the broker."""
        self._wire.close()

    def login(self, *, force: bool = False) -> Session:
        if force:
            self._refuse_if_read_only("A new login may move the session that other programs share")
        return self._sessions.login(force=force)

    def logout(self) -> bool:
        self._refuse_if_read_only("A logout ends the session that other programs share")
        return self._sessions.logout()

    def hold_account(self) -> AbstractContextManager[None]:
        return self._sessions.hold()

    def session(self) -> Session:
        return self._sessions.details()

    def switch_account(self, account_id: str) -> Session:
        self._refuse_if_read_only("A switch moves the session that other programs share")
        return self._sessions.switch(account_id)

    def visit_account(self, account_id: str) -> Session:
        if self._reads_only and self.session().account_id != account_id:
            self._refuse_if_read_only(f"Looking at account {account_id} moves the session that others share")
        return self._sessions.visit(account_id)

    def ping(self) -> bool:
        return self._reader.get(requests.PING, wire.Pong).status == "OK"

    def server_time(self) -> datetime:
        return self._reader.server_time()

    def broker_time(self) -> datetime | None:
        return self._wire.broker_time()

    def accounts(self) -> Rows[Account]:
        found = self._reader.rows(requests.ACCOUNTS, "accounts")
        return translate.rows(found, wire.AccountRow, translate.account)

    def preferences(self, *, fresh: bool = True) -> Preferences:
        before, book = self.account_id, self._preferences
        if book is not None and before is not None and not fresh and (kept := book.load(before)) is not None:
            return kept
        found = translate.preferences(self._reader.get(requests.PREFERENCES, wire.Preferences))
        after = self.account_id
        # If the session moved meanwhile, it is unknown whose these are.
        if book is None or after is None or before not in {None, after}:
            return found
        return book.save(after, found)

    def observe_margin(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        if self._preferences is not None:
            self._preferences.observe(account_id, preferences, epic, pct)

    def forget_preferences(self) -> None:
        if self.account_id is not None and self._preferences is not None:
            self._preferences.drop(self.account_id)

    def positions(self) -> tuple[Position, ...]:
        return _whole(self.list_positions(), requests.POSITIONS)

    def list_positions(self) -> Listed[Position]:
        rows = self._reader.rows(requests.POSITIONS, "positions")
        return translate.listed(rows, wire.PositionRow, translate.position)

    def position(self, deal_id: str) -> Position:
        ask = requests.position(deal_id)
        try:
            row = self._reader.get(ask, msgspec.Raw)
        except DealUnknown:
            unknown = DealUnknown(
                f"No open position has the deal id {clean(deal_id, 64)}.",
                next="capcli positions",
                deal_id=clean(deal_id, 64),
            )
        else:
            found = translate.listed((row,), wire.PositionRow, translate.position)
            # The answer is about the requested deal, however much of it can be read.
            named = tuple(replace(row, deal_id=deal_id) for row in found.unreadable)
            return _whole(replace(found, unreadable=named), ask)[0]
        raise unknown

    def orders(self) -> tuple[WorkingOrder, ...]:
        return _whole(self.list_orders(), requests.ORDERS, next="capcli orders")

    def list_orders(self) -> Listed[WorkingOrder]:
        rows = self._reader.rows(requests.ORDERS, "workingOrders")
        return translate.listed(rows, wire.OrderRow, translate.working_order)

    def confirm(self, deal_reference: str) -> Confirm | None:
        ask = requests.confirm(deal_reference)
        reply = self._reader.read(ask)
        if is_not_found(reply.status, reply.body):
            return None
        return translate.confirm(decoded(reply, wire.Confirm, ask), deal_reference, ask.endpoint)

    def activity(self, start: datetime, end: datetime | None) -> tuple[Activity, ...]:
        return _whole(self.list_activity(start, end), requests.ACTIVITY, next="capcli history activity")

    def list_activity(
        self,
        start: datetime,
        end: datetime | None,
        *,
        deal_id: str | None = None,
        only: Mapping[str, tuple[str, ...]] = _NO_FILTER,
    ) -> Listed[Activity]:
        return history.activity(self._reader, start, end, deal_id, only)

    def transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> tuple[Transaction, ...]:
        found = self.list_transactions(start, end, kind=kind)
        return _whole(found, requests.TRANSACTIONS, next="capcli history transactions")

    def list_transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> Listed[Transaction]:
        return history.transactions(self._reader, start, end, kind)

    def raw(self, ask: Ask) -> tuple[int, bytes]:
        """Return status and body of a GET unchanged, for a recording. Raises as every read."""
        key = ask == requests.ENCRYPTION_KEY
        reply = self._sessions.encryption_key() if key else self._reader.read(ask)
        return reply.status, reply.body

    def watchlists(self) -> Rows[Watchlist]:
        found = self._reader.rows(requests.WATCHLISTS, "watchlists")
        return translate.rows(found, wire.WatchlistRow, translate.same(Watchlist))

    def watchlist_markets(self, watchlist_id: str) -> Rows[MarketRow]:
        return self.market_rows(requests.watchlist(watchlist_id))

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        account_id: str | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send a change as `Changes.send`. Raises UsageError for a foreign path, WouldSend on a dry run."""
        ask = replace(requests.change(method, path, body), lane=self._reader.lane)
        self._refuse_if_read_only(f"{ask.endpoint} changes something at the broker")
        if self._dry_run:
            raise WouldSend((method, path, body or None), account_id=self.account_id)
        return self._changes.send(ask, account_id, ready)

    def _refuse_if_read_only(self, why: str) -> None:
        if self._reads_only:
            raise ReadOnly(
                f"This server was started with --read-only. {why}, so nothing was sent. "
                "It can be done in a terminal.",
            )


def _whole(found: Listed[_Row], ask: Ask, *, next: str = "capcli positions") -> tuple[_Row, ...]:  # noqa: A002
    if not found.unreadable:
        return found.rows
    named = "; ".join(f"{row.words}: {row.why}" for row in found.unreadable)
    raise RowUnreadable(
        f"The broker's answer to {ask.endpoint} has fields that cannot be read ({named}).",
        "Nothing was sent.",
        next=next,
        endpoint=ask.endpoint,
        deal_ids=[row.deal_id for row in found.unreadable],
    )
