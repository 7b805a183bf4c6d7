"""`capcli execute` as a process on a served broker: how long it lives, when its order leaves, how it dies."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from capcli.app import App
from capcli.paper.state import reset, set_fault, switches
from tests.faults.bench import order, tell
from tests.faults.checker import OPEN, Books, Evidence, Ledger, Told, violations
from tests.faults.processes import MONDAY
from tests.faults.scaled import FastTime
from tests.faults.served import served
from tests.faults.wire import Seen, read_log
from tests.store.builders import CHILD_ENV
from tests.support.children import Child
from tests.support.launched import as_own_user

KILLED = -9
ALONE: AbstractContextManager[Any] = nullcontext()
_PATIENCE_S = 60
_RECONCILED_S = 240
# A preview that a killed process left unused is taken again while it is this young (real seconds).
_YOUNG_S = 6
_LATENCY_S, _ANSWER_S = 0.06, "0.06"


@dataclass
class Span:
    """How long a process lives when nobody kills it, and when its order arrives (seconds from its start).

    A machine is busier at some times than when it was measured: `late` follows what the kills near the send
    met.
    """

    life: float
    send: float
    late: float = 0

    def moment(self, chance: Random) -> float:
        """Draw a moment of that life; two of three are near the send."""
        if chance.random() < 1 / 3:
            return chance.uniform(0, self.life + self.late)
        return self.send + self.late + self.life * chance.uniform(-0.1, 0.4)

    def learn(self, phase: str) -> None:
        """Move what is near to where it is found to be."""
        self.late += self.life * {"READY": 0.05, "LANDED": -0.1}.get(phase, 0)


@dataclass(frozen=True)
class Kill:
    """One kill: what the journal said at that moment, and what became of it."""

    preview_id: str
    phase: str
    state: str
    posts: int
    orders: int


@dataclass
class Broker:
    """A served broker and its own log of the orders that arrived."""

    url: str
    paper: Path
    log: Path
    fast: FastTime

    def arrivals(self) -> list[tuple[float, Seen]]:
        """Return when each order arrived, in seconds since the epoch."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        found = [entry for entry in map(json.loads, lines) if entry["what"] == "left"]
        return [(one["at"], Seen(one["method"], one["path"], one["body"].encode())) for one in found]


@contextmanager
def a_broker(
    folder: Path, factor: float, *, journal: Path | None = None, latency_s: float = _LATENCY_S
) -> Iterator[Broker]:
    """Serve a broker that takes a moment to accept an order, and another one to answer."""
    fast, paper, log = FastTime(factor), folder / "paper.db", folder / "seam.jsonl"
    reset(paper, start=MONDAY, limits=False, at=fast.now())
    switches(paper, at=fast.now(), confirm_delay_ms=int(100 * factor))
    set_fault(paper, "delay", at=fast.now(), on="orders", value=_ANSWER_S)
    options = {"log": str(log), "factor": factor, "latency_s": latency_s}
    with served(paper, journal=str(journal or ""), **options) as (host, port):
        yield Broker(f"http://{host}:{port}", paper, log, fast)


@dataclass
class Life:
    """One user of a broker: a home, previews of sizes of their own, and processes that are killed."""

    home: Path
    broker: Broker
    chance: Random
    stack: ExitStack
    first_size: Decimal = Decimal(1)
    told: list[Told] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)

    def __post_init__(self) -> None:
        runtime = self.broker.fast.runtime()
        self.app = self.stack.enter_context(closing(App.build(environ=self.settings, runtime=runtime)))
        self._size = self.first_size
        self._unused: tuple[str, float] | None = None

    @property
    def settings(self) -> dict[str, str]:
        return {
            "CAPCLI_HOME": str(self.home),
            "CAP_ENV": "demo",
            "CAP_ALLOW_TRADING": "true",
            "CAP_API_URL": self.broker.url,
            "CAP_API_KEY": "paper",
            "CAP_IDENTIFIER": "paper",
            "CAP_API_PASSWORD": "paper",
            "CAP_MAX_DRIFT_PCT": "50",
            "CAP_PREVIEW_TTL_S": "600",
        }

    @property
    def journal(self) -> Path:
        return self.home / "journal.db"

    def preview(self) -> str:
        """Return the preview that the last kill left unused, else a new one."""
        if self._unused and time.monotonic() - self._unused[1] < _YOUNG_S:
            return self._unused[0]
        preview = self.app.previews.preview(order(str(self._size))).data
        assert preview.executable, preview.failed
        self._size += Decimal("0.1")
        self._unused = preview.preview_id, time.monotonic()
        return preview.preview_id

    def process(self, preview_id: str) -> "subprocess.Popen[str]":
        return self.command("execute", preview_id, "--confirm")

    def command(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command line of this user."""
        speed = f"{self.broker.fast.factor:g}"
        command = [sys.executable, *as_own_user(), "-m", "tests.faults.scaled", speed, *arguments]
        environ = {name: value for name, value in CHILD_ENV.items() if not name.startswith("CAP")}
        return Child(
            command,
            text=True,
            env=environ | self.settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def measure(self, times: int) -> Span:
        """Let some processes live to their end."""
        lives, sends = [], []
        for _ in range(times):
            preview_id = self.preview()
            began, at = time.monotonic(), time.time()
            with self.process(preview_id) as process:
                out = process.communicate(timeout=_PATIENCE_S)
            assert process.returncode == 0, out
            self._unused = None
            lives.append(time.monotonic() - began)
            body = Books.read(self.journal).previews[preview_id]["body"]
            sends += [arrived - at for arrived, seen in self.broker.arrivals() if seen.body == bytes(body)]
        assert len(sends) == times
        return Span(median(lives), median(sends))

    def kill_one(self, span: Span, turn: AbstractContextManager[Any] = ALONE) -> bool:
        """Start a process and kill it at a random moment; say whether it lived that long.

        `turn` is held while the process lives, not while its end is settled.
        """
        preview_id = self.preview()
        with turn, self.process(preview_id) as process:
            try:
                out = process.communicate(timeout=span.moment(self.chance))
            except subprocess.TimeoutExpired:
                process.kill()
                out = process.communicate(timeout=_PATIENCE_S)
        phase = self._phase(preview_id)
        span.learn(phase)
        if phase != "READY":
            self._unused = None
        assert process.returncode in {KILLED, 0}, out
        self._settle(preview_id)
        if process.returncode != KILLED:
            return False
        found = self.evidence()
        state, posts = found.books.state_of(preview_id), found.posts_of(preview_id)
        self.kills.append(Kill(preview_id, phase, state, posts, found.orders_of(preview_id)))
        return True

    def _phase(self, preview_id: str) -> str:
        books = Books.read(self.journal)
        state = books.state_of(preview_id)
        if state != "SENDING":
            return state
        body = bytes(books.previews[preview_id]["body"])
        there = any(seen.body == body for _, seen in self.broker.arrivals())
        return "SENDING, it arrived" if there else "SENDING, on its way"

    def _settle(self, preview_id: str) -> None:
        """Reconcile what is open; then the same command again, which must send nothing."""
        attempt = Books.read(self.journal).attempt_of(preview_id)
        if attempt is None:
            return
        if attempt["state"] in OPEN:
            with self.command("reconcile", "--wait") as process:
                out = process.communicate(timeout=_RECONCILED_S)
            # An order that an earlier kill left absent keeps reconcile at 8, until a person settles it.
            absent = any(row["state"] == "ABSENT" for row in Books.read(self.journal).attempts.values())
            assert process.returncode == (8 if absent else 0), out
        executions = self.app.executions
        told = tell(preview_id, lambda: executions.execute(preview_id, confirmed=True))
        assert told.replayed, told
        self.told.append(told)

    def evidence(self) -> Evidence:
        seam, books = tuple(read_log(self.broker.log)), Books.read(self.journal)
        return Evidence(Ledger.read(self.broker.paper), books, seam, tuple(self.told))


def broken(kills: list[Kill], found: Evidence) -> list[str]:
    """Return what is wrong after any number of kills; the broker's ledger and the journals must agree."""
    wrong = violations(found)
    for kill in kills:
        due = {"LANDED": 1, "READY": 0, "NOT_SENT": 0, "ABSENT": 0}.get(kill.state)
        if due is None or kill.orders != due or kill.posts > 1:
            wrong.append(f"after the kill: {kill}")
    return wrong


def table(kills: list[Kill]) -> str:
    """Return the kills by the phase that they met."""
    lines = [f"{len(kills)} kills"]
    for phase in sorted({kill.phase for kill in kills}):
        ends = [kill.state for kill in kills if kill.phase == phase]
        verdicts = ", ".join(f"{ends.count(state)} {state}" for state in sorted(set(ends)))
        lines.append(f"  {phase:<20} {len(ends):>4}   {verdicts}")
    posts, orders = max(kill.posts for kill in kills), max(kill.orders for kill in kills)
    return "\n".join([*lines, f"  POSTs per preview at most {posts}, orders per preview at most {orders}"])
