"""A process that executes a preview and can be killed, stopped or interrupted at a named point.

`python -m tests.faults.child JOB` with JOB as JSON (see `Job`). It writes what the user would be told as one
line of JSON and ends with the exit code. With `copies` it imports everything once and forks, so that all of
them start at the same instant.
"""

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import httpx

from capcli.app import App
from capcli.broker.client import CapitalBroker
from capcli.cli.interrupts import shielded
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime, utc_now
from capcli.store import db
from capcli.store.journal import SqliteJournal
from capcli.store.lock import FileAccountLock
from capcli.trading.execute import Executions
from tests.faults.bench import tell
from tests.faults.checker import Told
from tests.faults.wire import Fault, FaultTransport, after, delayed

Guard = Callable[..., bool]


@dataclass
class Job:
    """What one child does. `point` and `deed` (kill, hold, suspend) say what befalls it, and where.

    `slow_s` delays the answer of the order, and nothing else; `lose` drops it. `hold` writes a line and waits
    for one. `served`: the broker is another process, named in `settings`. `gate`: copies wait for a line.
    """

    home: str
    previews: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    point: str = ""
    deed: str = "kill"
    slow_s: float = 0
    lose: bool = False
    copies: int = 0
    lock_wait_s: float = 20
    served: bool = False
    gate: bool = False

    def write(self) -> str:
        return json.dumps(asdict(self))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def perform(deed: str) -> None:
    """Die, or wait for the parent."""
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    say("here")
    if deed == "suspend":
        os.kill(os.getpid(), signal.SIGSTOP)
    # A stopped process may be continued by anybody, so it waits for its parent's word as well.
    sys.stdin.readline()


def _moves_to(state: str) -> Guard:
    return lambda _result, *args, **_facts: args[3] == state


def _always(_result: object, *_args: Any, **_facts: Any) -> bool:
    return True


def _answered(result: object, *_args: Any, **_facts: Any) -> bool:
    return result is not None


# A point is a method, whether before or after it, and which of its calls.
POINTS: dict[str, tuple[type, str, bool, Guard]] = {
    "before_lock": (FileAccountLock, "__call__", False, _always),
    "baseline": (SqliteJournal, "claim", False, _always),
    "claimed": (SqliteJournal, "claim", True, _answered),
    "before_sending": (SqliteJournal, "move", False, _moves_to("SENDING")),
    "sending": (SqliteJournal, "move", True, _moves_to("SENDING")),
    "bytes_out": (PaperTransport, "handle_request", True, lambda _answer, _self, ask: is_order(ask)),
    "answered": (CapitalBroker, "send", True, _always),
    "before_acked": (SqliteJournal, "move", False, _moves_to("ACKED")),
    "acked": (SqliteJournal, "move", True, _moves_to("ACKED")),
    "confirmed": (CapitalBroker, "confirm", True, _answered),
    "landed": (SqliteJournal, "move", True, _moves_to("LANDED")),
    "executed": (Executions, "execute", True, _always),
}


def is_order(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith(("/positions", "/workingorders"))


def arm(point: str, deed: Callable[[], None]) -> None:
    """Let something happen whenever a point is passed."""
    if point == "migration":
        _arm_migration(deed)
        return
    owner, name, late, guard = POINTS[point]
    real = getattr(owner, name)

    @wraps(real)
    def passed(*args: Any, **facts: Any) -> Any:
        if not late and guard(None, *args, **facts):
            deed()
        result = real(*args, **facts)
        if late and guard(result, *args, **facts):
            deed()
        return result

    setattr(owner, name, passed)


def _arm_migration(deed: Callable[[], None]) -> None:
    real = db._connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = real(*args, **options)
        connection.set_trace_callback(lambda sql: deed() if sql.startswith("CREATE TABLE events") else None)
        return connection

    db._connect = traced


def order_fault(job: Job) -> Fault | None:
    fault = after(httpx.ReadTimeout) if job.lose else None
    if not job.slow_s:
        return fault

    def waits(seconds: float) -> None:
        say("posted")
        time.sleep(seconds)

    return _after(delayed(waits, job.slow_s), fault)


def _after(slow: Fault, fault: Fault | None) -> Fault:
    """Be slow once the broker has the order, not before."""

    def both(request: httpx.Request, forward: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        answer = forward(request)
        return slow(request, lambda _request: fault(request, lambda _r: answer) if fault else answer)

    return both


def build(job: Job) -> App:
    home = Path(job.home)
    if job.served:
        return App.build(environ={"CAPCLI_HOME": job.home, **job.settings})
    inner = PaperTransport(home / "paper.db", utc_now)
    wire = FaultTransport(inner, journal=home / "journal.db", log=home / "seam.jsonl")
    fault = order_fault(job)
    for path in ("/positions", "/workingorders") if fault else ():
        wire.on("POST", path, fault, times=99)
    runtime = Runtime(transport=wire, lock_wait_s=job.lock_wait_s)
    environ = {"CAPCLI_HOME": job.home, **job.settings}
    return App.build(environ=environ, runtime=runtime)


def execute(job: Job, preview_id: str) -> Told:
    with closing(build(job)) as app:
        executions = app.executions
        return tell(
            preview_id,
            lambda: shielded(
                lambda: executions.execute(preview_id, confirmed=True),
                app.send_gate,
                on_wait=lambda: say("waiting"),
                left=lambda: executions.left_behind(preview_id),
            ),
        )


def run(job: Job) -> int:
    if job.point:
        arm(job.point, lambda: perform(job.deed))
    told = execute(job, job.previews[0])
    say(told.write())
    return told.exit


def run_many(job: Job) -> int:
    """Fork first, then let all of them go at once; each leaves what it was told in a file of its own."""
    gate_out, gate_in = os.pipe()
    started: list[int] = []
    for number in range(job.copies):
        pid = os.fork()
        if not pid:
            os.close(gate_in)
            os.read(gate_out, 1)
            told = execute(job, job.previews[number % len(job.previews)])
            Path(job.home, f"told-{number}.json").write_text(told.write())
            os._exit(0)
        started.append(pid)
    if job.gate:
        perform("hold")
    os.close(gate_in)
    for pid in started:
        os.waitpid(pid, 0)
    return 0


if __name__ == "__main__":
    given = Job(**json.loads(sys.argv[1]))
    sys.exit(run_many(given) if given.copies else run(given))
