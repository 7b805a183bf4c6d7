"""Plays a plan: starts the venue and the processes, lets things go wrong, and keeps what came of it."""

import json
import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from capcli.paper.faults import OLD_TOKEN_FOLLOWS
from capcli.paper.state import reset, set_fault
from tests.faults.campaign.clock import MONDAY, SharedTime
from tests.faults.campaign.damage import DAMAGES, UNFIT, copied, counted, damaged, put_back
from tests.faults.campaign.history import Command, History, Signed, Unfit
from tests.faults.campaign.kinds import On
from tests.faults.campaign.plan import Fault, Plan, Step
from tests.faults.campaign.processes import (
    PATIENCE_S,
    Server,
    Start,
    drained,
    ended,
    is_suspended,
    launch,
    pipe,
    state,
)
from tests.faults.campaign.venue import Armed, Remote
from tests.faults.checker import OPEN, Books

T = TypeVar("T")

_MEMORY = "/dev/shm"
_POLL_S = 0.004
_SUSPENDED_S = (0.3, 0.6, 1.5)
_FILE_LIMITS = (0, 4096, 20_000, 60_000, 90_000, 120_000, 140_000)


@dataclass
class Live:
    """A process under way, and what will befall it: (when, signal, the kind that it is counted as)."""

    command: Command
    pid: int
    pipes: tuple[int, int]
    blows: list[tuple[float, int, str]] = field(default_factory=list)
    disk: int | None = None
    stopped_at: float = 0


class Runner:
    """One run on a broker of its own."""

    def __init__(self, plan: Plan, folder: Path, template: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.time = SharedTime.begin(folder / "clock")
        shutil.copy(template, folder / "paper.db")
        if plan.follows:
            set_fault(folder / "paper.db", OLD_TOKEN_FOLLOWS, at=MONDAY)
        self.venue = Remote(folder, self.time)
        self.history = History(plan, folder)
        self.previews: dict[str, list[str]] = {home: [] for home in plan.homes}
        self.servers: dict[str, Server] = {}
        self.halted: set[str] = set()
        self.behind: set[str] = set()
        self.copies: dict[str, list[tuple[int, bytes]]] = {home: [] for home in plan.homes}
        self.accounts: list[str] = self.venue.order("accounts")
        self._steps = 0
        for home in plan.homes:
            (folder / home).mkdir(mode=0o700)
            (folder / f"run-{home}").mkdir(mode=0o700)
            self.user(home).mkdir(mode=0o700, exist_ok=True)

    # Users.

    def user(self, home: str) -> Path:
        """Return the home that the system knows a state folder's user by."""
        return self.folder / ("user" if self.plan.one_user else f"user-{home}")

    def environ(self, home: str) -> dict[str, str]:
        kept = {"XDG_RUNTIME_DIR": str(self.folder / f"run-{home}")} if self.plan.kept else {}
        cap = {"CAP_MAX_ORDERS_PER_DAY": str(self.plan.a_day)} if self.plan.a_day else {}
        cap |= {"CAP_APPROVAL": "human"} if self.plan.asks else {}
        return (
            kept
            | cap
            | {
                "HOME": str(self.user(home)),
                "PATH": os.environ["PATH"],
                "CAPCLI_HOME": str(self.folder / home),
                "CAP_ENV": "demo",
                "CAP_ALLOW_TRADING": "true",
                "CAP_API_URL": f"http://127.0.0.1:{self.venue.port}",
                "CAP_API_KEY": "paper",
                "CAP_IDENTIFIER": "paper",
                "CAP_API_PASSWORD": "paper",
                "CAP_MAX_DRIFT_PCT": "50",
                "CAP_PREVIEW_TTL_S": str(self.plan.ttl_s),
                "CAP_HTTP_TIMEOUT_S": "1",
            }
        )

    def start(
        self,
        home: str,
        deed: str,
        *words: str,
        faults: tuple[Fault, ...] = (),
        work: Callable[[], int] | None = None,
    ) -> Live:
        """Start a command line, or a person's work, with what befalls its process."""
        self._steps += 1
        step, names = f"{home}.{self._steps}", {one.kind: one for one in faults}
        skew = 3600 * (("clock ahead" in names) - ("clock behind" in names))
        full = names.get("disk full")
        disk = _FILE_LIMITS[int(full.value * len(_FILE_LIMITS))] if full else None
        command = Command(step, home, deed, words, self.time.monotonic())
        (out, to_out), (err, to_err) = pipe(), pipe()
        begin = Start(
            words,
            self.environ(home),
            self.user(home),
            self.time.skewed(skew),
            lambda: step,
            to_out,
            to_err,
            disk=disk,
            sabotage=self.plan.sabotage,
            work=work,
        )
        live = Live(command, launch(begin), (out, err), sorted(_blows(names)), disk)
        self.history.struck += names.keys() & {"clock ahead", "clock behind"}
        self.history.commands.append(command)
        return live

    def wait(self, lives: list[Live]) -> None:
        """Wait for processes, and let befall them what must."""
        began, left = time.monotonic(), list(lives)
        while left:
            for live in list(left):
                passed = time.monotonic() - began
                self._strike(live, passed)
                live.command.exit = _wait(live, passed)
                if live.command.exit is not None:
                    left.remove(live)
                    self._close(live)
                elif passed > PATIENCE_S:
                    live.command.hung = True
                    live.blows = [(0, signal.SIGKILL, "")]
            time.sleep(_POLL_S)

    def _strike(self, live: Live, passed: float) -> None:
        while live.blows and live.blows[0][0] <= passed:
            _, number, kind = live.blows.pop(0)
            if kind and state(live.pid) not in {"", "Z"}:
                self.history.struck.append(kind)
            os.kill(live.pid, number)

    def _close(self, live: Live) -> None:
        command = live.command
        command.ended = self.time.monotonic()
        command.out, command.err = map(drained, live.pipes)
        files = (self.folder / command.home).glob("*.db*")
        if live.disk is not None and any(one.stat().st_size >= live.disk for one in files):
            self.history.struck.append("disk full")

    def run(self, home: str, deed: str, *words: str, faults: tuple[Fault, ...] = ()) -> Command:
        live = self.start(home, deed, *words, faults=faults)
        self.wait([live])
        return live.command

    # Persons.

    def sign(self, home: str, code: str, *, approved: bool) -> None:
        """Let a person say yes or no to a code, as on a terminal."""
        work = partial(signed, code, approved=approved)
        live = self.start(home, "sign", "approve", *([] if approved else ["--deny"]), code, work=work)
        self.wait([live])
        if approved and live.command.exit == 0:
            requests = _requests_of(self._journal(home), code)
            self.history.signed.append(Signed(home, self.time.monotonic(), requests))

    def accept(self, home: str) -> None:
        """Let a person accept a journal that went back in time."""
        self.wait([self.start(home, "accept", "history", "accept", work=accepted)])
        self.behind.discard(home)

    def call(self, home: str, deed: str, tool: str, **arguments: Any) -> Command:
        """Call a tool of the home's server."""
        self._steps += 1
        step = f"{home}.{self._steps}"
        server = self.servers.get(home)
        if server is None:
            note = self.folder / f"note-{home}"
            server = self.servers[home] = Server(self.environ(home), self.user(home), self.time, note)
        words = tuple(f"{name}={value}" for name, value in arguments.items())
        command = Command(step, home, deed, words, self.time.monotonic(), tool=tool)
        self.history.commands.append(command)
        try:
            answer = server.call(step, tool, arguments)
        except TimeoutError:
            answer, command.hung = {}, True
            server.stop()
        command.ended = self.time.monotonic()
        command.server_died = answer is None
        command.out = json.dumps((answer or {}).get("structuredContent") or answer or {})
        return command

    # A run.

    def play(self) -> History:
        began = time.monotonic()
        try:
            if self.plan.hedging:
                self.venue.order(
                    "hand", method="PUT", path="/accounts/preferences", body={"hedgingMode": True}
                )
            for step in self.plan.steps:
                self._play(step)
            self._settle()
            self.history.entries = self.venue.entries()
            self.history.ledger = self.venue.order("book")
            self.history.books = {home: Books.read(self._journal(home)) for home in self.plan.homes}
        finally:
            for server in self.servers.values():
                server.stop()
                self.history.server_said += server.said
            self.venue.close()
        self.history.seconds = time.monotonic() - began
        return self.history

    def _journal(self, home: str) -> Path:
        return self.folder / home / "journal.db"

    def _play(self, step: Step) -> None:
        from tests.faults.campaign.deeds import DO

        if step.pause:
            self.time.move_on(float(step.pause))
        if step.by_hand:
            self._hand(step.by_hand, step.size)
        DO[step.deed](self, step)
        self._copy()
        if not step.lingers:
            self.venue.order("mend")

    def arm(self, step: Step) -> tuple[Fault, ...]:
        """Let the venue wait for the step's requests; return what befalls its processes."""
        for one in step.faults:
            if one.on != On.PROCESS:
                self.venue.arm(Armed(one.kind, one.on, one.times, one.skip, one.value))
        mine = tuple(one for one in step.faults if one.on == On.PROCESS)
        self.history.armed += [one.kind for one in mine]
        return mine

    def _copy(self) -> None:
        """Keep a copy of each journal: one of them may be put back later."""
        if any(one.kind == "older journal" for step in self.plan.steps for one in step.faults):
            for home in self.plan.homes:
                if self._journal(home).exists():
                    self.copies[home].append(copied(self._journal(home)))

    def _go_back(self, home: str, value: float) -> None:
        """Put an older copy of a journal back. Whoever does so stops the server before."""
        journal = self._journal(home)
        older = [one for one in self.copies[home] if one[0] < counted(journal)] if journal.exists() else []
        if not older:
            return
        self._stop(home)
        self.history.lost.setdefault(home, []).append(Books.read(journal))
        put_back(journal, older[int(value * len(older))][1])
        self.behind.add(home)
        self.history.struck.append("older journal")
        self.history.unfit.append(Unfit(home, "older journal", self.time.monotonic()))

    def _stop(self, home: str) -> None:
        server = self.servers.pop(home, None)
        if server is not None:
            server.stop()
            self.history.server_said += server.said

    @contextmanager
    def besieged(self, home: str, faults: tuple[Fault, ...]) -> Iterator[None]:
        """Damage the home's files while processes are at work, hold its journal, or move the clock on."""
        kinds = [one.kind for one in faults if one.kind in DAMAGES]
        if {"no journal", "overwritten journal"} & set(kinds):
            self._stop(home)
        for one in faults:
            if one.kind == "older journal":
                self._go_back(home, one.value)
        if {"read-only guard", "no guard"} & set(kinds):
            # What begins or is written meanwhile is remembered nowhere, so a person has to accept it.
            self.behind |= set(self.plan.homes) if self.plan.one_user else {home}
        began, had_one = self.time.monotonic(), self._journal(home).exists()
        guard = self.user(home) / ".capcli-guard"
        with damaged(self.folder / home, guard, kinds) as done, self._hindered(home, faults):
            self.history.struck += done
            yield
        for kind in UNFIT & set(kinds):
            if had_one:
                but_servers = kind == "read-only journal"
                unfit = Unfit(home, kind, began, self.time.monotonic(), but_servers)
                self.history.unfit.append(unfit)

    @contextmanager
    def _hindered(self, home: str, faults: tuple[Fault, ...]) -> Iterator[None]:
        names = {one.kind: one for one in faults}
        helper = 0
        hindering = names.keys() & ({"journal locked"} if self._journal(home).exists() else set())
        hindering |= names.keys() & {"clock jumps"}
        self.history.struck += hindering
        if hindering:
            helper = os.fork()
            if not helper:
                self._besiege(home, names)
        try:
            yield
        finally:
            if helper:
                os.waitpid(helper, 0)

    def _besiege(self, home: str, names: dict[str, Fault]) -> None:
        try:
            if "clock jumps" in names:
                time.sleep(names["clock jumps"].value * 0.3)
                self.time.move_on(120)
            if "journal locked" in names and self._journal(home).exists():
                value = names["journal locked"].value
                time.sleep(value * 0.15)
                db = sqlite3.connect(self._journal(home), timeout=5, isolation_level=None)
                db.execute("BEGIN IMMEDIATE")
                time.sleep(0.3 + 1.5 * ((value * 10) % 1))
                db.execute("ROLLBACK")
        finally:
            os._exit(0)

    def _hand(self, what: str, size: str) -> None:
        if what == "close":
            for deal in self.venue.order("book")["positions"]:
                self.venue.order("hand", method="DELETE", path=f"/positions/{deal}")
            return
        body = {"epic": "SILVER", "direction": what.upper(), "size": float(size)}
        self.venue.order("hand", method="POST", path="/positions", body=body)

    def _settle(self) -> None:
        """Nothing goes wrong any more: what is open is settled as far as evidence goes."""
        self.venue.order("mend")
        for home in sorted(self.behind):
            self.accept(home)
        for pause in (130, 40, 5):
            self.time.move_on(pause)
            for home in self.plan.homes:
                # A process that logs in lands on whichever account somebody went to last.
                for account in self.doubts(home) or self.accounts[: pause == 130]:
                    self.run(home, "settle", "reconcile", "--json", "--account", account)
        for home in self.plan.homes:
            self.run(home, "verify", "history", "verify", "--json")

    def doubts(self, home: str) -> list[str]:
        """Return the accounts of which the home's journal holds something undecided, or decided by traces."""
        attempts = Books.read(self._journal(home)).attempts.values()
        return sorted(
            {
                row["account_id"]
                for row in attempts
                if row["state"] in OPEN | {"ABSENT"} or row["evidence"] == "inferred"
            }
        )


def _blows(names: dict[str, Fault]) -> Iterator[tuple[float, int, str]]:
    """Say when which signals come (real seconds from the start), and as what they count."""
    for kind, number in (
        ("killed", signal.SIGKILL),
        ("suspended", signal.SIGSTOP),
        ("interrupted", signal.SIGINT),
        ("interrupted twice", signal.SIGINT),
        ("terminated", signal.SIGTERM),
    ):
        if kind in names:
            yield names[kind].value * 0.4, number, "" if kind == "interrupted twice" else kind
    if "interrupted twice" in names:
        yield names["interrupted twice"].value * 0.4 + 0.15, signal.SIGINT, "interrupted twice"


def _wait(live: Live, passed: float) -> int | None:
    """Return how a process ended; one that something has suspended goes on after a while."""
    exit_code = ended(live.pid)
    if exit_code is None and is_suspended(live.pid):
        live.stopped_at = live.stopped_at or passed
        if passed - live.stopped_at > _SUSPENDED_S[live.pid % len(_SUSPENDED_S)]:
            live.stopped_at = 0
            os.kill(live.pid, signal.SIGCONT)
    return exit_code


def signed(code: str, *, approved: bool) -> int:
    """Decide on a code in the process of a person."""
    return _by_a_person(lambda app: app.approvals.decide(code, approved=approved, by="the campaign"))


def accepted() -> int:
    """Accept the journal as it is in the process of a person."""
    return _by_a_person(lambda app: app.verification.accept(reason="a copy is back", ask_keychain=False))


def _by_a_person(work: Callable[[Any], Any]) -> int:
    from capcli.app import App
    from capcli.errors import CapcliError

    with closing(App.build(environ=dict(os.environ))) as app:
        try:
            reply = work(app)
        except CapcliError as error:
            print(error.message)
            return int(error.exit_code)
        print(getattr(reply.data, "sentence", ""))
        return int(reply.exit_code)


def _requests_of(journal: Path, code: str) -> tuple[tuple[str, str, str, str], ...]:
    from capcli.domain.approval import code_hash

    columns = "account_id, method, path, body_sha256"
    with closing(sqlite3.connect(journal, timeout=10)) as db:
        found = db.execute(f"SELECT {columns} FROM approvals WHERE code_hash = ?", (code_hash(code),))
        return tuple(found.fetchall())


def template(folder: Path) -> Path:
    """Make a broker's file once: its key takes longer than a run's first request."""
    from capcli.paper.broker import PaperBroker
    from capcli.paper.messages import PREFIX, Request

    path = folder / "template.db"
    reset(path, start=MONDAY, limits=False, at=MONDAY)
    broker = PaperBroker(path)
    broker.handle(
        Request("GET", f"{PREFIX}/session/encryptionKey", {}, {"x-cap-api-key": "paper"}, b"", MONDAY)
    )
    broker.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@contextmanager
def memory() -> Iterator[Path]:
    """Lend a folder where a commit costs nothing, if there is one."""
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="capcli-campaign-", dir=where) as name:
        yield Path(name)


def play(plan: Plan, broker: Path, judge: Callable[[History], T]) -> T:
    """Play a plan on a copy of a broker's file; return what the judge makes of its history."""
    with memory() as folder:
        return judge(Runner(plan, folder, broker).play())
