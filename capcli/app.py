"""Composition root: settings become use cases. The only module that knows the concrete adapters."""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

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
from capcli.ports import Lane
from capcli.settings import Env, Settings, live_by, load
from capcli.system import Folders, file_lock, folders, guarded_halt, open_private, private_folder
from capcli.use_cases import UseCases, once

if TYPE_CHECKING:
    from capcli.broker.client import CapitalBroker
    from capcli.broker.stream import Socket, Streams
    from capcli.context import Context
    from capcli.credentials.audit import AuditItem, ChainSeal
    from capcli.credentials.live_items import LiveItem, UnlockItem
    from capcli.credentials.session_item import FirstUsableCache
    from capcli.credentials.source import CredentialSource
    from capcli.domain.account import Listed, WorkingOrder
    from capcli.domain.approval import Asked
    from capcli.domain.check_input import Policy
    from capcli.domain.going_live import Gate
    from capcli.domain.mandate import Opening, Outside, Spend, Tightening
    from capcli.domain.notes import OrderNotes
    from capcli.health.recording import Exchange
    from capcli.health.service import Health
    from capcli.paper_control import PaperControl
    from capcli.ports import (
        Anchor,
        AttemptBook,
        Broker,
        CandleTarget,
        Credentials,
        SessionCache,
        StoredSession,
    )
    from capcli.safety.announcements import Announcer, Launch
    from capcli.safety.approval import Approvals
    from capcli.safety.going_live import GoingLive
    from capcli.safety.halt import Halting
    from capcli.safety.mandate import MandateRow, Mandates
    from capcli.safety.pin import Pin
    from capcli.store.day_ranges import FileDayRanges
    from capcli.store.halt import FileHalt
    from capcli.store.journal import SqliteJournal
    from capcli.store.live_place import FileLivePlace
    from capcli.store.preferences import FilePreferences
    from capcli.store.seen import SeenValues
    from capcli.trading.send_gate import SendGate

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


class App(UseCases):
    """Settings become adapters, and those the contexts of the use cases. One per process; `close` it.

    Everything is built on first use: a read opens no journal, and a way out survives a broken one.
    """

    def __init__(
        self,
        settings: Settings,
        places: Folders,
        environ: Mapping[str, str],
        *,
        runtime: Runtime | None = None,
        caller: Caller | None = None,
    ) -> None:
        """`environ` is what the settings were read from. It may hold secrets."""
        super().__init__()
        self.settings = settings
        self.folders = places
        self.environ = environ
        self._runtime = runtime = runtime or Runtime()
        self._caller = caller or Caller()
        self.env = settings.env.value
        self.clock, self.monotonic, self.sleep = runtime.clock, runtime.monotonic, runtime.sleep
        self._url = settings.api_url or HOSTS[settings.env]
        self.host = self._url.partition("://")[2]

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
        embedded = self.settings.env is Env.PAPER and self._runtime.transport is None
        if embedded and not self.folders.paper.exists():
            raise NothingToClose(
                f"There is nothing to close: the paper broker is the file {self.folders.paper}, and it is "
                "not there. Nothing was sent.",
                next="capcli positions",
            )

    @once
    def send_gate(self) -> "SendGate":
        """Return what calls back the sends of this app; a new one where the caller has none."""
        from capcli.trading.send_gate import SendGate

        return self._caller.send_gate or SendGate()

    @once
    def broker(self) -> "CapitalBroker":
        return self._broker_at(self._url, lambda: self._session_cache, self.settings.account)

    @once
    def _order_broker(self) -> "CapitalBroker":
        return self.broker.in_lane(Lane.ORDERS)

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

        runtime, caller, locks = self._runtime, self._caller, self.folders.locks

        def login_lock() -> "AbstractContextManager[None]":
            from capcli.store.login_lock import FileLoginLock

            told = partial(caller.on_wait, _LOGIN_ELSEWHERE)
            return FileLoginLock(locks, self._login_key(address), told=told)()

        def session_lock() -> "AbstractContextManager[None]":
            from capcli.store.lock import FileSessionLock

            key = f"{self.env}\n{address}\n{self.credentials.fingerprint_hint()}"
            return FileSessionLock(locks, key, wait_s=runtime.lock_wait_s)()

        return CapitalBroker(
            address,
            self._secrets,
            clock=runtime.clock,
            cache=None if cache is None else _Told(cache, caller.on_secret, self._note_env),
            wanted_account=account,
            transport=self._transport(),
            read_timeout_s=self.settings.http_timeout_s,
            monotonic=runtime.monotonic,
            sleep=runtime.sleep,
            pace_book=FilePaceBook(locks, address, runtime.monotonic),
            openings_book=FileOpenings(locks, address),
            openings_an_hour=OPENINGS_AN_HOUR if self.settings.env is Env.DEMO else None,
            preferences_book=self._preferences_book(address),
            login_lock=login_lock,
            session_lock=session_lock,
            on_wait=lambda seconds: caller.on_wait(_PACED.format(ceil(seconds))),
            # The embedded paper broker is reached over no wire, and its password is public.
            sealed_login=self.settings.env is not Env.PAPER,
            dry_run=self.settings.dry_run,
            reads_only=caller.reads_only,
        )

    def _transport(self) -> Any:
        if self._runtime.transport is not None or self.settings.env is not Env.PAPER:
            return self._runtime.transport
        from capcli.paper.transport import PaperTransport

        return PaperTransport(self.folders.paper, self._runtime.clock, sleep=self._runtime.sleep)

    def _preferences_book(self, address: str) -> "FilePreferences":
        from capcli.store.preferences import FilePreferences

        return FilePreferences(self.folders.cache, address, self._runtime.clock)

    @once
    def day_ranges(self) -> "FileDayRanges":
        from capcli.store.day_ranges import FileDayRanges

        return FileDayRanges(self.folders.cache, self.host)

    def order_notes(self, names: Iterable[str]) -> "Mapping[str, OrderNotes]":
        """Return what was kept with orders, by the deals and working orders that came of them."""
        from capcli.store.order_notes import order_notes

        return order_notes(self.folders.journal, self.env, self.host, names)

    def _note_env(self) -> None:
        """Remember the environment that somebody chose as the one that was used last."""
        from capcli.store.last_env import LastEnv

        if self.settings.env_source != "default":
            LastEnv((self.folders.state, self.folders.guard)).note(self.env)

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

    @once
    def _session_cache(self) -> "FirstUsableCache":
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

    @once
    def credentials(self) -> "CredentialSource":
        from capcli.credentials.source import CredentialSource

        return CredentialSource(self.settings, self.environ, interactive=self._caller.interactive)

    @once
    def journal(self) -> "SqliteJournal":
        from capcli.store.journal import SqliteJournal

        return SqliteJournal(
            self.folders.journal, key=self._chain_key, anchor=self._chain_anchor, guard=self.folders.guard
        )

    @once
    def exit_book(self) -> "AttemptBook":
        """What closes and cancellations are written down in, as well as the journal allows."""
        from capcli.trading.best_effort import BestEffortBook

        return BestEffortBook(lambda: self.journal, self.monotonic)

    def _chain_key(self) -> bytes | None:
        """Return the key of the event chain where the keychain is in use: not on paper, not headless."""
        return self._seal.key() if self.credentials.in_keychain else None

    def _chain_anchor(self) -> "Anchor | None":
        """Return what the keychain remembers of the journal; None while it cannot be asked."""
        with suppress(CapcliError):
            return self.audit_item.load()
        return None

    @once
    def _seal(self) -> "ChainSeal":
        from capcli.credentials.audit import ChainSeal

        return ChainSeal(self.audit_item, self.folders.locks / "audit.lock", self._session_cache.just_failed)

    @property
    def audit_item(self) -> "AuditItem":
        """What the keychain keeps of the journal."""
        from capcli.credentials.audit import AuditItem

        return AuditItem(self.folders.journal, self.credentials.keychain.deadline_s)

    @property
    def is_ahead_of_keychain(self) -> bool:
        """Say whether this process wrote events that the keychain should hear of."""
        return self._keyed_head is not None and self._keyed_head != self._seal.anchored

    def anchor(self) -> None:
        """Have the keychain remember how far the journal came, if this process wrote to it."""
        if self._keyed_head is not None:
            self._seal.anchor(self._keyed_head)

    @property
    def _keyed_head(self) -> tuple[int, str] | None:
        return self.journal.keyed_head if "journal" in vars(self) else None

    @once
    def reads(self) -> "Context":
        """The context of what only reads."""
        return self._context(lambda: self.broker)

    @once
    def orders(self) -> "Context":
        """The context of what changes something at the broker: its requests go first.

        Raises SettingInvalid where a setting alone would let orders go to live without a person.
        """
        self._refuse_confirm_on_live()
        return self._context(lambda: self._order_broker)

    @once
    def exits(self) -> "Context":
        """The context of what takes risk away: beside what is wrong with settings that it does not use."""
        said = (fault.message.removesuffix(" Nothing was sent.") for fault in self.settings.faults)
        return self._context(
            lambda: self._order_broker,
            policy=lambda: self._policy,
            book=lambda: self.exit_book,
            notices=tuple(f"{words} This command goes on without it." for words in said),
        )

    def _context(
        self,
        broker: "Callable[[], Broker]",
        *,
        policy: "Callable[[], Policy] | None" = None,
        book: "Callable[[], AttemptBook] | None" = None,
        notices: tuple[str, ...] = (),
    ) -> "Context":
        from capcli.context import Context, Patience, Supply

        settings, runtime, caller = self.settings, self._runtime, self._caller
        return Context(
            env=self.env,
            host=self.host,
            account=settings.account,
            dry_run=settings.dry_run,
            # A dry run sends nothing that somebody would have to confirm.
            confirmation_needed=(settings.require_confirm or caller.asks_always) and not settings.dry_run,
            ensure_stop=settings.ensure_stop,
            patience=Patience(runtime.quiet_s, runtime.gap_s),
            clock=runtime.clock,
            monotonic=runtime.monotonic,
            sleep=runtime.sleep,
            ids=runtime.ids,
            client=lambda: "terminal" if caller.interactive else caller.client(),
            lock=self._account_lock,
            supply=Supply(
                broker=broker,
                journal=lambda: self.journal,
                book=book or (lambda: self.journal),
                halt=lambda: self.halt_switch,
                send_gate=lambda: self.send_gate,
                policy=policy or self._strict_policy,
                approval=lambda: self.approval_mode,
                approvals=lambda: self.approvals,
                preview_ttl_s=lambda: self._preview_ttl_s,
            ),
            notices=notices,
        )

    def _account_lock(
        self, env: str, host: str, account_id: str, *, wait: bool = True
    ) -> "AbstractContextManager[None]":
        from capcli.store.lock import FileAccountLock

        wait_s = self._runtime.lock_wait_s if wait else 0
        return FileAccountLock(self.folders.locks, wait_s=wait_s)(env, host, account_id)

    @property
    def _preview_ttl_s(self) -> int:
        from capcli.safety.approval import LIFE

        # A preview lives as long as the approval that a person may still give it.
        return int(LIFE.total_seconds()) if self.approval_mode == "human" else self.settings.preview_ttl_s

    @property
    def approval_mode(self) -> str:
        """Return who approves: `confirm` is whoever confirms, `human` a person by form or terminal.

        On live the checklist says; a setting alone does not turn it to `confirm`.
        """
        return self.live_approval if self.settings.env is Env.LIVE else self.settings.approval

    @once
    def approvals(self) -> "Approvals":
        from capcli.safety.approval import Approvals

        return Approvals(
            self.reads,
            announce=self.announcer.announce,
            mandate=self._mandated,
            at_terminal=self._caller.interactive,
        )

    def _mandated(
        self, asked: "Asked", opening: "Opening | None", tightening: "Tightening | None"
    ) -> "Spend | Outside | None":
        """Judge a request by the mandate of this client; None where it was given none. Never on live."""
        if self.settings.mandate_file is None or self.settings.env is Env.LIVE:
            return None
        from capcli.safety.mandate_permits import MandatePermits

        return MandatePermits(self.orders, self.mandate_secret).permit(asked, opening, tightening)

    @once
    def mandates(self) -> "Mandates":
        from capcli.safety.mandate import Mandates
        from capcli.store.mandate_files import MandateFiles

        def cancel(deal_id: str) -> object:
            # Whoever granted it said so; where trading is off nothing is sent all the same.
            return self.cancellations.cancel(deal_id, confirmed=True, person=self.settings.allow_trading)

        files = MandateFiles(self.folders.state / "mandates")
        return Mandates(self.orders, files, cancel, lambda: secrets.token_hex(32))

    def list_mandates(self) -> "tuple[MandateRow, ...]":
        """Return the mandates of this user."""
        return self.mandates.list().data.mandates

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

    @once
    def announcer(self) -> "Announcer":
        """Return what tells a person that something waits for them or was sent without them."""
        from capcli.safety.announcements import Announcer

        return Announcer(
            lambda: self.programs,
            self.monotonic,
            on_desktop=self.settings.notify,
            command=self.settings.notify_cmd,
        )

    @once
    def programs(self) -> "Launch":
        """Return what runs the user's own programs."""
        from capcli.notify import Launcher

        return self._runtime.launch or Launcher(self.environ)

    @once
    def halt_switch(self) -> "FileHalt":
        return _halt_switch(self.folders)

    @once
    def halting(self) -> "Halting":
        return _halting(self.halt_switch, lambda: self.journal, self.clock)

    def waiting_orders(self) -> "tuple[str, Listed[WorkingOrder], str]":
        """Cancel the working orders of mandates, and read those that a halt leaves to fill.

        Says where they are, and what was cancelled. Raises as a read.
        """
        self.require_way_out("capcli halt")
        cancelled = ""
        with suppress(CapcliError):
            cancelled = self.mandates.cancel_orders()
        found = self._order_broker.list_orders()
        return self.exits.where(self.broker.account_id), found, cancelled

    @once
    def pin(self) -> "Pin":
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

    @once
    def live_gate(self) -> "Gate":
        """Say whether live is unlocked. The keychain is asked once per process, and on live only."""
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
        for name in ("live_gate", "_policy"):
            vars(self).pop(name, None)

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

    @once
    def going_live(self) -> "GoingLive":
        from capcli.domain.going_live import Step
        from capcli.safety.going_live import GoingLive

        return GoingLive(
            self.reads,
            self._unlock_item(),
            self._live_place(),
            self.pin,
            lambda: self.verification,
            profile=self.settings.profile,
            kind_of=_kind_of,
            on_purpose={
                Step.ENV: live_by(self.environ, self.folders, self.settings.profile),
                Step.TRADING: self._trading_by,
            },
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

    def _strict_policy(self) -> "Policy":
        self._refuse_confirm_on_live()
        return self._policy

    @once
    def _policy(self) -> "Policy":
        from capcli.domain.check_input import Policy
        from capcli.domain.fields import with_fields_of

        gate = self.live_gate
        return with_fields_of(
            self.settings,
            Policy,
            env=self.env,
            trading_allowed=self.settings.allow_trading,
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

    @once
    def seen(self) -> "SeenValues":
        """Return the cache of what commands showed, for a shell to complete."""
        from capcli.store.seen import SeenValues

        return SeenValues(self.folders.cache, self.env)

    def record(self) -> "tuple[Exchange, ...]":
        """Ask every read once, and return the answers without what is the user's."""
        from capcli.health.recording import record
        from capcli.health.recording_check import mask_for

        return record(self.broker, mask_for(secrets.SystemRandom()))

    @once
    def streams(self) -> "Streams":
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

        return InProcessSocket(self.folders.paper, self.clock)

    def candle_file(self, name: str, *, force: bool) -> "CandleTarget":
        """Return the file that a download goes into. Raises UsageError for a name that tells no format."""
        from capcli.store.candle_files import FileTarget

        return FileTarget(name, self.folders.locks, {"env": self.env, "host": self.host}, force=force)

    def candle_stream(self, write: Callable[[bytes], None], *, as_json: bool) -> "CandleTarget":
        """Return stdout, or any other stream, as the target of a download."""
        from capcli.store.candle_files import StreamTarget

        return StreamTarget(write, as_json=as_json)

    @once
    def health(self) -> "Health":
        from capcli.health.probes import probes
        from capcli.health.service import Health

        return Health(probes(self), self._known_account, time.monotonic)

    def _known_account(self) -> str | None:
        try:
            return self.broker.account_id
        except CapcliError:
            # Credentials that cannot be read are a finding of their own.
            return None

    @once
    def paper(self) -> "PaperControl":
        from capcli.paper_control import PaperControl
        from capcli.store.day_ranges import FileDayRanges

        host = HOSTS[Env.PAPER].removeprefix("http://")

        def forget() -> None:
            self._preferences_book(HOSTS[Env.PAPER]).drop_all()
            FileDayRanges(self.folders.cache, host).drop_all()

        return PaperControl(
            self.folders.paper, self.clock, lambda: self.journal, self._account_lock, host, after_reset=forget
        )

    def close(self) -> None:
        """Close connections and files; the broker session stays for the next command."""
        with ExitStack() as ends:
            for name in ("journal", "broker"):
                if name in vars(self):
                    ends.callback(vars(self)[name].close)
            with suppress(CapcliError, OSError):
                # What was told stands; `history verify` tells of what is not anchored.
                self.anchor()
