"""Composition root: settings become use cases. The only module that knows the concrete adapters."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from capcli.domain.hosts import HOSTS, host_kind
from capcli.errors import CapcliError, ConfigError, EnvironmentUnknown, NothingToClose
from capcli.ports import Lane
from capcli.runtime import Caller, Options, Runtime, utc_now
from capcli.settings import Env, Settings, load
from capcli.system import Folders, folders, guarded_halt
from capcli.use_cases import UseCases, once, use

if TYPE_CHECKING:
    from capcli.broker.client import CapitalBroker
    from capcli.broker.stream import Socket, Streams
    from capcli.context import Context
    from capcli.credentials.audit import AuditItem, ChainSeal
    from capcli.credentials.live_items import LiveItems
    from capcli.credentials.logins import Logins
    from capcli.credentials.source import CredentialSource
    from capcli.domain.check_input import Policy
    from capcli.domain.notes import OrderNotes
    from capcli.marketdata.downloads import CandleTarget
    from capcli.paper_control import PaperControl
    from capcli.ports import Broker
    from capcli.ports.journal import AttemptBook
    from capcli.safety.announcements import Launch
    from capcli.safety.halt import Halting
    from capcli.store.day_ranges import FileDayRanges
    from capcli.store.halt import FileHalt
    from capcli.store.journal import SqliteJournal
    from capcli.store.live_place import FileLivePlace
    from capcli.store.mandate_files import MandateFiles
    from capcli.store.preferences import FilePreferences
    from capcli.store.seen import SeenValues
    from capcli.trading.best_effort import BestEffortBook

_PACED = "Waiting {} s for the broker's rate limit, which all capcli processes of this user share."
_LOGIN_ELSEWHERE = "Waiting for another capcli process that is logging in."


@contextmanager
def halting_alone(environ: Mapping[str, str]) -> "Iterator[Halting]":
    """Yield a kill switch that needs no settings: other processes may be trading when they cannot be read."""
    from capcli.safety.halt import Halting
    from capcli.store.halt import FileHalt
    from capcli.store.journal import SqliteJournal

    try:
        places = folders(environ)
    except ConfigError as error:
        # This environment names no state folder; every process checks the guard folder.
        unusable = error

        def journal() -> SqliteJournal:
            raise unusable

        yield Halting(FileHalt(guarded_halt(), guarded_halt()), journal, utc_now, pid=os.getpid())
        return
    with closing(SqliteJournal(places.journal, guard=places.guard)) as book:
        switch = FileHalt(places.halt, places.guarded_halt)
        yield Halting(switch, lambda: book, utc_now, pid=os.getpid())


def _last_env(places: Folders, profile: str | None) -> str | None:
    """Return the environment that was used last, if this computer has a record of it."""
    from capcli.credentials.source import envs_in_keychain
    from capcli.store.last_env import LastEnv

    return LastEnv(places).read(envs_in_keychain(profile))


class App(UseCases):
    """Settings become adapters, and those the contexts of the use cases. One per process; `close` it.

    Everything is built on first use: a read opens no journal, and a way out survives a broken one.
    """

    credentials: "CredentialSource" = use(
        "credentials.source", "CredentialSource", "settings", "environ", "caller.interactive"
    )
    audit_item: "AuditItem" = use(
        "credentials.audit", "AuditItem", "folders.journal", "credentials.keychain.deadline_s"
    )
    day_ranges: "FileDayRanges" = use("store.day_ranges", "FileDayRanges", "folders.cache", "host")
    halt_switch: "FileHalt" = use("store.halt", "FileHalt", "folders.halt", "folders.guarded_halt")
    live_place: "FileLivePlace" = use(
        "store.live_place", "FileLivePlace", "folders.state", "settings.profile"
    )
    exit_book: "BestEffortBook" = use("trading.best_effort", "BestEffortBook", "journal", "monotonic")
    """Records closes and cancellations, in the journal if possible."""
    paper: "PaperControl" = use(
        "paper_control", "PaperControl", "folders.paper", "clock", "journal", "account_lock", "forget_paper"
    )
    seen: "SeenValues" = use("store.seen", "SeenValues", "folders.cache", "env")
    """Values from earlier results, for shell completion."""
    mandate_files: "MandateFiles" = use("store.mandate_files", "MandateFiles", "folders.mandates")

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
        self.runtime = runtime = runtime or Runtime()
        self.caller = caller or Caller()
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
            from capcli.refusals import name_env

            raise name_env(error, way_out or "", _last_env(places, options.profile)) from None
        app = cls(settings, places, environ, runtime=runtime, caller=caller)
        if way_out is not None:
            app.require_way_out(way_out)
        return app

    def require_way_out(self, command: str) -> None:
        """Refuse a way out that would end on another environment than the one that was used last.

        Raises EnvironmentUnknown, and NothingToClose where the embedded paper broker has no file.
        """
        if not self.settings.chosen("CAP_ENV"):
            last = _last_env(self.folders, self.settings.profile)
            if last not in {None, Env.PAPER}:
                from capcli.refusals import name_env

                message = f"Nothing here says which environment is meant, and {last} was used last."
                raise name_env(EnvironmentUnknown(message, last=last), command, last)
        embedded = self.settings.env is Env.PAPER and self.runtime.transport is None
        if embedded and not self.folders.paper.exists():
            raise NothingToClose(
                f"There is nothing to close: the paper broker is the file {self.folders.paper}, and it is "
                "not there.",
                "Nothing was sent.",
                next="capcli positions",
            )

    @once
    def broker(self) -> "CapitalBroker":
        return self._broker_at(self._url, cached=True)

    @once
    def order_broker(self) -> "CapitalBroker":
        return self.broker.in_lane(Lane.ORDERS)

    def broker_of(self, env: str) -> "CapitalBroker":
        """Return a broker of another environment with the same credentials, which keeps no session.

        For the one question of `health` whether refused credentials belong there; the caller closes it.
        """
        return self._broker_at(HOSTS[env], cached=False)

    def _broker_at(self, address: str, *, cached: bool) -> "CapitalBroker":
        from capcli.broker.client import CapitalBroker
        from capcli.broker.limits import OPENINGS_AN_HOUR
        from capcli.store.pace import FileOpenings, FilePaceBook

        settings, runtime, caller, locks = self.settings, self.runtime, self.caller, self.folders.locks
        on_paper, transport = settings.env is Env.PAPER, runtime.transport
        if transport is None and on_paper:
            from capcli.paper.transport import PaperTransport

            transport = PaperTransport(self.folders.paper, self.clock, sleep=self.sleep)

        def login_lock() -> AbstractContextManager[None]:
            from capcli.store.lock import FileLoginLock

            waits = partial(caller.on_wait, _LOGIN_ELSEWHERE)
            return FileLoginLock(locks, self.logins.key(address), on_wait=waits)()

        def session_lock() -> AbstractContextManager[None]:
            from capcli.store.lock import FileSessionLock

            key = f"{self.env}\n{address}\n{self.credentials.fingerprint_hint()}"
            return FileSessionLock(locks, key, wait_s=runtime.lock_wait_s)()

        return CapitalBroker(
            address,
            self.logins.credentials,
            clock=runtime.clock,
            cache=self.logins if cached else None,
            wanted_account=settings.account if cached else None,
            transport=transport,
            read_timeout_s=settings.http_timeout_s,
            monotonic=runtime.monotonic,
            sleep=runtime.sleep,
            pace_book=FilePaceBook(locks, address, runtime.monotonic),
            openings_book=FileOpenings(locks, address),
            openings_an_hour=OPENINGS_AN_HOUR if settings.env is Env.DEMO else None,
            preferences_book=self._preferences_book(address),
            login_lock=login_lock,
            session_lock=session_lock,
            on_wait=lambda seconds: caller.on_wait(_PACED.format(ceil(seconds))),
            # The embedded paper broker runs in this process, and its password is public.
            sealed_login=not on_paper,
            dry_run=settings.dry_run,
            reads_only=caller.reads_only,
        )

    def _preferences_book(self, address: str) -> "FilePreferences":
        from capcli.store.preferences import FilePreferences

        return FilePreferences(self.folders.cache, address, self.clock)

    @once
    def streams(self) -> "Streams":
        import random

        from capcli.broker.stream import Setting, Streams

        on_paper = self.settings.env is Env.PAPER
        connect: Callable[[str], Socket]
        if on_paper:
            from capcli.paper.inprocess import InProcessSocket

            connect = lambda _address: InProcessSocket(self.folders.paper, self.clock)  # noqa: E731
        else:
            from capcli.broker.stream_socket import connector

            connect = connector(self.broker.trust)
        setting = Setting(
            connect=connect,
            clock=self.clock,
            monotonic=self.monotonic,
            sleep=self.sleep,
            chance=random.random,
            url=self.settings.stream_url,
            checked=not on_paper,
        )
        return Streams(self.broker, setting)

    @once
    def logins(self) -> "Logins":
        from capcli.credentials.logins import Logins
        from capcli.store.last_env import LastEnv

        def used() -> None:
            if self.settings.chosen("CAP_ENV"):
                LastEnv(self.folders).note(self.env)

        return Logins(self.credentials, self.folders, self._url, on_secret=self.caller.on_secret, on_use=used)

    @once
    def journal(self) -> "SqliteJournal":
        from capcli.store.journal import SqliteJournal

        return SqliteJournal(
            self.folders.journal,
            # The keychain is in use on demo and live, where no credentials are in the environment.
            key=lambda: self._seal.key() if self.credentials.in_keychain else None,
            anchor=lambda: self._seal.remembered(),  # noqa: PLW0108  the keychain is not loaded before
            guard=self.folders.guard,
        )

    @once
    def _seal(self) -> "ChainSeal":
        from capcli.credentials.audit import ChainSeal

        just_failed = self.logins.cache.just_failed
        return ChainSeal(self.audit_item, self.folders.locks / "audit.lock", just_failed)

    @property
    def is_ahead_of_keychain(self) -> bool:
        """Whether this process wrote events that are not anchored in the keychain yet."""
        return self._keyed_head is not None and self._keyed_head != self._seal.anchored

    def anchor(self) -> None:
        """Store the journal's length and hash in the keychain, if this process wrote to it."""
        if self._keyed_head is not None:
            self._seal.anchor(self._keyed_head)

    @property
    def _keyed_head(self) -> tuple[int, str] | None:
        return self.journal.keyed_head if "journal" in vars(self) else None

    @once
    def reads(self) -> "Context":
        """The context of use cases that only read."""
        return self._context(lambda: self.broker)

    @once
    def orders(self) -> "Context":
        """The context of use cases that change something at the broker; their requests go first.

        Raises SettingInvalid where a setting alone would let orders go to live without a person.
        """
        self.live.refuse_confirm()
        return self._context(lambda: self.order_broker)

    @once
    def exits(self) -> "Context":
        """The context of what takes risk away: settings that it does not use are noted beside its results."""
        faults = (fault.why for fault in self.settings.faults)
        return self._context(
            lambda: self.order_broker,
            policy=lambda: self.policy,
            book=lambda: self.exit_book,
            notices=tuple(f"{words} This command goes on without it." for words in faults),
        )

    def _context(
        self,
        broker: "Callable[[], Broker]",
        *,
        policy: "Callable[[], Policy] | None" = None,
        book: "Callable[[], AttemptBook] | None" = None,
        notices: tuple[str, ...] = (),
    ) -> "Context":
        from capcli.context import Context, Patience

        settings, runtime, caller = self.settings, self.runtime, self.caller

        def strict_policy() -> "Policy":
            self.live.refuse_confirm()
            return self.policy

        return Context(
            env=self.env,
            host=self.host,
            account=settings.account,
            dry_run=settings.dry_run,
            # A dry run sends nothing, so there is nothing to confirm.
            confirmation_needed=(settings.require_confirm or caller.asks_always) and not settings.dry_run,
            ensure_stop=settings.ensure_stop,
            patience=Patience(runtime.quiet_s, runtime.gap_s),
            clock=runtime.clock,
            monotonic=runtime.monotonic,
            sleep=runtime.sleep,
            ids=runtime.ids,
            client=lambda: "terminal" if caller.interactive else caller.client(),
            lock=self.account_lock,
            supply={
                "broker": broker,
                "journal": lambda: self.journal,
                "book": book or (lambda: self.journal),
                "halt": lambda: self.halt_switch,
                "send_gate": lambda: self.send_gate,
                "policy": policy or strict_policy,
                "approval": lambda: self.live.approval,
                "approvals": lambda: self.approvals,
                "preview_ttl_s": lambda: self.preview_ttl_s,
            },
            notices=notices,
        )

    def account_lock(
        self, env: str, host: str, account_id: str, *, wait: bool = True
    ) -> AbstractContextManager[None]:
        from capcli.store.lock import FileAccountLock

        wait_s = self.runtime.lock_wait_s if wait else 0
        return FileAccountLock(self.folders.locks, wait_s=wait_s)(env, host, account_id)

    @once
    def programs(self) -> "Launch":
        """Return the launcher of the user's own programs."""
        from capcli.notify import Launcher

        return self.runtime.launch or Launcher(self.environ)

    @once
    def live_items(self) -> "LiveItems":
        from capcli.credentials.live_items import LiveItems

        deadline_s = self.credentials.keychain.deadline_s
        return LiveItems(self.settings.profile, host_kind(self.host), deadline_s)

    def order_notes(self, names: Iterable[str]) -> "Mapping[str, OrderNotes]":
        """Return notes and tags of orders, by the ids of their deals and working orders."""
        from capcli.store.order_notes import order_notes

        return order_notes(self.folders.journal, self.env, self.host, names)

    def candle_file(self, name: str, *, force: bool) -> "CandleTarget":
        """Return the file of a download. Raises UsageError for a name without a known format."""
        from capcli.store.candle_files import FileTarget

        return FileTarget(name, self.folders.locks, {"env": self.env, "host": self.host}, force=force)

    def candle_stream(self, write: Callable[[bytes], None], *, as_json: bool) -> "CandleTarget":
        """Return stdout, or any other stream, as the target of a download."""
        from capcli.store.candle_files import StreamTarget

        return StreamTarget(write, as_json=as_json)

    def forget_paper(self) -> None:
        """Drop everything cached from the embedded broker, after its reset."""
        from capcli.store.day_ranges import FileDayRanges

        self._preferences_book(HOSTS["paper"]).drop_all()
        FileDayRanges(self.folders.cache, "paper").drop_all()

    def close(self) -> None:
        """Close connections and files; the broker session stays for the next command."""
        with ExitStack() as ends:
            for name in ("journal", "broker"):
                if name in vars(self):
                    ends.callback(vars(self)[name].close)
            with suppress(CapcliError, OSError):
                # The records are safe; `history verify` reports events that are not anchored.
                self.anchor()
