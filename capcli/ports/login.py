"""Ports of the login, and of what processes share: sessions and the request allowance."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from math import inf
from typing import Protocol, TypeVar

from msgspec import Struct

from capcli.domain.account import Preferences
from capcli.ports import Lane

T = TypeVar("T")


class Credentials(Struct, frozen=True):
    """The credentials of a login. The repr shows no secret; used only in the login request."""

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
    """A broker session that outlives the process: its tokens, and whose they are.

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

    `take_all` raises the Keychain errors, since sessions that cannot be removed live on. Every method raises
    the errors of credentials in the environment: without them the session's owner is unknown.
    """

    def load(self) -> StoredSession | None: ...

    def save(self, session: StoredSession) -> None: ...

    def save_default(self, session: StoredSession) -> None:
        """Store a session for commands without an account, unless there is one."""

    def drop(self) -> None:
        """Forget this session."""

    def take_all(self) -> tuple[StoredSession, ...]:
        """Remove and return the sessions of all accounts. Raises the Keychain errors."""


LoginLock = Callable[[], AbstractContextManager[None]]
"""Lets one process at a time log in with a key. It never raises: without it only the sharing is lost."""


SessionLock = Callable[[], AbstractContextManager[None]]
"""Lets one process at a time switch the account of a login, or send on it.

Raises Busy after a bounded wait, and StateFolderUnusable.
"""


class Ticket(Struct, frozen=True):
    """A waiting request: since when, its earliest start, and when it counts as abandoned."""

    number: int
    lane: Lane
    asked: float
    ready: float
    expires: float


class Allowance(Struct, frozen=True, omit_defaults=True):
    """The used part of the broker's allowance, in seconds of the monotonic clock.

    `taken` holds until when each of the latest requests counts, soonest first; the others say when the next
    login, order and download may begin, and until when all wait after a 429.
    """

    taken: tuple[float, ...] = ()
    login_after: float = -inf
    order_after: float = -inf
    bulk_after: float = -inf
    paused_until: float = -inf
    waiting: tuple[Ticket, ...] = ()


class SharedBook(Protocol[T]):
    """A value shared by all processes of a user: the allowance, or the times of recent orders.

    Those times are in seconds since 1970, oldest first.
    """

    def update(self, change: Callable[[T], T]) -> T:
        """Replace the value by the result of `change`, one caller at a time."""


class PreferencesBook(Protocol):
    """A cache of account preferences (five minutes) for all processes of a user. Never raises."""

    def load(self, account_id: str) -> Preferences | None: ...

    def save(self, account_id: str, preferences: Preferences) -> Preferences:
        """Store them; return them with the margins observed in fills."""

    def drop(self, account_id: str) -> None: ...

    def observe(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        """Store a market's margin observed in a fill, valid while the leverages stay the same."""
