"""Composition root: settings become use cases. The only module that knows the concrete adapters."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from math import ceil
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct

from capcli.domain.hosts import HostKind, host_kind
from capcli.errors import (
    CapcliError,
    ConfigError,
    CredentialsMissing,
    EnvironmentUnknown,
    KeychainMissing,
    KeychainSilent,
    KeychainUnsafe,
    NothingToClose,
    SettingInvalid,
)
from capcli.settings import Env, Settings, live_by, load
from capcli.system import Folders, file_lock, folders, guarded_halt, open_private, private_folder

if TYPE_CHECKING:
    from capcli.account.accounts import Accounts
    from capcli.account.events import Events
    from capcli.account.executions import ExecutionsLog
    from capcli.account.exposure import Exposures
    from capcli.account.history import History
    from capcli.account.portfolio import Portfolio
    from capcli.account.preferences import AccountChanges
    from capcli.account.statistics import Statistics
    from capcli.account.status import Status
    from capcli.account.stored_alerts import StoredAlerts
    from capcli.broker.client import CapitalBroker
    from capcli.broker.stream import Socket, Streams
    from capcli.context import Context
    from capcli.credentials.audit import AuditItem, ChainSeal
    from capcli.credentials.live_items import LiveItem, UnlockItem
    from capcli.credentials.session_item import FirstUsableCache
    from capcli.credentials.source import CredentialSource
    from capcli.domain.account import Listed, Position, WorkingOrder
    from capcli.domain.approval import Asked
    from capcli.domain.check_input import Policy
    from capcli.domain.going_live import Gate
    from capcli.domain.mandate import Opening, Outside, Spend, Tightening
    from capcli.health.recording import Exchange
    from capcli.health.service import Health
    from capcli.marketdata.browse import Browsing
    from capcli.marketdata.downloads import Downloads
    from capcli.marketdata.live_book import LivePortfolio
    from capcli.marketdata.markets import Markets
    from capcli.marketdata.stream_snapshots import Glimpses
    from capcli.marketdata.streams import Watching
    from capcli.marketdata.watchlists import Watchlists
    from capcli.paper_control import PaperControl
    from capcli.ports import Anchor, CandleTarget, Credentials, SessionCache, StoredSession
    from capcli.reconcile.confirms import Confirms
    from capcli.reconcile.lookup import Patience
    from capcli.reconcile.reconcile import Reconciliations
    from capcli.reconcile.reconciler import Reconciler
    from capcli.reconcile.resolve import Resolutions
    from capcli.safety.announcements import Announcer, Launch
    from capcli.safety.approval import Approvals
    from capcli.safety.audit import Verification
    from capcli.safety.going_live import GoingLive
    from capcli.safety.halt import Halting
    from capcli.safety.mandate import Mandates
    from capcli.safety.mandate_permits import Ledger, MandatePermits
    from capcli.safety.pin import Pin
    from capcli.store.day_ranges import FileDayRanges
    from capcli.store.halt import FileHalt
    from capcli.store.journal import SqliteJournal
    from capcli.store.live_place import FileLivePlace
    from capcli.store.preferences import FilePreferences
    from capcli.store.seen import SeenValues
    from capcli.trading.amend import Amendments
    from capcli.trading.amend_order import OrderAmendment
    from capcli.trading.amend_plan import A, Amendable, D
    from capcli.trading.amend_position import Amendment
    from capcli.trading.amend_preview import OrderUpdates
    from capcli.trading.cancel import Cancellations
    from capcli.trading.cancel_all import CancellationsOfAll
    from capcli.trading.close import Closings
    from capcli.trading.close_all import ClosingsOfAll
    from capcli.trading.execute import Executions, Sending
    from capcli.trading.flatten import Flattenings
    from capcli.trading.mutation import Mutations
    from capcli.trading.partial_close import Reductions
    from capcli.trading.preview import Previews
    from capcli.trading.propose import Proposals
    from capcli.trading.protect import ProtectedExecutions
    from capcli.trading.send_gate import SendGate

T = TypeVar("T")

HOSTS = {
    Env.PAPER: "http://paper",
    Env.DEMO: "https://demo-api-capital.backend-capital.com",
    Env.LIVE: "https://api-capital.backend-capital.com",
}
# The checklist's completion on one kind of host unlocks live on no other.
_UNLOCKED = {
    HostKind.BROKER: "unlocked",
    HostKind.LOOPBACK: "unlocked-loopback",
    HostKind.OTHER: "unlocked-other",
}
_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 12
_PACED = "Waiting {} s for the broker's rate limit, which all capcli processes of this user share."
_LOGIN_ELSEWHERE = "Waiting for another capcli process that is logging in."


def utc_now() -> datetime:
    """Return the present as aware UTC."""
    return datetime.now(UTC)


class _Told:
    """A session cache that tells of the tokens it is given or holds, and of its use.

    It is looked for at the first question: its name needs the credentials, and not every request does.
    """

    def __init__(
        self, find: "Callable[[], SessionCache]", on_secret: Callable[..., None], on_use: Callable[[], None]
    ) -> None:
        self.find = find
        self.on_secret = on_secret
        self.on_use = on_use

    @property
    def cache(self) -> "SessionCache":
        return self.find()

    def load(self) -> "StoredSession | None":
        session = self._tell(self.cache.load())
        if session is not None:
            self.on_use()
        return session

    def save(self, session: "StoredSession") -> None:
        self._tell(session)
        self.cache.save(session)

    def save_default(self, session: "StoredSession") -> None:
        self.cache.save_default(session)

    def drop(self) -> None:
        self.cache.drop()

    def take_all(self) -> "tuple[StoredSession, ...]":
        found = self.cache.take_all()
        for session in found:
            self._tell(session)
        return found

    def _tell(self, session: "StoredSession | None") -> "StoredSession | None":
        if session is not None:
            self.on_secret(session.cst, session.security_token)
        return session


def _kind_of(host: str) -> HostKind:
    return host_kind(host, {address.partition("://")[2] for address in (HOSTS[Env.DEMO], HOSTS[Env.LIVE])})


def random_id(prefix: str) -> str:
    """Return a new id: the prefix and 12 of `[0-9a-z]` from the operating system's randomness."""
    return prefix + "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))


@contextmanager
def halting_alone(environ: Mapping[str, str], clock: Callable[[], datetime] = utc_now) -> "Iterator[Halting]":
    """Lend the kill switch where the settings cannot be read: others may be trading with theirs."""
    from capcli.store.halt import FileHalt
    from capcli.store.journal import SqliteJournal

    try:
        places = folders(environ)
    except ConfigError as error:
        # No state folder can be told from this environment, and everybody looks into the guard folder.
        place, unusable = guarded_halt(), error

        def journal() -> "SqliteJournal":
            raise unusable

        yield _halting(FileHalt(place, place), journal, clock)
        return
    with closing(SqliteJournal(places.journal, guard=places.guard)) as book:
        yield _halting(_halt_switch(places), lambda: book, clock)


def halt_all_the_same(error: ConfigError, environ: Mapping[str, str], *, by: str) -> None:
    """Halt where settings stop a flattening that somebody asked for, and say so in what stops it."""
    from capcli.trading.flatten import STAYS

    with halting_alone(environ) as halting:
        reply = halting.halt("flatten", by=by)
    error.message = f"{error.message} {reply.problem.message if reply.problem else STAYS}"


def _halt_switch(places: Folders) -> "FileHalt":
    from capcli.store.halt import FileHalt

    return FileHalt(places.halt, places.guarded_halt)


def _halting(
    switch: "FileHalt", journal: "Callable[[], SqliteJournal]", clock: Callable[[], datetime]
) -> "Halting":
    from capcli.safety.halt import Halting

    return Halting(switch, journal, clock, pid=os.getpid())


def _ask_for_env(error: ConfigError, command: str, last: str | None) -> ConfigError:
    """Say which environment to name, and that nothing was sent to a guessed one."""
    used = f" ({last} was used last)" if last and last not in error.message else ""
    names = " or ".join(f"--env {env}" for env in ((last, Env.PAPER) if last else Env))
    error.message = f"{error.message} Name it{used}: {names}. Nothing was sent."
    # Which one is for a person to say: a command to copy could act on the wrong account.
    error.next = f"capcli --env ENV{command.removeprefix('capcli')}"
    return error


def _last_env(places: Folders, profile: str | None) -> str | None:
    """Return the environment that was used last, as far as anything on this computer remembers."""
    from capcli.store.journal import SqliteJournal
    from capcli.store.last_env import LastEnv

    journal = SqliteJournal(places.journal)
    try:
        return LastEnv((places.state, places.guard)).read(
            (lambda: journal) if places.journal.exists() else None, _with_credentials(profile)
        )
    finally:
        journal.close()


def _with_credentials(profile: str | None) -> Iterator[str]:
    """Yield the environments whose credentials the keychain keeps; one that cannot be asked keeps none."""
    from capcli.credentials.keychain import Keychain
    from capcli.settings.config_file import DEFAULT_PROFILE

    for env in (Env.LIVE, Env.DEMO):
        with suppress(CapcliError):
            if Keychain(profile or DEFAULT_PROFILE, env).look()[0] is not None:
                yield env.value


class Options(Struct, frozen=True):
    """The global options as typed."""

    env: str | None = None
    profile: str | None = None
    account: str | None = None
    timeout: str | None = None


class Runtime:
    """What tests replace: time, chance, waiting, and the wire to the broker.

    `quiet_s`: how long after a send a missing trace says nothing; `gap_s`: between two looks without one.
    `launch` starts the programs that tell a person something.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        ids: Callable[[str], str] = random_id,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        lock_wait_s: float = 20,
        quiet_s: float = 120,
        gap_s: float = 30,
        transport: Any = None,
        launch: "Launch | None" = None,
    ) -> None:
        self.clock = clock
        self.ids = ids
        self.sleep = sleep
        self.monotonic = monotonic
        self.lock_wait_s = lock_wait_s
        self.quiet_s = quiet_s
        self.gap_s = gap_s
        self.transport = transport
        self.launch = launch


class Caller:
    """Who is at the other end.

    `send_gate` calls back what is not sent yet; `on_wait` is told why a command waits; `on_secret` is told
    every credential and token that comes up, so that logs can mask them. With a person there (`interactive`)
    the keychain's own window may stay open for a minute. Who `reads_only` changes nothing at the broker, nor
    the session that others share. `client` names who asks for what a person approves.
    `asks_always`: a change is asked about even where CAP_REQUIRE_EXPLICIT_CONFIRM is false.
    """

    def __init__(
        self,
        *,
        send_gate: "SendGate | None" = None,
        on_wait: Callable[[str], None] = lambda _why: None,
        on_secret: Callable[..., None] = lambda *_: None,
        interactive: bool = False,
        reads_only: bool = False,
        client: Callable[[], str] = lambda: "a script",
        asks_always: bool = False,
    ) -> None:
        self.send_gate = send_gate
        self.on_wait = on_wait
        self.on_secret = on_secret
        self.interactive = interactive
        self.reads_only = reads_only
        self.client = client
        self.asks_always = asks_always


class App:
    """Everything a face needs, built on first use. One per process; `close` it at the end."""

    def __init__(
        self,
        settings: Settings,
        places: Folders,
        environ: Mapping[str, str],
        *,
        runtime: Runtime | None = None,
        caller: Caller | None = None,
    ) -> None:
        self.settings = settings
        self.folders = places
        self._environ = environ
        self._runtime = runtime or Runtime()
        self._caller = caller or Caller()
        self._built: dict[str, Any] = {}
        self._lock = RLock()

    @classmethod
    def build(
        cls,
        options: Options | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        runtime: Runtime | None = None,
        caller: Caller | None = None,
        new_profile: bool = False,
        way_out: str | None = None,
    ) -> "App":
        """Read the settings and return the app. Raises UsageError and ConfigError.

        `way_out` is the command of a close, cancellation or flattening: settings that it does not use stop
        it not, and EnvironmentUnknown is raised where they leave it open which environment is meant.
        """
        environ = dict(os.environ if environ is None else environ)
        options = options or Options()
        places = folders(environ)
        try:
            settings = load(
                environ,
                places,
                env=options.env,
                profile=options.profile,
                account=options.account,
                timeout=options.timeout,
                new_profile=new_profile,
                way_out=way_out is not None,
            )
        except EnvironmentUnknown as error:
            raise _ask_for_env(error, way_out or "", _last_env(places, options.profile)) from None
        app = cls(settings, places, environ, runtime=runtime, caller=caller)
        if way_out is not None:
            app.require_way_out(way_out)
        return app

    def require_way_out(self, command: str) -> None:
        """Refuse a way out that would end on another environment than the one that was used last.

        Raises EnvironmentUnknown, and NothingToClose where the embedded paper broker has no file.
        """
        if self.settings.env_source == "default":
            last = _last_env(self.folders, self.settings.profile)
            if last not in {None, Env.PAPER}:
                said = f"Nothing here says which environment is meant, and {last} was used last."
                raise _ask_for_env(EnvironmentUnknown(said, last=last), command, last)
        if self.settings.env is Env.PAPER and self._runtime.transport is None:
            self._require_paper()

    def _require_paper(self) -> None:
        if not self.folders.paper.exists():
            raise NothingToClose(
                f"There is nothing to close: the paper broker is the file {self.folders.paper}, and it is "
                "not there. Nothing was sent.",
                next="capcli positions",
            )

    def _once(self, name: str, build: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._built:
                self._built[name] = build()
            return cast("T", self._built[name])

    @property
    def env(self) -> str:
        return self.settings.env.value

    @property
    def environ(self) -> Mapping[str, str]:
        """Return the process environment that the settings were read from. It may hold secrets."""
        return self._environ

    @property
    def clock(self) -> Callable[[], datetime]:
        return self._runtime.clock

    @property
    def monotonic(self) -> Callable[[], float]:
        """Return the clock of durations, in seconds."""
        return self._runtime.monotonic

    @property
    def sleep(self) -> Callable[[float], None]:
        return self._runtime.sleep

    @property
    def send_gate(self) -> "SendGate":
        """Return what calls back the sends of this app; a new one where the caller has none."""
        from capcli.trading.send_gate import SendGate

        return self._once("send_gate", lambda: self._caller.send_gate or SendGate())

    @property
    def broker(self) -> "CapitalBroker":
        return self._once("broker", self._broker)

    def _broker(self) -> "CapitalBroker":
        return self._broker_at(self._url, lambda: self._session_cache, self.settings.account)

    def _note_env(self) -> None:
        """Remember the environment that somebody chose as the one that was used last."""
        from capcli.store.last_env import LastEnv

        if self.settings.env_source != "default":
            LastEnv((self.folders.state, self.folders.guard)).note(self.env)

    def broker_of(self, env: str) -> "CapitalBroker":
        """Return a broker of another environment with the same credentials, which keeps no session.

        For the one question of `health` whether refused credentials belong there; the caller closes it.
        """
        return self._broker_at(HOSTS[Env(env)], None, None)

    def _broker_at(
        self, address: str, cache: "Callable[[], SessionCache] | None", account: str | None
    ) -> "CapitalBroker":
        from capcli.broker.client import CapitalBroker
        from capcli.broker.limits import OPENINGS_AN_HOUR
        from capcli.store.pace import FileOpenings, FilePaceBook

        runtime, locks = self._runtime, self.folders.locks
        return CapitalBroker(
            address,
            self._secrets,
            clock=runtime.clock,
            cache=None if cache is None else _Told(cache, self._caller.on_secret, self._note_env),
            wanted_account=account,
            transport=self._transport(),
            read_timeout_s=self.settings.http_timeout_s,
            monotonic=runtime.monotonic,
            sleep=runtime.sleep,
            pace_book=FilePaceBook(locks, address, runtime.monotonic),
            openings_book=FileOpenings(locks, address),
            openings_an_hour=OPENINGS_AN_HOUR if self.settings.env is Env.DEMO else None,
            preferences_book=self._preferences_book(address),
            login_lock=lambda: self._login_lock(address),
            session_lock=lambda: self._session_lock(address),
            on_wait=lambda seconds: self._caller.on_wait(_PACED.format(ceil(seconds))),
            # The embedded paper broker is reached over no wire, and its password is public.
            sealed_login=self.settings.env is not Env.PAPER,
            dry_run=self.settings.dry_run,
            reads_only=self._caller.reads_only,
        )

    def _preferences_book(self, address: str) -> "FilePreferences":
        from capcli.store.preferences import FilePreferences

        return FilePreferences(self.folders.cache, address, self._runtime.clock)

    def _day_ranges(self, host: str) -> "FileDayRanges":
        from capcli.store.day_ranges import FileDayRanges

        return FileDayRanges(self.folders.cache, host)

    def _login_lock(self, address: str) -> "AbstractContextManager[None]":
        from capcli.store.login_lock import FileLoginLock

        told = partial(self._caller.on_wait, _LOGIN_ELSEWHERE)
        return FileLoginLock(self.folders.locks, self._login_key(address), told=told)()

    def _session_lock(self, address: str) -> "AbstractContextManager[None]":
        from capcli.store.lock import FileSessionLock

        key = f"{self.env}\n{address}\n{self.credentials.fingerprint_hint()}"
        return FileSessionLock(self.folders.locks, key, wait_s=self._runtime.lock_wait_s)()

    @property
    def _url(self) -> str:
        return self.settings.api_url or HOSTS[self.settings.env]

    def _login_key(self, address: str) -> str:
        """Tell one login from another; the account is no part of it, for one key logs in once a second."""
        hint = self.credentials.fingerprint_hint()
        return f"{self.settings.profile}\n{self.env}\n{address}\n{hint}"

    def _secrets(self) -> "Credentials":
        """Read the credentials, once a login needs them. Raises as CredentialSource.load does.

        A login without any has read and changed nothing: it is no use of the environment.
        """
        try:
            found = self._read_secrets()
        except (CredentialsMissing, KeychainMissing, KeychainUnsafe):
            raise
        except CapcliError:
            self._note_env()
            raise
        self._note_env()
        return found

    def _read_secrets(self) -> "Credentials":
        silent = self._session_cache.just_failed()
        if isinstance(silent, KeychainSilent):
            # One deadline a command: a keychain that did not answer for the session is not asked again.
            raise silent
        found = self.credentials.load()
        if self.settings.env is not Env.PAPER:
            self._caller.on_secret(found.api_key, found.identifier, found.password)
        return found

    def _transport(self) -> Any:
        if self._runtime.transport is not None or self.settings.env is not Env.PAPER:
            return self._runtime.transport
        from capcli.paper.transport import PaperTransport

        return PaperTransport(self.folders.paper, self._runtime.clock, sleep=self._runtime.sleep)

    @property
    def _session_cache(self) -> "FirstUsableCache":
        return self._once("session_cache", self._build_session_cache)

    def _build_session_cache(self) -> "FirstUsableCache":
        from capcli.credentials.session_item import FirstUsableCache, KeychainSessionCache
        from capcli.credentials.sessions import FileSessionCache

        settings = self.settings
        account = settings.account or ""
        # Paper tokens guard nothing, so they may rest in the cache folder where there is no runtime folder.
        folder = self.folders.cache if settings.env is Env.PAPER else self.folders.runtime
        file = FileSessionCache(folder, self._login_key(self._url), account)
        if not self.credentials.in_keychain:
            return FirstUsableCache(None, file)
        keychain = self.credentials.keychain
        return FirstUsableCache(
            KeychainSessionCache(f"{keychain.item}/session", self._url, account, keychain.deadline_s), file
        )

    def check_keychain(self) -> str:
        """Open the keychain and name it. Raises its errors; the session cache then leaves it alone."""
        try:
            return self.credentials.keychain.check()
        except CapcliError as error:
            self._session_cache.leave_alone(error)
            raise

    @property
    def session_place(self) -> str:
        """Say where the session rests between commands: keychain item, file, or nowhere."""
        return self._session_cache.describe()

    @property
    def host(self) -> str:
        """Name the broker's host without asking it anything."""
        return self._url.partition("://")[2]

    def forget_session(self) -> None:
        """Drop the sessions that are kept for the next command: other credentials are about to be used."""
        self._session_cache.forget()

    def take_session(self, trial: "App") -> None:
        """Keep the session of another app's login for the next command; what was kept before is gone."""
        trial.forget_session()
        with suppress(ConfigError):
            # An incomplete set in the environment: until it is gone, no command comes to a session.
            self.forget_session()
            if (held := trial.broker.held_session) is not None:
                self._session_cache.save(held)

    @property
    def credentials(self) -> "CredentialSource":
        return self._once("credentials", self._credentials)

    def _credentials(self) -> "CredentialSource":
        from capcli.credentials.source import CredentialSource

        return CredentialSource(self.settings, self._environ, interactive=self._caller.interactive)

    @property
    def journal(self) -> "SqliteJournal":
        return self._once("journal", self._journal)

    def _journal(self) -> "SqliteJournal":
        from capcli.store.journal import SqliteJournal

        return SqliteJournal(
            self.folders.journal, key=self._chain_key, anchor=self._chain_anchor, guard=self.folders.guard
        )

    def _chain_key(self) -> bytes | None:
        """Return the key of the event chain where the keychain is in use: not on paper, not headless."""
        return self._seal.key() if self.credentials.in_keychain else None

    def _chain_anchor(self) -> "Anchor | None":
        """Return what the keychain remembers of the journal; None while it cannot be asked."""
        with suppress(CapcliError):
            return self._audit_item().load()
        return None

    @property
    def _seal(self) -> "ChainSeal":
        return self._once("seal", self._build_seal)

    def _build_seal(self) -> "ChainSeal":
        from capcli.credentials.audit import ChainSeal

        return ChainSeal(
            self._audit_item(), self.folders.locks / "audit.lock", self._session_cache.just_failed
        )

    def _audit_item(self) -> "AuditItem":
        from capcli.credentials.audit import AuditItem

        return AuditItem(self.folders.journal, self.credentials.keychain.deadline_s)

    @property
    def is_ahead_of_keychain(self) -> bool:
        """Say whether this process wrote events that the keychain should hear of."""
        journal = self._built.get("journal")
        if journal is None or journal.keyed_head is None:
            return False
        return bool(journal.keyed_head != self._seal.anchored)

    def anchor(self) -> None:
        """Have the keychain remember how far the journal came, if this process wrote to it."""
        journal = self._built.get("journal")
        if journal is not None and journal.keyed_head is not None:
            self._seal.anchor(journal.keyed_head)

    @property
    def verification(self) -> "Verification":
        from capcli.safety.audit import Verification

        return self._once(
            "verification", lambda: Verification(self.journal, self._audit_item(), self._runtime.clock)
        )

    @property
    def context(self) -> "Context":
        return self._once("desk", lambda: self._context(self.broker, self._strict_policy()))

    @property
    def order_context(self) -> "Context":
        """The same desk for what changes something at the broker: its requests go first."""
        return self._once("order_context", lambda: self._context(self._order_broker, self._strict_policy()))

    @property
    def _order_broker(self) -> "CapitalBroker":
        from capcli.ports import Lane

        return self._once("order_broker", lambda: self.broker.in_lane(Lane.ORDERS))

    @property
    def exit_context(self) -> "Context":
        """The context for what takes risk away: beside what is wrong with settings that it does not use."""
        from dataclasses import replace

        return self._once(
            "exit_context",
            lambda: replace(self._context(self._order_broker, self._policy()), notices=self._notices),
        )

    @property
    def _notices(self) -> tuple[str, ...]:
        """Say which settings cannot be read, where that stops nothing."""
        said = (fault.message.removesuffix(" Nothing was sent.") for fault in self.settings.faults)
        return tuple(f"{words} This command goes on without it." for words in said)

    def _context(self, broker: "CapitalBroker", policy: "Policy") -> "Context":
        from capcli.context import Context

        return Context(
            self.env,
            broker,
            self.journal,
            policy,
            self._runtime.clock,
            self._halt_switch,
            self.approvals,
            dry_run=self.settings.dry_run,
        )

    @property
    def approval_mode(self) -> str:
        """Return who approves: `confirm` is whoever confirms, `human` a person by form or terminal.

        On live the checklist says; a setting alone does not turn it to `confirm`.
        """
        return self.live_approval if self.settings.env is Env.LIVE else self.settings.approval

    @property
    def approvals(self) -> "Approvals":
        return self._once("approvals", self._approvals)

    def _approvals(self) -> "Approvals":
        from capcli.safety.approval import Approvals

        return Approvals(
            lambda: self.journal,
            self._runtime.clock,
            self._runtime.ids,
            place=(self.env, self.host),
            needed=self.approval_mode == "human",
            announce=self.announcer.announce,
            client=self._caller.client,
            mandate=self._mandated,
            at_terminal=self._caller.interactive,
        )

    def _mandated(
        self, asked: "Asked", opening: "Opening | None", tightening: "Tightening | None"
    ) -> "Spend | Outside | None":
        """Judge a request by the mandate of this client; None where it was given none. Never on live."""
        if self.settings.mandate_file is None or self.settings.env is Env.LIVE:
            return None
        return self._once("mandate_permits", self._mandate_permits).permit(asked, opening, tightening)

    def _mandate_permits(self) -> "MandatePermits":
        from capcli.safety.mandate_permits import MandatePermits

        return MandatePermits(lambda: self.journal, self._ledger, self._runtime.clock, self.mandate_secret)

    @property
    def _ledger(self) -> "Ledger":
        from capcli.safety.mandate_permits import Ledger

        return self._once("ledger", lambda: Ledger(lambda: self.journal, lambda: self._order_broker))

    @property
    def mandates(self) -> "Mandates":
        return self._once("mandates", self._mandates)

    def _mandates(self) -> "Mandates":
        from capcli.safety.halt import refuse_while_halted
        from capcli.safety.mandate import Mandates, Tools
        from capcli.store.mandate_files import MandateFiles

        def cancel(deal_id: str) -> object:
            # Whoever granted it said so; where trading is off nothing is sent all the same.
            return self.cancellations.cancel(deal_id, confirmed=True, person=self.settings.allow_trading)

        tools = Tools(
            broker=lambda: self._order_broker,
            journal=lambda: self.journal,
            ledger=self._ledger,
            files=MandateFiles(self.folders.state / "mandates"),
            cancel=cancel,
            refuse_while_halted=partial(refuse_while_halted, self.order_context.halt),
            clock=self._runtime.clock,
            ids=self._runtime.ids,
            new_secret=lambda: secrets.token_hex(32),
        )
        return Mandates(self.env, self.host, tools, approval=self.approval_mode)

    def mandate_secret(self) -> str:
        """Read the secret of this client's mandate. Raises SettingInvalid for a file that is not private."""
        from capcli.credentials.environment import read_private

        name = "CAP_MANDATE_FILE"
        source = next(row.source for row in self.settings.rows if row.name == name)
        if source != "environment":
            raise SettingInvalid(
                f"{name} comes from {source}, which every client reads. It counts from the environment of "
                "one client alone",
                next="capcli help environment",
                variable=name,
            )
        secret = read_private("CAP_MANDATE_FILE", self.settings.mandate_file or "")
        self._caller.on_secret(secret.strip())
        return secret

    @property
    def announcer(self) -> "Announcer":
        """Return what tells a person that something waits for them or was sent without them."""
        return self._once("announcer", self._announcer)

    def _announcer(self) -> "Announcer":
        from capcli.safety.announcements import Announcer

        return Announcer(
            lambda: self.programs,
            self._runtime.monotonic,
            on_desktop=self.settings.notify,
            command=self.settings.notify_cmd,
        )

    @property
    def programs(self) -> "Launch":
        """Return what runs the user's own programs."""
        return self._once("programs", self._launch)

    def _launch(self) -> "Launch":
        from capcli.notify import Launcher

        return self._runtime.launch or Launcher(self._environ)

    @property
    def _halt_switch(self) -> "FileHalt":
        return self._once("halt_switch", lambda: _halt_switch(self.folders))

    @property
    def halting(self) -> "Halting":
        return self._once(
            "halting", lambda: _halting(self._halt_switch, lambda: self.journal, self._runtime.clock)
        )

    def waiting_orders(self) -> "tuple[str, Listed[WorkingOrder], str]":
        """Cancel the working orders of mandates, and read those that a halt leaves to fill.

        Says where they are, and what was cancelled. Raises as a read.
        """
        self.require_way_out("capcli halt")
        cancelled = ""
        with suppress(CapcliError):
            cancelled = self.mandates.cancel_orders()
        found = self.exit_context.broker.list_orders()
        return self.exit_context.where(self.broker.account_id), found, cancelled

    @property
    def pin(self) -> "Pin":
        return self._once("pin", self._pin)

    def _pin(self) -> "Pin":
        from capcli.credentials.live_items import PinItem
        from capcli.safety.pin import Pin

        lock = self.folders.locks / "pin.lock"
        return Pin(
            PinItem(self._live_item("pin")),
            lambda: self.halting,
            self._runtime.clock,
            lambda: file_lock(lock, wait_s=self._runtime.lock_wait_s),
            needed=lambda: self.settings.env is Env.LIVE and self.live_approval == "human",
        )

    @property
    def live_gate(self) -> "Gate":
        """Say whether live is unlocked. The keychain is asked once per process, and on live only."""
        return self._once("live_gate", self._live_gate)

    def _live_gate(self) -> "Gate":
        from capcli.domain.going_live import Approval, Gate
        from capcli.safety.going_live import gate_of

        if self.settings.env is not Env.LIVE:
            return Gate(unlocked=False, approval=Approval.HUMAN, reason=f"this is {self.env}")
        silent = self._session_cache.just_failed()
        if isinstance(silent, KeychainSilent):
            reason = f"the keychain keeps its completion and cannot be asked ({silent.code})"
            return Gate(unlocked=False, approval=Approval.HUMAN, reason=reason)
        return gate_of(self._unlock_item(), self._live_place())

    def look_again_at_live(self) -> None:
        """Forget what was known of the lock: it has just been changed."""
        with self._lock:
            self._built.pop("live_gate", None)

    @property
    def live_approval(self) -> str:
        """Return who approves on live, `human` or `confirm`: the checklist loosens, a setting tightens."""
        if self._approval_set() == "human":
            return "human"
        return self.live_gate.approval.value

    def _approval_set(self) -> str | None:
        """Return CAP_APPROVAL where somebody set it."""
        rows = (row for row in self.settings.rows if row.name == "CAP_APPROVAL")
        return next((row.value for row in rows if not row.source.startswith("default")), None)

    def _refuse_confirm_on_live(self) -> None:
        """Raise SettingInvalid where a setting alone would let orders go to live without a person."""
        if self.settings.env is Env.LIVE and self._approval_set() == "confirm" != self.live_approval:
            raise SettingInvalid(
                "CAP_APPROVAL is confirm, and on live a setting alone does not turn that: the go-live "
                "checklist does, on a terminal and with the PIN. Unset it, or allow it there. Nothing was "
                "sent.",
                next="capcli live checklist --approval confirm",
                variable="CAP_APPROVAL",
            )

    @property
    def going_live(self) -> "GoingLive":
        return self._once("going_live", self._going_live)

    def _going_live(self) -> "GoingLive":
        from capcli.safety.going_live import GoingLive, OnPurpose, Sources

        sources = Sources(
            host=self.host,
            kind_of=_kind_of,
            journal=lambda: self.journal,
            accounts=lambda: self.accounts,
            markets=lambda: self.markets,
            verification=lambda: self.verification,
        )
        return GoingLive(
            sources,
            self._unlock_item(),
            self._live_place(),
            self.pin,
            self._runtime.clock,
            profile=self.settings.profile,
            on_purpose=OnPurpose(
                live_by(self._environ, self.folders, self.settings.profile), self._trading_by
            ),
        )

    @property
    def _trading_by(self) -> str | None:
        row = next(row for row in self.settings.rows if row.name == "CAP_ALLOW_TRADING")
        return row.source if self.settings.allow_trading and not row.source.startswith("default") else None

    def _live_place(self) -> "FileLivePlace":
        from capcli.store.live_place import FileLivePlace

        return FileLivePlace(self.folders.state, self.settings.profile)

    @property
    def unlocked_profiles(self) -> tuple[str, ...]:
        """Return the profiles whose live was unlocked from this state folder."""
        from capcli.store.live_place import unlocked_profiles

        return unlocked_profiles(self.folders.state)

    def _unlock_item(self) -> "UnlockItem":
        from capcli.credentials.live_items import UnlockItem

        kind = _kind_of(self.host)
        return UnlockItem(self._live_item(_UNLOCKED[kind]))

    def lock_live(self) -> None:
        """Forget with the login of live its PIN and the completed checklist. Raises the Keychain errors."""
        if self.settings.env is Env.LIVE:
            for name in _UNLOCKED.values():
                self._live_item(name).drop()
            self._live_item("pin").drop()
            self._live_place().drop()

    def _live_item(self, name: str) -> "LiveItem":
        from capcli.credentials.live_items import LiveItem

        return LiveItem(self.settings.profile, name, self.credentials.keychain.deadline_s)

    @property
    def _confirmation_needed(self) -> bool:
        # A dry run sends nothing that somebody would have to confirm.
        return (self.settings.require_confirm or self._caller.asks_always) and not self.settings.dry_run

    def _strict_policy(self) -> "Policy":
        self._refuse_confirm_on_live()
        return self._policy()

    def _policy(self) -> "Policy":
        from capcli.domain.check_input import Policy
        from capcli.domain.fields import with_fields_of

        gate, allowed = self.live_gate, self.settings.allow_trading
        return with_fields_of(
            self.settings,
            Policy,
            env=self.env,
            trading_allowed=allowed,
            live_unlocked=gate.unlocked,
            live_reason=gate.reason,
        )

    def is_first_without_limits(self) -> bool:
        """Say whether this is the first run of this user without any limit."""
        if set(self.settings.limits_set) - {"CAP_ALLOWED_EPICS", "CAP_ENSURE_STOP"}:
            return False
        try:
            open_private(private_folder(self.folders.cache) / "told-no-limits", "xb").close()
        except (OSError, CapcliError):
            return False
        return True

    @property
    def seen(self) -> "SeenValues":
        """Return the cache of what commands showed, for a shell to complete."""
        from capcli.store.seen import SeenValues

        return self._once("seen", lambda: SeenValues(self.folders.cache, self.env))

    def record(self) -> "tuple[Exchange, ...]":
        """Ask every read once, and return the answers without what is the user's."""
        from capcli.health.recording import record
        from capcli.health.recording_check import mask_for

        return record(self.broker, mask_for(secrets.SystemRandom()))

    @property
    def accounts(self) -> "Accounts":
        from capcli.account.accounts import Accounts

        return self._once("accounts", lambda: Accounts(self.broker, self._halt_switch, self.approval_mode))

    @property
    def markets(self) -> "Markets":
        from capcli.marketdata.markets import Markets

        return self._once("markets", lambda: Markets(self.broker, self._runtime.clock))

    @property
    def browsing(self) -> "Browsing":
        from capcli.marketdata.browse import Browsing

        return self._once("browsing", lambda: Browsing(self.broker))

    @property
    def history(self) -> "History":
        from capcli.account.history import History

        return self._once("history", lambda: History(self.broker))

    @property
    def stored_alerts(self) -> "StoredAlerts":
        from capcli.account.stored_alerts import StoredAlerts

        return self._once(
            "stored_alerts",
            lambda: StoredAlerts(self.env, self.broker, lambda: self.journal, self._runtime.clock),
        )

    @property
    def statistics(self) -> "Statistics":
        from capcli.account.statistics import Statistics

        return self._once("statistics", lambda: Statistics(self.history, lambda: self.journal, self.env))

    @property
    def events(self) -> "Events":
        from capcli.account.events import Events

        return self._once(
            "events",
            lambda: Events(
                self.env, self.broker, lambda: self.journal, self._halt_switch, self._runtime.clock
            ),
        )

    @property
    def watchlists(self) -> "Watchlists":
        from capcli.marketdata.watchlists import Watchlists

        needed = self._confirmation_needed
        return self._once("watchlists", lambda: Watchlists(self.broker, confirmation_needed=needed))

    @property
    def streams(self) -> "Streams":
        return self._once("streams", self._streams)

    def _streams(self) -> "Streams":
        import random

        from capcli.broker.stream import Setting, Streams

        runtime, on_paper = self._runtime, self.settings.env is Env.PAPER
        setting = Setting(
            connect=self._paper_socket if on_paper else self._web_socket(),
            clock=runtime.clock,
            monotonic=runtime.monotonic,
            sleep=runtime.sleep,
            chance=random.random,
            url=self.settings.stream_url,
            checked=not on_paper,
        )
        return Streams(self.broker, setting)

    def _web_socket(self) -> "Callable[[str], Socket]":
        from capcli.broker.stream_socket import connector

        return connector(self.broker.trust)

    def _paper_socket(self, _address: str) -> "Socket":
        from capcli.paper.inprocess import InProcessSocket

        return InProcessSocket(self.folders.paper, self._runtime.clock)

    @property
    def watching(self) -> "Watching":
        from capcli.marketdata.streams import Watching

        return self._once("watching", lambda: Watching(self.broker, self.streams, self._runtime.clock))

    @property
    def live_portfolio(self) -> "LivePortfolio":
        from capcli.marketdata.live_book import LivePortfolio

        runtime = self._runtime
        return self._once(
            "live_portfolio",
            lambda: LivePortfolio(self.broker, self.watching, runtime.clock, runtime.sleep),
        )

    @property
    def glimpses(self) -> "Glimpses":
        from capcli.marketdata.stream_snapshots import Glimpses

        runtime = self._runtime
        return self._once(
            "glimpses",
            lambda: Glimpses(
                self.broker,
                self.streams,
                self.watching,
                self.live_portfolio,
                clock=runtime.clock,
                monotonic=runtime.monotonic,
            ),
        )

    @property
    def downloads(self) -> "Downloads":
        from capcli.marketdata.downloads import Downloads

        runtime = self._runtime
        return self._once("downloads", lambda: Downloads(self.broker, runtime.clock, runtime.monotonic))

    def candle_file(self, name: str, *, force: bool) -> "CandleTarget":
        """Return the file that a download goes into. Raises UsageError for a name that tells no format."""
        from capcli.store.candle_files import FileTarget

        return FileTarget(name, self.folders.locks, {"env": self.env, "host": self.host}, force=force)

    def candle_stream(self, write: Callable[[bytes], None], *, as_json: bool) -> "CandleTarget":
        """Return stdout, or any other stream, as the target of a download."""
        from capcli.store.candle_files import StreamTarget

        return StreamTarget(write, as_json=as_json)

    @property
    def portfolio(self) -> "Portfolio":
        from capcli.account.portfolio import Portfolio
        from capcli.reconcile.deal_account import account_of
        from capcli.store.order_notes import order_notes

        def opened_on(deal_id: str) -> str | None:
            return account_of(self.journal, self.env, self.host, deal_id)

        return self._once(
            "portfolio",
            lambda: Portfolio(
                self.broker,
                self._halt_switch,
                opened_on,
                lambda names: order_notes(self.folders.journal, self.env, self.host, names),
            ),
        )

    @property
    def previews(self) -> "Previews":
        from capcli.trading.preview import Previews

        return self._once(
            "previews",
            lambda: Previews(
                self.context,
                self._day_ranges(self.host),
                ids=self._runtime.ids,
                ttl_s=self._preview_ttl_s,
                settle=lambda: self._reconciliations(wait_s=0).reconcile(),
                client=lambda: "terminal" if self._caller.interactive else self._caller.client(),
            ),
        )

    @property
    def _preview_ttl_s(self) -> int:
        from capcli.safety.approval import LIFE

        # A preview lives as long as the approval that a person may still give it.
        return int(LIFE.total_seconds()) if self.approval_mode == "human" else self.settings.preview_ttl_s

    @property
    def proposals(self) -> "Proposals":
        from capcli.trading.propose import Proposals

        return self._once("proposals", lambda: Proposals(self.context, self.previews))

    @property
    def exposures(self) -> "Exposures":
        from capcli.account.exposure import Exposures

        return self._once("exposures", lambda: Exposures(self.broker))

    @property
    def status(self) -> "Status":
        from capcli.account.status import Status

        def waiting() -> int:
            return self.approvals.queue().total

        return self._once(
            "status", lambda: Status(self.context, waiting, lambda: self.mandates.list().data.mandates)
        )

    @property
    def executions(self) -> "Executions":
        return self._once("executions", self._executions)

    def _executions(self) -> "Executions":
        from capcli.trading.execute import Executions

        return Executions(self.order_context, self._sending())

    @property
    def protected_executions(self) -> "ProtectedExecutions":
        return self._once("protected_executions", self._protected_executions)

    def _protected_executions(self) -> "ProtectedExecutions":
        from capcli.trading.protect import ProtectedExecutions, Remedies

        remedies = Remedies(self.amendments, self.order_amendments, self.closings, self.cancellations)
        always = self.settings.ensure_stop
        return ProtectedExecutions(self.order_context, self.executions, remedies, always=always)

    def _sending(self) -> "Sending":
        from capcli.store.lock import FileAccountLock
        from capcli.trading.execute import Sending

        runtime = self._runtime
        return Sending(
            lock=FileAccountLock(self.folders.locks, wait_s=runtime.lock_wait_s),
            ids=runtime.ids,
            sleep=runtime.sleep,
            monotonic=runtime.monotonic,
            confirmation_needed=self._confirmation_needed,
            send_gate=self.send_gate,
            account=self.settings.account,
            patience=self._patience(),
        )

    @property
    def reductions(self) -> "Reductions":
        from capcli.trading.partial_close import Reductions

        return self._once("reductions", lambda: Reductions(self.order_context, self._sending()))

    @property
    def closings(self) -> "Closings":
        return self._once("closings", self._closings)

    def _closings(self) -> "Closings":
        from capcli.trading.close import Closings

        return Closings(self._exit_changer, confirmation_needed=self._confirmation_needed)

    @property
    def closings_of_all(self) -> "ClosingsOfAll":
        return self._once("closings_of_all", self._closings_of_all)

    def _closings_of_all(self) -> "ClosingsOfAll":
        from capcli.trading.close_all import ClosingsOfAll

        return ClosingsOfAll(
            self.exit_context,
            self.closings,
            sleep=self._runtime.sleep,
            confirmation_needed=self._confirmation_needed,
        )

    @property
    def cancellations_of_all(self) -> "CancellationsOfAll":
        return self._once("cancellations_of_all", self._cancellations_of_all)

    def _cancellations_of_all(self) -> "CancellationsOfAll":
        from capcli.trading.cancel_all import CancellationsOfAll

        return CancellationsOfAll(
            self.exit_context,
            self.cancellations,
            sleep=self._runtime.sleep,
            confirmation_needed=self._confirmation_needed,
        )

    @property
    def flattenings(self) -> "Flattenings":
        return self._once("flattenings", self._flattenings)

    def _flattenings(self) -> "Flattenings":
        from capcli.trading.flatten import Flattenings, Tools

        tools = Tools(
            self.halting,
            lambda: self.reconciliations,
            self.cancellations,
            self.closings,
            self.send_gate,
            self._runtime.sleep,
        )
        return Flattenings(self.exit_context, tools, confirmation_needed=self._confirmation_needed)

    @property
    def amendments(self) -> "Amendments[Position, Amendment]":
        from capcli.trading.amend_position import POSITIONS

        return self._once("amendments", lambda: self._amending(POSITIONS))

    @property
    def order_amendments(self) -> "Amendments[WorkingOrder, OrderAmendment]":
        from capcli.trading.amend_order import ORDERS

        return self._once("order_amendments", lambda: self._amending(ORDERS))

    @property
    def order_updates(self) -> "OrderUpdates":
        return self._once("order_updates", self._order_updates)

    def _order_updates(self) -> "OrderUpdates":
        from capcli.store.lock import FileAccountLock
        from capcli.trading.amend_preview import OrderUpdates, Setting

        runtime = self._runtime
        setting = Setting(
            FileAccountLock(self.folders.locks, wait_s=runtime.lock_wait_s),
            runtime.ids,
            self._preview_ttl_s,
            self._confirmation_needed,
            self.settings.account,
        )
        return OrderUpdates(self.order_context, self.order_amendments, self._reconciler(), setting)

    def _amending(self, deals: "Amendable[D, A]") -> "Amendments[D, A]":
        from capcli.store.lock import FileAccountLock
        from capcli.trading.amend import Amendments

        runtime = self._runtime
        return Amendments(
            self._changer(),
            self._reconciler(),
            FileAccountLock(self.folders.locks, wait_s=runtime.lock_wait_s),
            deals,
            confirmation_needed=self._confirmation_needed,
        )

    @property
    def reconciliations(self) -> "Reconciliations":
        return self._once("reconciliations", lambda: self._reconciliations(self._runtime.lock_wait_s))

    def _reconciliations(self, wait_s: float) -> "Reconciliations":
        from capcli.reconcile.reconcile import Reconciliations
        from capcli.store.lock import FileAccountLock

        lock, account = FileAccountLock(self.folders.locks, wait_s=wait_s), self.settings.account
        return Reconciliations(
            self.order_context, self._reconciler(), lock, sleep=self._runtime.sleep, account=account
        )

    @property
    def resolutions(self) -> "Resolutions":
        from capcli.reconcile.resolve import Resolutions
        from capcli.store.lock import FileAccountLock

        lock = FileAccountLock(self.folders.locks, wait_s=self._runtime.lock_wait_s)
        return self._once(
            "resolutions",
            lambda: Resolutions(self.order_context, self.reconciliations, self._reconciler(), lock),
        )

    @property
    def executions_log(self) -> "ExecutionsLog":
        from capcli.account.executions import ExecutionsLog

        return self._once("executions_log", lambda: ExecutionsLog(self.env, self.journal))

    def _reconciler(self) -> "Reconciler":
        from capcli.reconcile.reconciler import Reconciler

        return Reconciler(self.order_context, self._runtime.sleep, self._runtime.monotonic, self._patience())

    def _patience(self) -> "Patience":
        from capcli.reconcile.lookup import Patience

        return Patience(self._runtime.quiet_s, self._runtime.gap_s)

    @property
    def cancellations(self) -> "Cancellations":
        from capcli.trading.cancel import Cancellations

        needed = self._confirmation_needed
        return self._once(
            "cancellations", lambda: Cancellations(self._exit_changer, confirmation_needed=needed)
        )

    def _changer(self) -> "Mutations":
        from capcli.trading.mutation import Mutations

        context = self.order_context
        return Mutations(context, context.journal, self._runtime.ids, self._runtime.sleep, self.send_gate)

    @property
    def _exit_changer(self) -> "Mutations":
        """Return what sends closes and cancellations: written down as well as the journal allows."""
        return self._once("exit_changer", self._build_exit_changer)

    def _build_exit_changer(self) -> "Mutations":
        from capcli.trading.best_effort import BestEffortBook
        from capcli.trading.mutation import Mutations

        runtime = self._runtime
        book = BestEffortBook(lambda: self.journal, runtime.monotonic)
        return Mutations(self.exit_context, book, runtime.ids, runtime.sleep, self.send_gate)

    @property
    def account_changes(self) -> "AccountChanges":
        return self._once("account_changes", self._account_changes)

    def _account_changes(self) -> "AccountChanges":
        from capcli.account.preferences import AccountChanges
        from capcli.store.lock import FileAccountLock

        runtime = self._runtime
        return AccountChanges(
            self.order_context,
            FileAccountLock(self.folders.locks, wait_s=runtime.lock_wait_s),
            self.send_gate,
            sleep=runtime.sleep,
            confirmation_needed=self._confirmation_needed,
        )

    @property
    def confirms(self) -> "Confirms":
        from capcli.reconcile.confirms import Confirms

        runtime = self._runtime
        return self._once(
            "confirms", lambda: Confirms(self.broker, sleep=runtime.sleep, monotonic=runtime.monotonic)
        )

    @property
    def health(self) -> "Health":
        return self._once("health", self._health)

    def _health(self) -> "Health":
        from capcli.health.probes import probes
        from capcli.health.service import Health

        return Health(probes(self), self._known_account, time.monotonic)

    def _known_account(self) -> str | None:
        try:
            return self.broker.account_id
        except CapcliError:
            # Credentials that cannot be read are a finding of their own.
            return None

    @property
    def paper(self) -> "PaperControl":
        return self._once("paper", self._paper)

    def _paper(self) -> "PaperControl":
        from capcli.paper_control import PaperControl
        from capcli.store.lock import FileAccountLock

        host = HOSTS[Env.PAPER].removeprefix("http://")

        def forget() -> None:
            self._preferences_book(HOSTS[Env.PAPER]).drop_all()
            self._day_ranges(host).drop_all()

        return PaperControl(
            self.folders.paper,
            self._runtime.clock,
            lambda: self.journal,
            FileAccountLock(self.folders.locks, wait_s=self._runtime.lock_wait_s),
            host,
            after_reset=forget,
        )

    def close(self) -> None:
        """Close connections and files; the broker session stays for the next command."""
        with ExitStack() as ends:
            for name in ("journal", "broker"):
                if name in self._built:
                    ends.callback(self._built[name].close)
            with suppress(CapcliError, OSError):
                # What was told stands; `history verify` tells of what is not anchored.
                self.anchor()
