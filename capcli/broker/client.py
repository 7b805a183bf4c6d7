"""The broker as typed calls, in domain values: implements `ports.Broker`."""

import copy
import re
import shlex
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from math import ceil
from types import MappingProxyType
from typing import Self, TypeVar

import httpx
import msgspec
from msgspec.structs import replace

from capcli.broker import translate, wire
from capcli.broker.calls import Calls
from capcli.broker.failures import (
    NOT_SENT,
    PRICES_EMPTY,
    base_code,
    clean,
    connect_reason,
    error_code,
    is_bare_object,
    is_busy,
    is_not_found,
    printable,
    refused,
    text_of,
)
from capcli.broker.limits import BACKOFF_S, Openings, Pace, RequestKind
from capcli.broker.proxies import Proxy
from capcli.broker.session import ENCRYPTION_KEY, Live, Sessions
from capcli.broker.transport import Ask, Headers, Reply, Tokens, Wire
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
    UnreadableRow,
    Watchlist,
    WorkingOrder,
)
from capcli.domain.attempt import Answer, Delivery
from capcli.domain.market import (
    Candle,
    Market,
    MarketDetails,
    MarketRow,
    Node,
    Resolution,
    Sentiment,
    is_epic,
)
from capcli.domain.order import ORDERS_PATH, POSITIONS_PATH, wire_time
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    DealUnknown,
    EpicUnknown,
    RateLimited,
    ReadOnly,
    RowUnreadable,
    UnreadableAnswer,
    UsageError,
    WouldSend,
)
from capcli.ports import (
    Clock,
    Credentials,
    Lane,
    LoginLock,
    OpeningsBook,
    PaceBook,
    PreferencesBook,
    SessionCache,
    SessionLock,
    StoredSession,
)

_Shape = TypeVar("_Shape")
_Row = TypeVar("_Row")
_Booked = TypeVar("_Booked", Activity, Transaction)

PAGE = 1000
EPICS_PER_CALL = 50
DEFAULT_BARS = 10
_OK = 200
_NOT_FOUND = 404
_SECOND = timedelta(seconds=1)
_DAY_S = 86_400
_SLACK_S = 60
_SEGMENT = re.compile(r"[A-Za-z0-9_.\-]+")
_MUTATIONS = frozenset({"POST", "PUT", "DELETE"})
_NO_QUERY: Mapping[str, str] = MappingProxyType({})
_NO_FILTER: Mapping[str, tuple[str, ...]] = MappingProxyType({})
LONGEST_NODE = 500


class NoPreferences:
    """Keeps none: every look is a fresh one."""

    def load(self, _account_id: str) -> Preferences | None:
        return None

    def save(self, _account_id: str, _preferences: Preferences) -> None:
        pass

    def drop(self, _account_id: str) -> None:
        pass

    def observe(self, _account_id: str, _preferences: Preferences, _epic: str, _pct: Decimal) -> None:
        pass

    def observed(self, _account_id: str, _preferences: Preferences) -> Mapping[str, Decimal]:
        return {}


class CapitalBroker:
    """Capital.com, or anything that speaks its REST contract, as one `Broker`.

    `transport` is the seam for the paper broker and for faults; `read_timeout_s` touches reads only.
    `monotonic` (seconds) and `sleep` drive the pacing, `clock` everything that is a date; the books and the
    lock are what the processes of a user share. `on_wait` hears the seconds of a wait for the rate limit.
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
        pace_book: PaceBook | None = None,
        openings_book: OpeningsBook | None = None,
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
        self._clock = clock
        self.lane = Lane.READS
        self._wire = Wire(base_url, clock=clock, transport=transport, read_timeout_s=read_timeout_s)
        self._pace = Pace(monotonic, sleep, pace_book, on_wait)
        self._openings = Openings(clock, openings_book, openings_an_hour)
        self._preferences = preferences_book or NoPreferences()
        self._calls = Calls(self._wire, self._pace)
        self._sessions = Sessions(
            self._calls,
            credentials,
            clock=clock,
            cache=cache,
            wanted_account=wanted_account,
            lock=login_lock,
            account_lock=session_lock,
            sealed_login=sealed_login,
        )

    @property
    def host(self) -> str:
        """Name the broker host that requests go to (`paper` for the embedded one)."""
        return self._wire.host

    @property
    def account_id(self) -> str | None:
        """Return the account that the session was last seen on, without a request."""
        return self._sessions.account_id

    @property
    def account_currency(self) -> str | None:
        """Return the currency of that account, without a request."""
        return self._sessions.account_currency

    def in_lane(self, lane: Lane) -> Self:
        """Return this broker for requests of another lane; session, connections and limits stay shared."""
        other = copy.copy(self)
        other.lane = lane
        return other

    def opening_wait_s(self) -> int:
        """Return how long no order can be opened, since the hour's are used up (seconds); 0 for now."""
        return self._openings.wait_s()

    @property
    def held_session(self) -> StoredSession | None:
        """Return the session in use with its tokens, for whoever keeps it; no request."""
        return self._sessions.held

    def stream_tokens(self) -> Tokens:
        """Return the tokens that a message on the stream carries, after a login where there are none."""
        return self._sessions.live().tokens

    @property
    def trust(self) -> Callable[[], ssl.SSLContext]:
        """Return what makes the TLS context of this process, for a stream on another host."""
        return self._wire.trust

    @property
    def proxy(self) -> Proxy | None:
        """Return the proxy on the way to the broker. Raises ConfigError for one that cannot be used."""
        return self._wire.proxy

    def close(self) -> None:
        """Close the connections; the session stays alive at the broker."""
        self._wire.close()

    def login(self, *, force: bool = False) -> Session:
        """Return the session, logging in if there is none or if forced. Raises LoginRefused, ConfigError."""
        if force:
            self._refuse_if_read_only("A new login may move the session that other programs share")
        return self._sessions.login(force=force)

    def logout(self) -> bool:
        """End the sessions of all accounts and forget their tokens; say whether the broker had one to end.

        Raises what the keychain does, with nothing sent.
        """
        self._refuse_if_read_only("A logout ends the session that other programs share")
        return self._sessions.logout()

    def hold_account(self) -> AbstractContextManager[None]:
        """Keep the account as it is for a while: no process of this user switches it. Raises Busy."""
        return self._sessions.hold()

    def session(self) -> Session:
        """GET /session: the account as the broker sees it now."""
        return self._sessions.details()

    def switch_account(self, account_id: str) -> Session:
        """Make an account the active one, for this process and those that share its session.

        Raises ConfigError that lists the accounts there are.
        """
        self._refuse_if_read_only("A switch moves the session that other programs share")
        return self._sessions.switch(account_id)

    def visit_account(self, account_id: str) -> Session:
        """Go to an account for a while; other processes stay on the one that was chosen.

        Raises ConfigError that lists the accounts there are.
        """
        if self._reads_only and self.session().account_id != account_id:
            self._refuse_if_read_only(f"Looking at account {account_id} moves the session that others share")
        return self._sessions.visit(account_id)

    def ping(self) -> bool:
        """Renew the session's idle time; say whether the broker answered OK."""
        return self._get(wire.Status, "ping").status == "OK"

    def server_time(self) -> datetime:
        """GET /time, which needs no login; by the answer's own date where it holds no time."""
        ask = Ask("GET", ("time",), lane=self.lane)
        reply = self._calls.patient(ask, Headers())
        try:
            return _decoded(reply, wire.ServerTime, ask.endpoint).server_time
        except UnreadableAnswer:
            if reply.broker_time is None:
                raise
            return reply.broker_time

    def broker_time(self) -> datetime | None:
        """Return the broker's clock as of its last answer, moved on by our own; None before the first."""
        return self._wire.broker_time()

    def accounts(self) -> Rows[Account]:
        """GET /accounts: all accounts of the login on this host."""
        found = self._get(wire.Accounts, "accounts").accounts
        return translate.rows(found, wire.AccountRow, translate.account)

    def hedging(self) -> bool:
        """Say whether opposite positions stay open side by side on the active account."""
        return self.preferences().hedging

    def preferences(self, *, fresh: bool = True) -> Preferences:
        """GET /accounts/preferences of the active account; else one read in the last five minutes will do."""
        before = self.account_id
        kept = None if fresh or before is None else self._preferences.load(before)
        if kept is not None and before is not None:
            return self._with_observed(before, kept)
        found = translate.preferences(self._get(wire.Preferences, "accounts", "preferences"))
        after = self.account_id
        # A session that moved meanwhile leaves it open whose these are.
        if after is None or before not in {None, after}:
            return found
        self._preferences.save(after, found)
        return self._with_observed(after, found)

    def observe_margin(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        """Keep the margin of a market, in percent, as a fill showed it; `preferences` name it then."""
        self._preferences.observe(account_id, preferences, epic, pct)

    def _with_observed(self, account_id: str, found: Preferences) -> Preferences:
        return replace(found, observed=self._preferences.observed(account_id, found))

    def forget_preferences(self) -> None:
        """Let the next look at the active account's preferences be a fresh one."""
        if self.account_id is not None:
            self._preferences.drop(self.account_id)

    def search(self, term: str | None) -> Rows[MarketRow]:
        """Return the markets whose name loosely matches, or all of them for None."""
        if term is not None and not term.strip():
            raise UsageError("A search needs a term.", next="capcli markets search TERM")
        query = _NO_QUERY if term is None else {"searchTerm": term.strip()}
        return self._market_rows("markets", query=query)

    def markets(self, epics: tuple[str, ...]) -> tuple[Market, ...]:
        """Return what `all_details` does. Raises NoQuote for the first that has no prices."""
        return tuple(map(translate.priced, self.all_details(epics)))

    def market(self, epic: str) -> Market:
        """Return what `details` does. Raises NoQuote for a market without prices."""
        return translate.priced(self.details(epic))

    def all_details(self, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]:
        """Return markets with their rules, 50 a request. Raises EpicUnknown for the first unknown one."""
        starts = range(0, len(epics), EPICS_PER_CALL)
        return tuple(
            market for start in starts for market in self._markets(epics[start : start + EPICS_PER_CALL])
        )

    def details(self, epic: str) -> MarketDetails:
        """Return a market with its rules. Raises EpicUnknown that names the upper-case epic if it exists."""
        try:
            return self._market(epic)
        except EpicUnknown as error:
            unknown = error
        upper = epic.upper()
        if upper == epic or not self._exists(upper):
            raise unknown
        raise EpicUnknown(
            f"No market has the epic {clean(epic, 64)}: did you mean {upper}? Epics are case-sensitive.",
            next=f"capcli markets show {upper}",
            epic=clean(epic, 64),
            suggestion=upper,
        )

    def candles(
        self,
        epic: str,
        resolution: Resolution,
        *,
        last: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Rows[Candle]:
        """Return one page of candles, oldest first, empty when the window has none; `last` at most 1000.

        With `start` alone the page goes on from there. With an `end` the window is calendar time, 999 candles
        wide at most (UsageError beyond), so it can hold fewer; `last` then keeps the latest of it.
        """
        bars = min(last or (DEFAULT_BARS if start is None and end is None else PAGE), PAGE)
        query = {"resolution": resolution.value, "max": str(bars)}
        if end is not None:
            until = self._not_future(end)
            begin = start or until - (bars - 1) * resolution.span
            if begin > until:
                return Rows(())
            query |= _window(begin, until, resolution)
        elif start is not None:
            # Whoever pages ends up here: the last candle's successor has not begun.
            if start > self._not_future(start):
                return Rows(())
            query["from"] = _wire_time(start)
        page = self._candles(epic, query)
        if end is None:
            return page
        # An empty window can bring the oldest candle again, which lies after it (API page 18.27).
        return Rows([bar for bar in page if bar.time <= until][-bars:], page.unreadable)

    def positions(self) -> tuple[Position, ...]:
        """GET /positions of the active account. Raises RowUnreadable where not every row can be read."""
        return _whole(self.list_positions(), "GET /positions")

    def list_positions(self) -> Listed[Position]:
        """GET /positions of the active account, row by row."""
        rows = self._get(wire.Positions, "positions").positions
        return translate.listed(rows, wire.PositionRow, translate.position)

    def position(self, deal_id: str) -> Position:
        """Return one open position. Raises DealUnknown, and RowUnreadable for one that is there."""
        try:
            row = self._get(msgspec.Raw, "positions", deal_id)
        except DealUnknown:
            unknown = DealUnknown(
                f"No open position has the deal id {clean(deal_id, 64)}.",
                next="capcli positions",
                deal_id=clean(deal_id, 64),
            )
        else:
            found = translate.listed((row,), wire.PositionRow, translate.position)
            return _whole(_about(found, deal_id), f"GET /positions/{deal_id}")[0]
        raise unknown

    def orders(self) -> tuple[WorkingOrder, ...]:
        """GET /workingorders of the active account. Raises RowUnreadable where not every row can be read."""
        return _whole(self.list_orders(), "GET /workingorders")

    def list_orders(self) -> Listed[WorkingOrder]:
        """GET /workingorders of the active account, row by row."""
        rows = self._get(wire.Orders, "workingorders").working_orders
        return translate.listed(rows, wire.OrderRow, translate.working_order)

    def confirm(self, deal_reference: str) -> Confirm | None:
        """Return the verdict, or None while the broker does not know the reference (API page 9.1)."""
        ask = Ask("GET", ("confirms", deal_reference), lane=self.lane)
        reply = self._sessions.read(ask)
        if is_not_found(reply.status, reply.body):
            return None
        return translate.confirm(_decoded(reply, wire.Confirm, ask.endpoint), deal_reference, ask.endpoint)

    def activity(
        self,
        start: datetime,
        end: datetime | None,
        *,
        deal_id: str | None = None,
        only: Mapping[str, tuple[str, ...]] = _NO_FILTER,
    ) -> tuple[Activity, ...]:
        """Return what `list_activity` does. Raises RowUnreadable where not every row can be read."""
        return _whole(self.list_activity(start, end, deal_id=deal_id, only=only), "GET /history/activity")

    def list_activity(
        self,
        start: datetime,
        end: datetime | None,
        *,
        deal_id: str | None = None,
        only: Mapping[str, tuple[str, ...]] = _NO_FILTER,
    ) -> Listed[Activity]:
        """Return the detailed activity of a window of at most one day, newest first.

        Without an end the window goes up to now and has at most a day, less a minute.

        `only` names what a field (epic, source, status, type) must be one of. Raises UsageError for a word
        that would change the meaning of the filter.
        """
        query = self._between(start, end)
        if query is None:
            return Listed(())
        query |= {"detailed": "true"}
        query |= {"dealId": deal_id} if deal_id else {}
        query |= {"filter": text} if (text := _fiql(only)) else {}
        ask = Ask("GET", ("history", "activity"), query, lane=self.lane)
        reply = self._sessions.read(ask)
        rows = _decoded(reply, wire.Activities, ask.endpoint).activities
        found = translate.listed(rows, wire.ActivityRow, translate.activity)
        if end is not None:
            return found
        older = partial(self.list_activity, deal_id=deal_id, only=only)
        return self._from_start(start, query, self._at(reply), found, older)

    def transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> tuple[Transaction, ...]:
        """Return what `list_transactions` does. Raises RowUnreadable where not every row can be read."""
        return _whole(self.list_transactions(start, end, kind=kind), "GET /history/transactions")

    def list_transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> Listed[Transaction]:
        """Return the account's bookings of a window, newest first, of one type or of all.

        Without an end the window goes up to now and has at most a day, less a minute.
        """
        query = self._between(start, end)
        if query is None:
            return Listed(())
        query |= {"type": kind} if kind else {}
        ask = Ask("GET", ("history", "transactions"), query, lane=self.lane)
        reply = self._sessions.read(ask)
        rows = _decoded(reply, wire.Transactions, ask.endpoint).transactions
        found = translate.listed(rows, wire.TransactionRow, translate.transaction)
        if end is not None:
            return found
        older = partial(self.list_transactions, kind=kind)
        return self._from_start(start, query, self._at(reply), found, older)

    # The latest window has no end: a `to` of now may be the broker's future, which it refuses. Its seconds
    # are counted back by the broker's own clock, so some more are asked for and cut off again.
    def _between(self, start: datetime, end: datetime | None) -> dict[str, str] | None:
        """Return the bounds of a window as the broker takes them, None for one that has not begun."""
        if end is None:
            now = self.broker_time() or self.server_time()
            return {"lastPeriod": str(min(ceil((now - start).total_seconds()) + _SLACK_S, _DAY_S))}
        until = self._not_future(end)
        return None if start > until else {"from": _wire_time(start), "to": _wire_time(until)}

    def _from_start(
        self,
        start: datetime,
        query: Mapping[str, str],
        at: datetime,
        found: Listed[_Booked],
        older: Callable[[datetime, datetime], Listed[_Booked]],
    ) -> Listed[_Booked]:
        """Cut off what was asked for besides; read what left the window while the request waited."""
        # `at` is when it was answered, in whole seconds.
        began = at + timedelta(seconds=1) - timedelta(seconds=int(query["lastPeriod"]))
        if began <= start:
            return replace(found, rows=tuple(row for row in found.rows if row.at >= start))
        missed = older(start, began + timedelta(seconds=1))
        rows = tuple(row for row in missed.rows if row not in found.rows)
        bad = tuple(row for row in missed.unreadable if row not in found.unreadable)
        return replace(found, rows=found.rows + rows, unreadable=found.unreadable + bad)

    def navigation(
        self, node_id: str | None, *, limit: int = LONGEST_NODE
    ) -> tuple[Rows[Node], Rows[MarketRow]]:
        """Return the nodes and the markets under a node, or under the root; an unknown one has neither."""
        segments = ("marketnavigation",) if node_id is None else ("marketnavigation", node_id)
        query = _NO_QUERY if node_id is None else {"limit": str(limit)}
        page = self._get(wire.Navigation, *segments, query=query)
        return (
            translate.rows(page.nodes, wire.NodeRow, translate.node),
            translate.rows(page.markets, wire.MarketSummary, translate.market_row),
        )

    def sentiments(self, market_ids: tuple[str, ...]) -> Rows[Sentiment]:
        """Return how the clients of markets stand. Raises EpicUnknown for the first unknown one."""
        try:
            rows = self._sentiments(market_ids)
        except EpicUnknown:
            # The broker does not say which of them it does not know.
            rows = {market_id: row for one in market_ids for market_id, row in self._sentiment(one).items()}
        unreadable: list[UnreadableRow] = []
        for market_id in [one for one in market_ids if one not in rows]:
            try:
                rows |= self._sentiment(market_id)
            except UnreadableAnswer as error:
                unreadable.append(UnreadableRow(None, None, str(error), market_id))
        found = (rows[market_id] for market_id in market_ids if market_id in rows)
        return Rows(found, tuple(unreadable))

    def _sentiments(self, market_ids: tuple[str, ...]) -> dict[str, Sentiment]:
        query = {"marketIds": ",".join(market_ids)}
        found = self._get(wire.Sentiments, "clientsentiment", query=query).client_sentiments
        rows = translate.rows(found, wire.SentimentRow, translate.sentiment)
        return {row.market_id: row for row in rows}

    def _sentiment(self, market_id: str) -> dict[str, Sentiment]:
        try:
            row = self._get(wire.SentimentRow, "clientsentiment", market_id)
        except EpicUnknown:
            pass
        else:
            return {market_id: translate.sentiment(row)}
        self.details(market_id)
        raise BrokerRefused(
            f"The broker has the market {clean(market_id, 64)} and no client sentiment for it.",
            next=f"capcli markets show {clean(market_id, 64)}",
            epic=clean(market_id, 64),
        )

    def raw(self, *segments: str, query: Mapping[str, str] = _NO_QUERY) -> tuple[int, bytes]:
        """Return status and body of a GET as they are, for a recording. Raises as every read."""
        if segments == ENCRYPTION_KEY.segments:
            reply = self._sessions.encryption_key()
        else:
            reply = self._sessions.read(Ask("GET", segments, query, lane=self.lane))
        return reply.status, reply.body

    def watchlists(self) -> Rows[Watchlist]:
        """Return the watchlists of the login, its own and the broker's."""
        found = self._get(wire.Watchlists, "watchlists").watchlists
        return translate.rows(found, wire.WatchlistRow, translate.watchlist)

    def watchlist_markets(self, watchlist_id: str) -> Rows[MarketRow]:
        """Return the markets of a watchlist. Raises WatchlistUnknown."""
        return self._market_rows("watchlists", watchlist_id)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        account_id: str | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send one mutation, once, and say what came back. Raises nothing that a network can cause.

        `ready` is called once session and turn are there, right before the first byte; what it raises keeps
        the mutation here.
        A missing or old session is renewed before, by requests of its own; when that fails the answer is
        NOT_CONNECTED with the reason, as when the session is not on `account_id` or the hour has no order
        left. Raises UsageError for a path that is not ours,
        and WouldSend on a dry run, whoever asks.
        """
        ask = Ask(method, _segments(method, path), body=body, lane=self.lane)
        self._refuse_if_read_only(f"{ask.endpoint} changes something at the broker")
        if self._dry_run:
            raise WouldSend((method, path, body), account_id=self.account_id)
        opens = method == "POST" and path in {POSITIONS_PATH, ORDERS_PATH}
        with ExitStack() as held:
            try:
                # What is closed or cancelled by its id goes ahead without.
                held.enter_context(self._sessions.hold(required=method != "DELETE"))
                live = self._sessions.live()
                self._wire.open()
            except CapcliError as error:
                return _kept_here(error)
            return self._send_held(ask, live, account_id, ready, opens=opens)

    def _refuse_if_read_only(self, why: str) -> None:
        if self._reads_only:
            raise ReadOnly(
                f"This server was started with --read-only. {why}, so nothing was sent. "
                "It can be done in a terminal.",
            )

    def _send_held(
        self, ask: Ask, live: Live, account_id: str | None, ready: Callable[[], None], *, opens: bool
    ) -> Answer:
        kind = RequestKind.ORDER if opens else RequestKind.PLAIN
        if opens and (wait_s := self._openings.take()):
            detail = f"the hour's orders are used up for {wait_s} s"
            return Answer(
                Delivery.NOT_CONNECTED, error_code=RateLimited.code, detail=detail, retry_after_s=wait_s
            )
        left = False
        try:
            with self._pace.turn(self.lane, kind):
                if account_id is not None and (elsewhere := self._elsewhere(live, account_id)):
                    return Answer(Delivery.NOT_CONNECTED, detail=elsewhere)
                ready()
                left = True
                answer, reply = self._send_now(ask, live)
                left = answer.delivery is not Delivery.NOT_CONNECTED
        finally:
            if opens and not left:
                self._openings.give_back()
        if not (opens and left and account_id):
            return answer
        # Another program may have switched the account, and the old tokens may have followed (API page 18).
        after = self._sessions.account_of(live, reply)
        return answer if after in {None, account_id} else replace(answer, other_account_id=after)

    def _send_now(self, ask: Ask, live: Live) -> tuple[Answer, Reply | None]:
        last: list[datetime] = []

        def left() -> None:
            last[:] = filter(None, [self.broker_time()])

        try:
            reply = self._wire.exchange(ask, live.tokens.headers, mutation=True, left=left)
        except NOT_SENT as error:
            detail = f"{type(error).__name__}: {connect_reason(error)}"
            return Answer(Delivery.NOT_CONNECTED, detail=detail), None
        except Exception as error:  # noqa: BLE001 - whatever it was, the request may have arrived
            detail = type(error).__name__
            return Answer(Delivery.LOST, detail=detail, last_byte_at=next(iter(last), None)), None
        if is_busy(reply.status):
            self._pace.back_off(BACKOFF_S[0])
        self._sessions.adopt(live, reply)
        return replace(_answer(reply), last_byte_at=next(iter(last), None)), reply

    def _elsewhere(self, live: Live, account_id: str) -> str | None:
        """Say which other account a request would reach; another thread may have switched meanwhile."""
        there = {live.stored.account_id, self._sessions.account_id or account_id} - {account_id}
        return f"the session is on account {there.pop()}, not on {account_id}" if there else None

    def _get(self, shape: type[_Shape], *segments: str, query: Mapping[str, str] = _NO_QUERY) -> _Shape:
        ask = Ask("GET", segments, query, lane=self.lane)
        return _decoded(self._sessions.read(ask), shape, ask.endpoint)

    def _market(self, epic: str) -> MarketDetails:
        if not is_epic(epic):
            raise _epic_unknown(epic)
        ask = Ask("GET", ("markets", epic), lane=self.lane)
        reply = self._sessions.read(ask)
        try:
            details = _decoded(reply, wire.MarketDetails, ask.endpoint)
        except EpicUnknown:
            unknown = _epic_unknown(epic)
        else:
            return translate.market(details, self._at(reply))
        raise unknown

    def _markets(self, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]:
        for epic in epics:
            if not is_epic(epic):
                raise _epic_unknown(epic)
        ask = Ask("GET", ("markets",), {"epics": ",".join(epics)}, lane=self.lane)
        reply = self._sessions.read(ask)
        # Whether one unknown epic fails the whole call is not documented (API page 6.7). Asked one by one,
        # the unknown one is named.
        if is_not_found(reply.status, reply.body):
            return tuple(map(self.details, epics))
        rows = _decoded(reply, wire.MarketDetailsList, ask.endpoint).market_details
        read = partial(translate.market, at=self._at(reply))
        by_epic = {row.epic: row for row in translate.rows(rows, wire.MarketDetails, read)}
        return tuple(by_epic.get(epic) or self.details(epic) for epic in epics)

    def _exists(self, epic: str) -> bool:
        try:
            self._market(epic)
        except EpicUnknown:
            return False
        return True

    def _market_rows(self, *segments: str, query: Mapping[str, str] = _NO_QUERY) -> Rows[MarketRow]:
        found = self._get(wire.MarketList, *segments, query=query).markets
        return translate.rows(found, wire.MarketSummary, translate.market_row)

    def _candles(self, epic: str, query: Mapping[str, str]) -> Rows[Candle]:
        if not is_epic(epic):
            raise _epic_unknown(epic)
        ask = Ask("GET", ("prices", epic), query, lane=self.lane)
        reply = self._sessions.read(ask)
        if reply.status == _NOT_FOUND:
            # An empty window is a 404 too, with any body (API page 18.14): the market itself tells.
            if base_code(reply.code) != PRICES_EMPTY:
                self.details(epic)
            return Rows(())
        found = _decoded(reply, wire.Prices, ask.endpoint).prices
        return translate.rows(found, wire.Bar, translate.candle)

    def _at(self, reply: Reply) -> datetime:
        return reply.broker_time or self.broker_time() or self._clock()

    def _not_future(self, at: datetime) -> datetime:
        # A `to` in the future is refused (API page 11), by the broker's clock, not ours.
        now = self.broker_time() or self.server_time()
        return min(at.astimezone(UTC), now - _SECOND)


def _decoded(reply: Reply, shape: type[_Shape], endpoint: str) -> _Shape:
    if reply.status != _OK:
        raise refused(endpoint, reply.status, reply.body)
    return wire.decode(reply.body, shape, endpoint)


def _about(found: Listed[_Row], deal_id: str) -> Listed[_Row]:
    """Name the deal that was asked for: the answer is about that one, whatever can be read of it."""
    return replace(found, unreadable=tuple(replace(row, deal_id=deal_id) for row in found.unreadable))


_LOOKS = {
    "GET /workingorders": "capcli orders",
    "GET /history/activity": "capcli history activity",
    "GET /history/transactions": "capcli history transactions",
}


def _whole(found: Listed[_Row], endpoint: str) -> tuple[_Row, ...]:
    if not found.unreadable:
        return found.rows
    named = "; ".join(f"{row.words}: {row.why}" for row in found.unreadable)
    raise RowUnreadable(
        f"The broker's answer to {endpoint} has fields that cannot be read ({named}). Nothing was sent.",
        next=_LOOKS.get(endpoint, "capcli positions"),
        endpoint=endpoint,
        deal_ids=[row.deal_id for row in found.unreadable],
    )


def _epic_unknown(epic: str) -> BrokerRefused:
    shown = clean(epic, 64)
    return EpicUnknown(
        f"No market has the epic {shown}.", next=f"capcli markets search {shlex.quote(shown)}", epic=shown
    )


def _window(start: datetime, end: datetime, resolution: Resolution) -> dict[str, str]:
    # The span of a window counts calendar time and may not exceed (max - 1) candles (API page 11), so
    # `max` is always the greatest.
    if end - start > (PAGE - 1) * resolution.span:
        raise UsageError(
            f"A page of {resolution.value} candles spans at most {PAGE - 1} of them; ask for less at once."
        )
    return {"max": str(PAGE), "from": _wire_time(start), "to": _wire_time(end)}


def _fiql(only: Mapping[str, tuple[str, ...]]) -> str:
    """Write a filter of the activity (API page 10.1): `epic==GOLD,SILVER;status==REJECTED`."""
    for field, words in only.items():
        for word in words:
            if not _SEGMENT.fullmatch(word):
                raise UsageError(f"{clean(word, 60)!r} cannot be looked for as {field}.")
    return ";".join(f"{field}=={','.join(words)}" for field, words in only.items() if words)


def _wire_time(at: datetime) -> str:
    return wire_time(at.astimezone(UTC))


def _segments(method: str, path: str) -> tuple[str, ...]:
    segments = tuple(path.removeprefix("/").split("/"))
    plain = all(_SEGMENT.fullmatch(segment) and segment not in {".", ".."} for segment in segments)
    if method not in _MUTATIONS or not path.startswith("/") or not plain:
        raise UsageError(f"{clean(f'{method} {path}', 80)} cannot be sent.", next="capcli --help")
    return segments


def _kept_here(error: CapcliError) -> Answer:
    """Return the answer of a mutation that an error of ours kept here."""
    return Answer(
        Delivery.NOT_CONNECTED,
        error_code=error.code,
        detail=clean(error.message),
        retry_after_s=error.details.get("retry_after_s"),
    )


def _answer(reply: Reply) -> Answer:
    """Reduce what came back to what a verdict may rest on (order-safety, Classify)."""
    code, reference = error_code(reply.body), text_of(reply.body, "dealReference")
    said = clean(code or text_of(reply.body, "message") or "").rstrip(".")
    if not said and reply.status != _OK:
        said = "no reason given"
    return Answer(
        Delivery.ANSWERED,
        status=reply.status,
        deal_reference=printable(reference) if reference is not None else None,
        error_code=printable(code) if code is not None else None,
        detail=f"status {reply.status}" + (f", {said}" if said else ""),
        broker_time=reply.broker_time,
        bare_object=is_bare_object(reply.body),
    )
