"""Broker sessions in the keychain, beside the credentials; a file where the keychain does not work."""

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import MsgspecError, Struct, json, to_builtins

from capcli.credentials.sessions import FileSessionCache, session_of
from capcli.errors import CapcliError
from capcli.ports.login import StoredSession

if TYPE_CHECKING:
    from capcli.credentials.keychain import Item

T = TypeVar("T")

LONGEST_ITEM = 1200
"""In UTF-16 units: the Windows store ends at 1280, the others far beyond."""

_MOMENT_S = 5.0
_LEFT_ALONE_S = 60.0


class _Sessions(Struct):
    """The item's sessions by account; each is read separately, so that none hides the others."""

    host: str = ""
    sessions: dict[str, Any] = {}


class KeychainSessionCache:
    """One keychain item with the sessions of a profile and env: one for each account that was asked for.

    They belong to one host; those of another host are not seen, and replaced. Raises what the keychain does.
    """

    def __init__(self, item: str, host: str, account: str, deadline_s: float) -> None:
        self.item = item
        self.host = host
        self.account = account
        self.deadline_s = deadline_s

    def load(self) -> StoredSession | None:
        """Return the session for this host and account, or None. Reads this one item only."""
        return _readable(self._sessions().get(self.account))

    def save(self, session: StoredSession) -> bool:
        """Store the session, dropping the oldest others to make room; False if it alone does not fit."""
        sessions = self._sessions()
        sessions.pop(self.account, None)
        # The newest is last: drop from the front.
        sessions[self.account] = to_builtins(session)
        while len(sessions) > 1 and _length(self._written(sessions)) > LONGEST_ITEM:
            del sessions[next(iter(sessions))]
        text = self._written(sessions)
        if _length(text) > LONGEST_ITEM:
            return False
        # Read back: a store that loses data would cost a login at every command.
        return self._stored.write(text)

    def drop(self) -> None:
        """Remove the session of this account."""
        sessions = self._sessions()
        if sessions.pop(self.account, None) is None:
            return
        if sessions:
            self._stored.write(self._written(sessions))
        else:
            self.forget()

    def forget(self) -> None:
        """Remove the item, with the sessions of all accounts."""
        self._stored.remove()

    def take_all(self) -> tuple[StoredSession, ...]:
        """Remove and return the sessions of all accounts. An item of another host is left alone."""
        sessions = self._sessions()
        if sessions:
            self.forget()
        return tuple(filter(None, map(_readable, sessions.values())))

    def check(self) -> None:
        """Read the item, as a check of the keychain."""
        self._stored.read()

    def _sessions(self) -> dict[str, Any]:
        try:
            found = json.decode(self._stored.read() or "{}", type=_Sessions)
        except (MsgspecError, RecursionError):
            return {}
        return found.sessions if found.host == self.host else {}

    def _written(self, sessions: dict[str, Any]) -> str:
        return json.encode(_Sessions(self.host, sessions)).decode()

    @property
    def _stored(self) -> "Item":
        from capcli.credentials.keychain import Item

        return Item(self.item, self.deadline_s)


def _readable(fields: Any) -> StoredSession | None:
    with suppress(ValueError, RecursionError, MsgspecError):
        return session_of(fields)
    return None


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class FirstUsableCache:
    """The `SessionCache` port: the keychain where there is one, else the file. Only `take_all` raises.

    A keychain that fails (missing, locked, silent) is not used again in the same command: its deadline is
    waited for once. A longer process retries after a minute. `trouble` is its error.
    """

    def __init__(self, keychain: KeychainSessionCache | None, file: FileSessionCache) -> None:
        self.keychain = keychain
        self.file = file
        self.trouble: CapcliError | None = None
        self._since: float = 0

    def just_failed(self) -> CapcliError | None:
        """Return a recent failure of the keychain: asking again would cost a second deadline."""
        return self.trouble if monotonic() - self._since < _MOMENT_S else None

    def leave_alone(self, trouble: CapcliError) -> None:
        """Note a failure of the keychain elsewhere, so that its deadline is waited for once."""
        self.trouble, self._since = trouble, monotonic()

    def load(self) -> StoredSession | None:
        return self._use_keychain(lambda keychain: keychain.load(), None) or self.file.load()

    def save(self, session: StoredSession) -> None:
        if self._use_keychain(lambda keychain: keychain.save(session), False):
            # Stored while the keychain was locked.
            self.file.drop()
        else:
            self.file.save(session)

    def save_default(self, session: StoredSession) -> None:
        kept = self.keychain
        keychain = kept and KeychainSessionCache(kept.item, kept.host, "", kept.deadline_s)
        default = FirstUsableCache(keychain, FileSessionCache(self.file.folder, self.file.key))
        default.trouble, default._since = self.trouble, self._since
        if default.load() is None:
            default.save(session)

    def drop(self) -> None:
        self._use_keychain(lambda keychain: keychain.drop(), None)
        self.file.drop()

    def forget(self) -> None:
        self._use_keychain(lambda keychain: keychain.forget(), None)
        self.file.forget()

    def take_all(self) -> tuple[StoredSession, ...]:
        """Remove and return the sessions of all accounts. Raises if the keychain fails: then all stay."""
        none: tuple[StoredSession, ...] = ()
        kept = self._use_keychain(lambda keychain: keychain.take_all(), none, after_s=_MOMENT_S)
        if self.keychain is not None and self.trouble is not None:
            raise self.trouble
        return kept + self.file.take_all()

    def describe(self) -> str:
        """Say where sessions are stored, and why not in the keychain, which is asked if necessary."""
        self._use_keychain(lambda keychain: keychain.check(), None)
        if self.keychain is None:
            return self.file.describe()
        if self.trouble is None:
            return f"keychain item {self.keychain.item}"
        return f"{self.file.describe()}; the keychain is not used ({self.trouble.code})"

    def _use_keychain(
        self,
        use: Callable[[KeychainSessionCache], T],
        otherwise: T,
        *,
        after_s: float = _LEFT_ALONE_S,
    ) -> T:
        left_alone = self.trouble is not None and monotonic() - self._since < after_s
        if self.keychain is None or left_alone:
            return otherwise
        try:
            found = use(self.keychain)
        except CapcliError as error:
            self.leave_alone(error)
            return otherwise
        self.trouble = None
        return found
