"""What the use cases need from the outside, as Protocols. Adapters live in broker, store and credentials."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
from hashlib import sha256
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from msgspec import Struct, field

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
from capcli.domain.account_events import Happened, Keyed
from capcli.domain.alerts import Level as AlertLevel
from capcli.domain.alerts import StoredAlert
from capcli.domain.approval import ApprovalRecord, ApprovalState
from capcli.domain.attempt import Answer, AttemptRecord, AttemptState, PreviewRecord
from capcli.domain.candle_days import Days
from capcli.domain.going_live import Unlock
from capcli.domain.halt import Halt, HaltKept
from capcli.domain.market import (
    Candle,
    Market,
    MarketDetails,
    MarketRow,
    Node,
    Resolution,
    Sentiment,
    Side,
)
from capcli.domain.stream import Told

if TYPE_CHECKING:
    from capcli.domain.account import OrderType
    from capcli.domain.bracket import Target
    from capcli.domain.mandate import Mandate, MandateState, Permit, Use
    from capcli.domain.order import OrderRequest

Clock = Callable[[], datetime]
"""Returns the present as aware UTC."""

Ids = Callable[[str], str]
"""Returns a new id for a prefix: `p_` or `a_` and 12 of `[0-9a-z]`."""


class Credentials(Struct, frozen=True):
    """What a login needs. Its repr shows no secret; it goes nowhere but into the login request."""

    api_key: str
    identifier: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(...)"

    @property
    def fingerprint(self) -> str:
        """Identify the key and user without revealing them (for session caches)."""
        return sha256(f"{self.identifier}\0{self.api_key}".encode()).hexdigest()[:16]


class StoredSession(Struct, frozen=True):
    """A broker session that outlives the process: tokens, and what they belong to.

    `fingerprint` is that of the credentials it was made with. `chosen` is the account that the user is on;
    the session may be on another one for the time of an order there.
    """

    cst: str
    security_token: str
    account_id: str
    client_id: str
    currency: str
    timezone_offset: int
    created_at: datetime
    fingerprint: str = ""
    chosen: str = ""

    def __repr__(self) -> str:
        return f"StoredSession(account_id={self.account_id!r})"


class SessionCache(Protocol):
    """Keeps one session per key, env, host and account. A lost one costs one login and raises nothing.

    `take_all` raises what the keychain does, for sessions that cannot be taken out live on. Every question
    raises what is wrong with the credentials of the environment: nobody knows whose session it would be.
    """

    def load(self) -> StoredSession | None: ...

    def save(self, session: StoredSession) -> None: ...

    def save_default(self, session: StoredSession) -> None:
        """Keep a session for commands that ask for no account, unless one is kept for them."""
        ...

    def drop(self) -> None:
        """Forget this session."""
        ...

    def take_all(self) -> tuple[StoredSession, ...]:
        """Take the sessions of all accounts out, for whoever ends them. Raises what the keychain does."""
        ...


LoginLock = Callable[[], AbstractContextManager[None]]
"""Lets one process at a time log in with a key. It never raises: without it only the sharing is lost."""


SessionLock = Callable[[], AbstractContextManager[None]]
"""Lets one process at a time switch the account of a login, or send on it.

Raises Busy after a bounded wait, and StateFolderUnusable.
"""


class Lane(IntEnum):
    """Who goes first when the broker's allowance is short. Inside a lane, first come first served."""

    ORDERS = 0
    """Orders, closes, amendments, cancellations, and the reads that make them safe."""
    READS = 1
    """What somebody waits for."""
    BULK = 2
    """Long downloads: what the others leave, in even steps so that nobody waits long behind them."""


class Ticket(Struct, frozen=True):
    """A request that waits for its turn: since when, not before when, and when it is taken for given up."""

    number: int
    lane: Lane
    asked: float
    ready: float
    expires: float


class Allowance(Struct, frozen=True, omit_defaults=True):
    """What is used of the broker's allowance, in seconds of the monotonic clock.

    `taken` holds until when each of the latest requests counts, soonest first; the others say when the next
    login, order and download may begin, and until when all wait after a 429.
    """

    taken: tuple[float, ...] = ()
    login_after: float = -inf
    order_after: float = -inf
    bulk_after: float = -inf
    paused_until: float = -inf
    waiting: tuple[Ticket, ...] = ()


class PaceBook(Protocol):
    """Where the allowance is written down, so that all processes of a user share it."""

    def update(self, change: Callable[[Allowance], Allowance]) -> Allowance:
        """Replace the allowance by what `change` makes of it, one caller at a time."""
        ...


class OpeningsBook(Protocol):
    """When orders were opened lately (seconds since 1970, oldest first), for all processes of a user."""

    def update(self, change: Callable[[tuple[float, ...]], tuple[float, ...]]) -> tuple[float, ...]:
        """Replace the times by what `change` makes of them, one caller at a time."""
        ...


class PreferencesBook(Protocol):
    """Where the preferences of accounts rest for five minutes, for all processes of a user. Never raises."""

    def load(self, account_id: str) -> Preferences | None: ...

    def save(self, account_id: str, preferences: Preferences) -> Preferences:
        """Keep them; return them with the margins that fills showed."""
        ...

    def drop(self, account_id: str) -> None: ...

    def observe(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        """Keep the margin of a market as a fill showed it, while the leverages stay as they are."""
        ...


class DayRangeBook(Protocol):
    """How far markets move in an average day (price units), for that day and all processes. Never raises."""

    def load(self, epic: str, day: date) -> Decimal | None: ...

    def save(self, epic: str, day: date, day_range: Decimal) -> None: ...


class Request(NamedTuple):
    """A change as it is sent: what a preview stores, a person approves and a dry run shows."""

    method: str
    path: str
    body: bytes = b""


class Requests(Protocol):
    """How each change is put to the broker. Pure."""

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
        """Name the broker host that requests go to (`paper` for the embedded one)."""
        ...

    @property
    def account_id(self) -> str | None:
        """Return the account that the session was last seen on, without a request."""
        ...

    @property
    def account_currency(self) -> str | None:
        """Return the currency of that account, without a request."""
        ...

    @property
    def requests(self) -> Requests: ...

    def in_lane(self, lane: Lane) -> Self:
        """Return this broker, with the same session and connections, for requests of another lane."""
        ...

    def opening_wait_s(self) -> int:
        """Return how long no order can be opened, since the hour's are used up (seconds); 0 for now."""
        ...

    def login(self, *, force: bool = False) -> Session: ...

    def logout(self) -> bool: ...

    def hold_account(self) -> AbstractContextManager[None]:
        """Keep the account as it is for a while: no process of this user switches it. Raises Busy."""
        ...

    def session(self) -> Session:
        """GET /session: the account as the broker sees it now."""
        ...

    def switch_account(self, account_id: str) -> Session:
        """Make an account the active one, for this process and the next ones."""
        ...

    def visit_account(self, account_id: str) -> Session:
        """Go to an account for a while; the next processes stay on the one that was chosen."""
        ...

    def ping(self) -> bool: ...

    def server_time(self) -> datetime: ...

    def broker_time(self) -> datetime | None:
        """Return the broker's clock as of its last answer (its Date header, moved on by our own clock)."""
        ...

    def accounts(self) -> Rows[Account]: ...

    def preferences(self, *, fresh: bool = True) -> Preferences:
        """GET /accounts/preferences of the active account; else one read in the last five minutes will do."""
        ...

    def observe_margin(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        """Keep the margin of a market, in percent, as a fill showed it; `preferences` name it then."""
        ...

    def forget_preferences(self) -> None:
        """Let the next look at the active account's preferences be a fresh one."""
        ...

    def search(self, term: str | None) -> Rows[MarketRow]: ...

    def markets(self, epics: tuple[str, ...]) -> tuple[Market, ...]: ...

    def market(self, epic: str) -> Market: ...

    def all_details(self, epics: tuple[str, ...]) -> tuple[MarketDetails, ...]: ...

    def details(self, epic: str) -> MarketDetails:
        """Return a market that need not have prices. Raises EpicUnknown."""
        ...

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
        ...

    def positions(self) -> tuple[Position, ...]:
        """Return all positions. Raises RowUnreadable where one cannot be read: for whoever needs them all."""
        ...

    def list_positions(self) -> Listed[Position]:
        """Return the positions that can be read, and name the rest."""
        ...

    def position(self, deal_id: str) -> Position:
        """Return one position. Raises DealUnknown, and RowUnreadable for one that is there all the same."""
        ...

    def orders(self) -> tuple[WorkingOrder, ...]:
        """Return all working orders. Raises RowUnreadable, as `positions`."""
        ...

    def list_orders(self) -> Listed[WorkingOrder]:
        """Return the working orders that can be read, and name the rest."""
        ...

    def confirm(self, deal_reference: str) -> Confirm | None:
        """Return the verdict, or None while the broker does not know the reference (404)."""
        ...

    def activity(
        self,
        start: datetime,
        end: datetime | None,
        *,
        deal_id: str | None = None,
        only: Mapping[str, tuple[str, ...]] = ...,
    ) -> tuple[Activity, ...]:
        """Return the detailed activity of a window of at most one day, newest first.

        Without an end the window goes up to now.

        `only` names what a field (epic, source, status, type) must be one of. Raises RowUnreadable.
        """
        ...

    def list_activity(
        self,
        start: datetime,
        end: datetime | None,
        *,
        deal_id: str | None = None,
        only: Mapping[str, tuple[str, ...]] = ...,
    ) -> Listed[Activity]:
        """Return the same, row by row."""
        ...

    def transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> tuple[Transaction, ...]:
        """Return the account's bookings of a window, newest first; without an end, up to now.

        Raises RowUnreadable.
        """
        ...

    def list_transactions(
        self, start: datetime, end: datetime | None, *, kind: str | None = None
    ) -> Listed[Transaction]:
        """Return the same, row by row."""
        ...

    def navigation(self, node_id: str | None, *, limit: int = ...) -> tuple[Rows[Node], Rows[MarketRow]]:
        """Return the nodes and the markets under a node, or under the root; an unknown one has neither."""
        ...

    def sentiments(self, market_ids: tuple[str, ...]) -> Rows[Sentiment]: ...

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
        """Send one mutation, once, and say what came back. Raises nothing that a network can cause.

        `ready` is called when nothing is left to wait for, right before the first byte; what it raises keeps
        the mutation here.
        With an `account_id`, nothing leaves while the session is on another account: NOT_CONNECTED.
        """
        ...


class PriceStream(Protocol):
    """One price stream, which comes back by itself after a break. For one thread."""

    def add(self, epics: Sequence[str]) -> None:
        """Subscribe to more markets. Raises UsageError above 40 in all."""
        ...

    def receive(self, timeout_s: float) -> list[Told]:
        """Return what came, waiting at most so long for the first of it. Raises what nothing mends."""
        ...

    def close(self) -> list[Told]:
        """End it; return what was sent before the broker knew."""
        ...


class Streams(Protocol):
    """Opens price streams of the session."""

    def open(self, epics: Sequence[str], bars: Resolution | None = None) -> PriceStream:
        """Subscribe to quotes, or to closed bars, of at most 40 markets.

        Raises UsageError for more, EpicUnknown, Unreachable, RateLimited, and what a login raises.
        """
        ...


class DealTaken(Exception):
    """A deal, an order or a reference belongs to another opening attempt already; nothing was recorded."""

    def __init__(self, name: str, attempt_id: str) -> None:
        super().__init__(f"{name} belongs to {attempt_id}")
        self.name = name
        self.attempt_id = attempt_id


class AttemptBook(Protocol):
    """What a change is written down in on its way: the journal, or for the way out the best that there is."""

    def attempt(self, attempt_id: str) -> AttemptRecord | None: ...

    def open_attempt(self, attempt: AttemptRecord, *, permit: "Permit | None" = None) -> None: ...

    def unrecorded(self, attempt_id: str) -> tuple[str, ...]:
        """Say what could not be written down of an attempt; nothing where everything was."""
        ...

    def claim(
        self, preview_id: str, attempt: AttemptRecord, *, now: datetime, permit: "Permit | None" = None
    ) -> PreviewRecord | None: ...

    def move(
        self,
        attempt_id: str,
        from_state: AttemptState,
        to_state: AttemptState,
        *,
        at: datetime,
        **facts: Any,
    ) -> bool: ...


class MandateBook(Protocol):
    """Mandates and what was sent under them, durable before the call returns. Raises JournalUnreadable."""

    def grant(self, mandate: "Mandate") -> None:
        """Put a mandate into force. Raises NameTaken while there is one of its name in its environment."""
        ...

    def end(self, mandate_ids: Iterable[str], state: "MandateState", *, at: datetime, by: str) -> None:
        """End mandates for good; those that ended before stay as they are."""
        ...

    def by_secret(self, secret_hash: str) -> "Mandate | None": ...

    def of(self, *, since: datetime) -> "tuple[Mandate, ...]":
        """Return what nobody ended yet, and what ended since an instant, newest first."""
        ...

    def active(self) -> "tuple[Mandate, ...]":
        """Return what nobody ended yet, past its end or not."""
        ...

    def uses(self, mandate_id: str) -> "tuple[tuple[Use, AttemptRecord], ...]":
        """Return what was sent under a mandate, with the attempt as it stands, oldest first."""
        ...

    def names(self, attempt_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of the mandates that attempts were sent under; the others are left out."""
        ...

    def latest_event_at(self, mandate_id: str) -> datetime:
        """Return the latest time in the journal since a mandate was granted."""
        ...


Place = tuple[str, str, str]
"""Environment, host and account."""


class Numbered(Struct, frozen=True):
    """An event of an account with its number among them; `repeat`: told before, without its price."""

    number: int
    repeat: bool
    fact: Happened


class JournalEntry(Struct, frozen=True):
    """What the journal's chain tells: a move of an attempt, a halt, a request for approval.

    `key` tells it from every other one, of a journal that was put back too.
    """

    seq: int
    key: str
    kind: str
    at: datetime
    attempt_id: str | None
    from_state: str | None
    to_state: str | None
    detail: Mapping[str, Any]


class EventBook(Protocol):
    """What happened on accounts, in the order in which it became known here. Raises JournalUnreadable."""

    def after(self, place: Place, number: int, limit: int) -> tuple[Numbered, ...]:
        """Return the events behind a number, oldest first."""
        ...

    def latest(self, place: Place, since: datetime, limit: int) -> tuple[Numbered, ...]:
        """Return the last events since an instant, oldest first."""
        ...

    def last(self, place: Place) -> int: ...

    def has(self, place: Place, key: str) -> bool: ...

    def sides(self, place: Place, deal_ids: Iterable[str]) -> dict[str, Side]:
        """Return the sides of the deals whose opening was told."""
        ...

    def state(self, place: Place) -> Mapping[str, Any] | None:
        """Return what the last look left for the next one."""
        ...

    def entries(self, after: int, since: datetime) -> tuple[JournalEntry, ...]:
        """Return the entries of the chain behind a number that are not older than an instant."""
        ...

    def unknown(self, place: Place, told: Iterable[Keyed]) -> list[Keyed]:
        """Return what was not told yet, or not with its price."""
        ...

    def record(self, place: Place, told: Sequence[Keyed], state: Mapping[str, Any], *, at: datetime) -> None:
        """Number what is new among these, and keep how far it was looked; one transaction.

        What was told without its price is told once more with it, as a repeat.
        """
        ...


class AlertBook(Protocol):
    """Stored alerts, for each account by itself. Raises JournalUnreadable."""

    def waiting(self, place: Place) -> tuple[StoredAlert, ...]: ...

    def of(self, place: Place, *, fired: int | None) -> tuple[StoredAlert, ...]:
        """Return what waits, and so many of what fired last; None for all of it."""
        ...

    def add(
        self, place: Place, levels: Sequence[AlertLevel], *, at_most: int, at: datetime
    ) -> tuple[StoredAlert, ...] | None:
        """Keep levels; None, and none of them, where more than `at_most` would wait."""
        ...

    def remove(self, place: Place, numbers: Sequence[int], *, at: datetime) -> None: ...


class Journal(Protocol):
    """Previews, attempts and events, durable before the call returns. Raises JournalUnreadable."""

    def save_preview(self, preview: PreviewRecord) -> None: ...

    def preview(self, preview_id: str) -> PreviewRecord | None: ...

    def previews(self, env: str, *, limit: int) -> tuple[PreviewRecord, ...]: ...

    def attempt(self, attempt_id: str) -> AttemptRecord | None: ...

    def attempt_of(self, preview_id: str) -> AttemptRecord | None: ...

    def unresolved(self, env: str, host: str, account_id: str) -> tuple[AttemptRecord, ...]: ...

    def recent(self, env: str, host: str, account_id: str, since: datetime) -> tuple[AttemptRecord, ...]:
        """Return the attempts that were sent since an instant, oldest first."""
        ...

    def attempts(self, env: str, *, limit: int) -> tuple[AttemptRecord, ...]:
        """Return the latest attempts of an environment, newest first."""
        ...

    def moved_at(self, attempt_id: str) -> datetime | None:
        """Return when an attempt came into its present state."""
        ...

    def claim(
        self, preview_id: str, attempt: AttemptRecord, *, now: datetime, permit: "Permit | None" = None
    ) -> PreviewRecord | None:
        """Turn a READY, unexpired preview into CLAIMED and insert its attempt, in one transaction.

        With a `permit` (the digest of what a person approved) that approval is used up in the same one, here
        as in `open_attempt` and `note`; without one left they raise ApprovalUnknown and change nothing. With
        the use of a mandate that is written down in it; they raise MandateEnded where it cannot be.
        Returns the preview with its stored body, or None when somebody else was first or it expired.
        """
        ...

    def open_attempt(self, attempt: AttemptRecord, *, permit: "Permit | None" = None) -> None:
        """Insert an attempt that has no preview (close, amend, cancel)."""
        ...

    def unrecorded(self, attempt_id: str) -> tuple[str, ...]:
        """Say what could not be written down of an attempt: nothing, for what cannot be is raised."""
        ...

    def move(
        self,
        attempt_id: str,
        from_state: AttemptState,
        to_state: AttemptState,
        *,
        at: datetime,
        **facts: Any,
    ) -> bool:
        """Compare-and-set an attempt's state, with its event row; `facts` are columns of AttemptRecord.

        Returns False when the attempt was no longer in `from_state`; then nothing changed. Raises DealTaken
        where an opening order would own what another one owns: its reference, its order, a deal it opened.
        """
        ...

    def owners(self, env: str, host: str, names: Iterable[str]) -> Mapping[str, str]:
        """Return which attempt owns each of these references, orders and deals; the others are left out."""
        ...

    def changed_deals(self, env: str, host: str, deal_ids: Iterable[str]) -> frozenset[str]:
        """Return which of these deals or orders a change from here was sent for, unless it was refused."""
        ...

    def observe(self, attempt_id: str, state: AttemptState, *, at: datetime, **facts: Any) -> bool:
        """Set facts of an attempt that stays in its state; False when it is in that state no longer."""
        ...

    def note(
        self,
        attempt_id: str | None,
        kind: str,
        *,
        at: datetime,
        detail: Mapping[str, Any],
        permit: "Permit | None" = None,
    ) -> None:
        """Append an event that changes no state (a decision, an alarm)."""
        ...

    def notes(self, kind: str) -> tuple[tuple[datetime, Mapping[str, Any]], ...]:
        """Return when and what was noted under a kind, oldest first."""
        ...

    def ask_approval(self, requests: Sequence[ApprovalRecord], *, at_most: int | None = None) -> bool:
        """Insert the requests that one code stands for; False when the code was given out before.

        Raises ApprovalsFull where `at_most` so many requests of their client wait already.
        """
        ...

    def approvals(self, code_hash: str) -> tuple[ApprovalRecord, ...]: ...

    def approvals_of(self, digest: str, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        """Return what has been asked and said about a request and has not expired, oldest first."""
        ...

    def approvals_waiting(self, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        """Return what waits for a person or, approved, for its request, oldest first."""
        ...

    def decide(
        self,
        code_hash: str,
        state: ApprovalState,
        *,
        at: datetime,
        by: str,
        shown: Sequence[ApprovalRecord] | None = None,
    ) -> bool:
        """Compare-and-set all requests of a code: what waits, and to take it back what is approved.

        False when there is none of those, when they are not what was `shown`, and for a yes to a row that a
        hand has changed.
        """
        ...

    @property
    def mandates(self) -> MandateBook: ...

    @property
    def account_events(self) -> EventBook: ...

    @property
    def alerts(self) -> AlertBook: ...

    def require_intact(self) -> None:
        """Refuse new risk where it is not as it was written. Raises JournalBehind, JournalAltered."""
        ...

    def remembered(self) -> "JournalBreak | None":
        """Compare the journal with what is remembered of it outside its folder; None where it fits."""
        ...

    def accept(
        self, altered: Sequence[tuple[str, tuple[Any, ...]]], *, at: datetime, reason: str
    ) -> tuple[int, str]:
        """Take the journal as it is now for the one to go on from; return its count and head.

        Raises what writing it does, and StateFolderUnusable.
        """
        ...

    def inspect(
        self, key: bytes | None, marks: "Sequence[Mark]" = (), progress: Callable[[int, int], None] = ...
    ) -> "Inspection":
        """Look through the whole journal, whose keyed events need the key. Raises JournalUnreadable.

        `marks` are compared with the chain; `progress` is told how many entries are done, of how many.
        """
        ...


class JournalBreak(Struct, frozen=True):
    """A row of the journal that is not as its event chain tells: its table, its id or number, and what."""

    table: str
    row: str
    fault: str


class Mark(Struct, frozen=True):
    """How far a journal's chain came, as `keeper` remembers it: the number of events and the last hash."""

    count: int
    head: str
    keeper: str


class Inspection(Struct, frozen=True):
    """What a look through the whole journal found.

    `head` is the hash of the last event. `keyed` events are sealed with the keychain's key, and `unread` of
    those could not be checked since the key was not there. `altered` are the rows that are not as the events
    tell: table and primary key.
    """

    events: int
    keyed: int
    head: str
    breaks: tuple[JournalBreak, ...]
    unread: int = 0
    altered: tuple[tuple[str, tuple[Any, ...]], ...] = ()


class Anchor(Struct, frozen=True):
    """What the keychain keeps of a journal: the key of its chain, how many events it had, the last hash."""

    key: bytes
    count: int = 0
    head: str = ""

    @property
    def mark(self) -> Mark:
        return Mark(self.count, self.head, "the keychain")

    def __repr__(self) -> str:
        return f"Anchor(count={self.count})"


class PinHash(Struct, frozen=True):
    """What is kept of the PIN: its scrypt hash with salt and cost, and the wrong tries in a row."""

    hash: bytes
    salt: bytes
    n: int
    r: int
    p: int
    wrong: int = 0
    wrong_at: datetime | None = None

    def __repr__(self) -> str:
        return f"PinHash(wrong={self.wrong})"


class PinKeeper(Protocol):
    """The protected place of the PIN's hash. Raises the Keychain errors, ConfigError for what is garbled."""

    def load(self) -> PinHash | None: ...

    def save(self, pin: PinHash) -> None: ...


class UnlockKeeper(Protocol):
    """The protected place of a completed go-live checklist. Raises as `PinKeeper` does."""

    def load(self) -> Unlock | None: ...

    def save(self, unlock: Unlock) -> None: ...


class LivePlace(Protocol):
    """What tells this state folder on this computer from a copy of it."""

    def read(self) -> str | None: ...

    def make(self) -> str: ...


class HaltSwitch(Protocol):
    """The kill switch that all processes of a user share."""

    def read(self) -> Halt | None:
        """Return the halt in force. Never raises: what cannot be read is a halt."""
        ...

    def set(self, halt: Halt) -> HaltKept:
        """Halt, unless that is so already; say what keeps it. Never raises."""
        ...

    def clear(self) -> None:
        """Take the halt away everywhere. Raises StateFolderUnusable: then it stays."""
        ...


class AccountLock(Protocol):
    """The lock that lets one process at a time send on an account."""

    def __call__(
        self, env: str, host: str, account_id: str, *, wait: bool = True
    ) -> AbstractContextManager[None]:
        """Hold it. Raises Busy, at once or after a bounded `wait`."""
        ...


class Kept(Struct, frozen=True):
    """How far a download has come; a target keeps it beside the candles.

    `start` and `end` are the first and last instant to ask for, fixed when it began. `price_places` and
    `volume_places` are the most decimals that were sent so far. `days` notes which candles there are.
    """

    end: datetime
    start: datetime | None = None
    pages: int = 0
    rows: int = 0
    requests: int = 0
    first: datetime | None = None
    last: datetime | None = None
    days: Days = field(default_factory=dict)
    price_places: int = 0
    volume_places: int = 0


class CandleTarget(Protocol):
    """Where candles go. Raises OutputUnusable for what the disk refuses."""

    def begin(self, terms: dict[str, str], command: str) -> Kept | None:
        """Open the target; return how far an earlier run came. Raises UsageError, Busy, ExtraMissing."""
        ...

    def append(self, candles: tuple[Candle, ...]) -> None: ...

    def keep(self, kept: Kept) -> None:
        """Make all that was appended durable, together with how far it goes."""
        ...

    def finish(self, kept: Kept) -> None:
        """Make the result appear as a whole under its name."""
        ...

    def close(self) -> None: ...
