"""The session: logs in on demand, keeps the tokens private, and keeps the wanted account active."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar

from msgspec import Struct
from msgspec.structs import replace

from capcli.broker import requests, translate, wire
from capcli.broker.answers import OK, UNAUTHORIZED
from capcli.broker.calls import Calls
from capcli.broker.failures import SAME_ACCOUNT, UNKNOWN_ACCOUNT, account_unknown, refused
from capcli.broker.login import encryption_key, log_in
from capcli.broker.requests import Ask
from capcli.broker.retry import MOST_RENEWALS, is_session_lost
from capcli.broker.transport import Reply, Tokens
from capcli.domain import freshness
from capcli.domain.account import Session
from capcli.domain.freshness import is_fresh
from capcli.errors import BrokerRefused, Busy, CapcliError
from capcli.ports import Clock
from capcli.ports.login import Credentials, LoginLock, SessionCache, SessionLock, StoredSession


class Live(Struct, frozen=True):
    """The session in use. A login or a switch starts a new generation; a token rotation does not."""

    stored: StoredSession
    generation: int

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.stored.cst, self.stored.security_token)


class Sessions:
    """One login of one user, shared by the threads of the process.

    `credentials` is asked only when a login is needed. `wanted_account` is asserted after every login;
    without one, the account that the session was last on. `lock` lets one process at a time log in: who
    waited for it looks into the cache first, and takes over the session that is there by then.
    `account_lock` keeps all processes but its holder from switching the account; it is taken before the lock
    of the threads and that of the login.
    `sealed_login` encrypts the password with the key that the broker offers.
    """

    def __init__(
        self,
        calls: Calls,
        credentials: Callable[[], Credentials],
        *,
        clock: Clock,
        cache: SessionCache | None = None,
        wanted_account: str | None = None,
        lock: LoginLock = nullcontext,
        account_lock: SessionLock = nullcontext,
        sealed_login: bool = True,
    ) -> None:
        self._calls = calls
        self._login_lock = lock
        self._account_lock = account_lock
        self._held = ContextVar("held", default=False)
        self._credentials = credentials
        self._clock = clock
        self._cache = cache
        self._wanted = wanted_account
        self._sealed_login = sealed_login
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._last_account: str | None = None
        self._cache_read = False
        self._generation = 0
        self._apart = False
        self._configured = self._chosen = wanted_account

    @property
    def account_id(self) -> str | None:
        """Return the account last seen, from the cache if necessary; no request."""
        session = self.current
        return session.account_id if session else self._last_account

    @property
    def current(self) -> StoredSession | None:
        """Return the session in use, without a request."""
        with self._lock:
            live = self._loaded()
            return live.stored if live else None

    def live(self) -> Live:
        """Return a fresh session on the wanted account, logging in if there is none."""
        with self._lock:
            live = self._loaded()
            if live is not None and not self._is_old(live.stored) and self._is_wanted(live):
                return live
        with self.hold(required=False), self._lock:
            live = self._loaded()
            if live is None or self._is_old(live.stored):
                return self._log_in(instead_of=live)[0]
            return self._on_wanted(live)

    @contextmanager
    def hold(self, *, required: bool = True) -> Iterator[None]:
        """Keep the active account in all processes, for this thread and those it starts.

        Raises Busy if another process holds it for too long, and StateFolderUnusable; if not `required`, it
        continues without, and cannot switch the account itself.
        """
        if self._held.get():
            yield
            return
        with ExitStack() as locks:
            try:
                locks.enter_context(self._account_lock())
            except CapcliError:
                if required:
                    raise
                yield
                return
            token = self._held.set(True)
            try:
                yield
            finally:
                self._held.reset(token)

    def login(self, *, force: bool) -> Session:
        """Return the session in use, or a new one when forced."""
        with self.hold(required=False), self._lock:
            self._loaded()
            if not force:
                stored = self.live().stored
            else:
                self._apart = False
                with self._login_lock():
                    stored = self._login().stored
            return Session(stored.client_id, stored.account_id, stored.currency, stored.timezone_offset)

    def read(self, ask: Ask) -> tuple[Live, Reply]:
        """Send a read with the session, which is renewed where it was lost; return the one that was used."""
        live, renewals = self.live(), 0
        while True:
            reply = self._calls.patient(ask, live.tokens.headers)
            if not is_session_lost(reply.status, reply.code):
                self.adopt(live, reply)
                return live, reply
            if renewals == MOST_RENEWALS:
                self._forget(live)
                raise refused(ask.endpoint, reply.status, reply.body)
            live, newest = self._renew(live)
            renewals = MOST_RENEWALS if newest else renewals + 1

    def adopt(self, used: Live, reply: Reply) -> None:
        """Store tokens that an answer rotated, unless there was a newer login meanwhile (API page 2.2)."""
        if reply.tokens is None or reply.tokens == used.tokens or reply.status == UNAUTHORIZED:
            return
        with self._lock:
            if self._live is not None and self._live.generation == used.generation:
                self._follow(_with_tokens(self._live.stored, reply.tokens), used.generation)

    def details(self) -> Session:
        """Return GET /session, and remember the account that it names."""
        used, reply = self.read(requests.SESSION)
        found = _details(reply)
        with self._lock:
            if self._live is not None and self._live.generation == used.generation:
                self._follow(_on_account(self._live.stored, found), used.generation)
        return found

    def switch(self, account_id: str) -> Session:
        """Make an account active, here and for all processes that share the session.

        Raises ConfigError with the accounts there are, and Busy while another process is sending.
        """
        with self.hold(), self._lock:
            session = self.visit(account_id)
            self._chosen = account_id
            if self._live is not None:
                self._follow(replace(self._live.stored, chosen=account_id), self._live.generation)
            return session

    def visit(self, account_id: str) -> Session:
        """Switch this process alone; others sharing the session stay on the chosen one. Raises as switch."""
        with self.hold(), self._lock:
            session = self.details()
            if session.account_id != account_id:
                session = self._put_account(self.live(), account_id)[1]
            self._wanted = account_id
            return session

    def logout(self) -> bool:
        """End the sessions of all accounts, here and at the broker. Never logs in.

        Says whether the broker had one to end. Raises what the keychain does, before anything is sent; the
        first request that failed is raised once all were sent.
        """
        with self._lock:
            stored = self._cache.take_all() if self._cache is not None else ()
            open_tokens = [] if self._live is None else [self._live.tokens]
            open_tokens += [Tokens(each.cst, each.security_token) for each in stored]
            self._live, self._last_account, self._cache_read = None, None, True
            ended, failed = False, None
            for tokens in dict.fromkeys(open_tokens):
                try:
                    ended |= self._calls.patient(requests.LOGOUT, tokens.headers).status == OK
                except CapcliError as error:
                    failed = failed or error
        if failed is not None:
            raise failed
        return ended

    def account_of(self, used: Live, reply: Reply | None) -> str | None:
        """Return the account of a request's tokens after it; None if that cannot be read."""
        tokens = (reply.tokens if reply is not None else None) or used.tokens
        try:
            found = self._calls.once(requests.SESSION, tokens.headers)
            return None if found is None else _details(found).account_id
        except CapcliError:
            return None

    def _loaded(self) -> Live | None:
        if self._live is None and not self._cache_read and self._cache is not None:
            # Cached after the first success: credentials that cannot be read raise every time.
            stored = self._cache.load()
            self._cache_read = True
            if stored is not None and not self._is_astray(stored):
                self._take(stored)
        return self._live

    def _is_astray(self, stored: StoredSession) -> bool:
        """Whether a session is not on its chosen account: another process is working there, or died.

        It is left alone, and a login goes to the chosen account instead.
        """
        if self._configured is not None or stored.chosen in {"", stored.account_id}:
            return False
        self._chosen = self._last_account = stored.chosen
        return True

    def _take(self, stored: StoredSession) -> None:
        """Use a session from the cache."""
        self._generation += 1
        self._live = Live(stored, self._generation)
        self._last_account = stored.account_id
        self._chosen = self._configured or stored.chosen or stored.account_id

    def _keep(self, stored: StoredSession, generation: int) -> Live:
        """Use a session of ours, and store it in the cache."""
        if self._cache is not None and not self._apart:
            self._cache.save(stored)
        return self._use(stored, generation)

    def _follow(self, stored: StoredSession, generation: int) -> Live:
        """Use a session's new state; the cache is updated only while it still holds that session."""
        changed = self._live is not None and self._live.stored != stored
        if self._cache is not None and changed and self._is_cached(stored):
            self._cache.save(stored)
        return self._use(stored, generation)

    def _use(self, stored: StoredSession, generation: int) -> Live:
        self._cache_read = True
        self._live = Live(stored, generation)
        self._last_account = stored.account_id
        self._chosen = self._chosen or stored.chosen or stored.account_id
        return self._live

    def _forget(self, live: Live) -> None:
        with self._lock:
            if self._live is None or self._live.generation != live.generation:
                return
            self._live = None
            self._cache_read = True
            if self._cache is not None and self._is_cached(live.stored):
                self._cache.drop()

    def _is_cached(self, stored: StoredSession) -> bool:
        cached = self._cache.load() if self._cache is not None and not self._apart else None
        return cached is not None and cached.created_at == stored.created_at

    def _is_old(self, stored: StoredSession) -> bool:
        return not is_fresh(stored.created_at, self._clock(), freshness.SESSION)

    def _renew(self, lost: Live) -> tuple[Live, bool]:
        """Replace a lost session; also return whether it is brand new.

        It may be another thread's login, another process's (the cache holds other tokens), or our own.
        """
        with self.hold(required=False), self._lock:
            if self._live is not None and self._live.generation != lost.generation:
                return self.live(), True
            return self._log_in(instead_of=lost)

    def _log_in(self, *, instead_of: Live | None) -> tuple[Live, bool]:
        """Use a session that another process made meanwhile, or log in; return whether it was a login.

        Tokens rotated by another process are as good as a new session (API page 2.2). If it moved the
        session to another account, this process continues separately on its own account.
        """
        with self._login_lock():
            other = self._cache.load() if self._cache is not None else None
            if other is None or self._is_old(other) or not _is_newer(other, instead_of):
                return self._login(), True
            if instead_of is None and self._is_astray(other):
                return self._login(), True
            mine = instead_of and instead_of.stored
            if mine and other.created_at == mine.created_at and other.account_id != mine.account_id:
                # A visit is temporary; the user's choice is in the cache.
                self._apart = other.chosen in {"", other.account_id}
                return self._login(), True
            self._take(other)
        return self._on_wanted(self._live or Live(other, self._generation)), False

    def _on_wanted(self, live: Live) -> Live:
        return live if self._is_wanted(live) else self._move(live, self._wanted or "")

    def _is_wanted(self, live: Live) -> bool:
        return self._wanted in {None, live.stored.account_id}

    def _login(self) -> Live:
        target = self._wanted or self._last_account
        secret = self._credentials()
        stored, known = log_in(self._calls, secret, self._clock, sealed=self._sealed_login)
        self._generation += 1
        stored = replace(stored, chosen=self._chosen or target or stored.account_id)
        if target in {None, stored.account_id}:
            return self._keep(stored, self._generation)
        # Switch away from where the login landed, before anything is stored.
        self._live = None
        if known and target not in known:
            raise account_unknown(target or "", known)
        moved = self._put_account(Live(stored, self._generation), target or "")[0]
        if self._cache is not None and target == self._configured:
            # Later logins land on the account of this switch (API page 2.6): those that ask for none go back.
            self._cache.save_default(replace(moved.stored, chosen=stored.account_id))
        return moved

    def encryption_key(self) -> Reply:
        """GET /session/encryptionKey, for which the API key is enough. Raises as a login."""
        return encryption_key(self._calls, self._credentials())

    def _move(self, live: Live, target: str) -> Live:
        """Switch a session from the cache to the wanted account, if it is not there already."""
        reply = self._calls.patient(requests.SESSION, live.tokens.headers)
        if is_session_lost(reply.status, reply.code):
            return self._renew(live)[0]
        found = _details(reply)
        stored = _on_account(_with_tokens(live.stored, reply.tokens), found)
        if found.account_id == target:
            return self._follow(stored, live.generation)
        return self._put_account(Live(stored, live.generation), target)[0]

    def _put_account(self, live: Live, target: str) -> tuple[Live, Session]:
        """Switch, take the new tokens, and read back which account is active (API page 2.6)."""
        if not self._held.get():
            raise Busy(
                "Another process is sending with this login, so the session does not go to account "
                f"{target} now.",
                "Nothing was sent.",
                next="capcli reconcile",
            )
        ask = requests.switch_account(target)
        reply = self._calls.patient(ask, live.tokens.headers)
        if reply.code in UNKNOWN_ACCOUNT:
            raise account_unknown(target, self._accounts(live))
        if reply.status != OK and reply.code != SAME_ACCOUNT:
            raise refused(ask.endpoint, reply.status, reply.body)
        stored = _with_tokens(live.stored, reply.tokens)
        check = self._calls.patient(requests.SESSION, Live(stored, 0).tokens.headers)
        found = _details(check)
        if found.account_id != target:
            raise BrokerRefused(
                f"The broker stayed on account {found.account_id} and did not switch to {target}.",
                next="capcli accounts",
            )
        fresh, self._generation = self._live is None, self._generation + 1
        moved = _on_account(_with_tokens(stored, check.tokens), found)
        kept = replace(moved, chosen=self._chosen or target)
        return (self._keep if fresh else self._follow)(kept, self._generation), found

    def _accounts(self, live: Live) -> tuple[str, ...]:
        reply = self._calls.patient(requests.ACCOUNTS, live.tokens.headers)
        if reply.status != OK:
            return ()
        found = wire.rows(reply.body, "accounts", requests.ACCOUNTS.endpoint)
        return tuple(translate.rows(found, wire.LoginAccount, lambda row: row.account_id))


def _is_newer(other: StoredSession, lost: Live | None) -> bool:
    """Whether the cache is newer than the lost session: a later login, or tokens rotated elsewhere."""
    if lost is None:
        return True
    mine = lost.stored
    return other.created_at >= mine.created_at and Tokens(other.cst, other.security_token) != lost.tokens


def _details(reply: Reply) -> Session:
    if reply.status != OK:
        raise refused("GET /session", reply.status, reply.body)
    return translate.session(wire.decode(reply.body, wire.SessionDetails, "GET /session"))


def _with_tokens(stored: StoredSession, tokens: Tokens | None) -> StoredSession:
    if tokens is None:
        return stored
    return replace(stored, cst=tokens.cst, security_token=tokens.security_token)


def _on_account(stored: StoredSession, found: Session) -> StoredSession:
    return replace(
        stored,
        account_id=found.account_id,
        client_id=found.client_id,
        currency=found.currency,
        timezone_offset=found.timezone_offset,
    )
