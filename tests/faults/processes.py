"""The parent's side of child processes: a home on real time, children on it, and the evidence they leave."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from capcli.app import App
from capcli.domain.order import OrderRequest
from capcli.paper.state import reset, switches
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime, utc_now
from tests.faults.bench import order
from tests.faults.checker import Books, Evidence, Ledger, Told, counts, mismatches, violations
from tests.faults.child import Job
from tests.faults.matrix import Case, Outcome
from tests.faults.wire import read_log
from tests.store.builders import CHILD_ENV
from tests.support.children import Child
from tests.support.launched import as_own_user

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PATIENCE_S = 60


@dataclass
class Home:
    """A home that child processes share. Market time is a Monday noon, whatever day it is here."""

    path: Path
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        paper = self.path / "paper.db"
        reset(paper, start=MONDAY, limits=False, at=utc_now())
        switches(paper, at=utc_now(), confirm_delay_ms=0)

    @property
    def journal(self) -> Path:
        return self.path / "journal.db"

    @contextmanager
    def app(self, **settings: str) -> Iterator[App]:
        runtime = Runtime(transport=PaperTransport(self.path / "paper.db", utc_now))
        with closing(App.build(environ={"CAPCLI_HOME": str(self.path), **settings}, runtime=runtime)) as app:
            yield app

    def reconcile(self) -> None:
        """`capcli reconcile --wait`, and two minutes and a half are two seconds."""
        transport = PaperTransport(self.path / "paper.db", utc_now)
        runtime = Runtime(transport=transport, quiet_s=1, gap_s=1)
        with closing(App.build(environ={"CAPCLI_HOME": str(self.path)}, runtime=runtime)) as app:
            app.reconciliations.wait()

    def previews(self, *requests: OrderRequest) -> list[str]:
        with self.app() as app:
            return [app.previews.preview(request).data.preview_id for request in requests]

    def preview(self, request: OrderRequest | None = None) -> str:
        return self.previews(request or order())[0]

    def job(self, *previews: str, **more: Any) -> Job:
        return Job(str(self.path), list(previews), **more)

    def run(self, *previews: str, **more: Any) -> Told | None:
        """Run a child to its end and return what it told, or None when it was killed."""
        with child(self.job(*previews, **more)) as process:
            return self.ends(process)

    def ends(self, process: "subprocess.Popen[str]") -> Told | None:
        out, err = process.communicate(timeout=PATIENCE_S)
        if process.returncode < 0:
            return None
        assert out, err
        told = Told.read(out.splitlines()[-1])
        assert told.exit == process.returncode, err
        self.told.append(told)
        return told

    def race(self, *previews: str, copies: int, **more: Any) -> list[Told]:
        """Run copies of a child that start at the same instant; return what each was told."""
        with child(self.job(*previews, copies=copies, **more)) as process:
            _, err = process.communicate(timeout=3 * PATIENCE_S)
        told = [Told.read(path.read_text()) for path in self.path.glob("told-*.json")]
        assert (len(told), process.returncode) == (copies, 0), err
        self.told += told
        return told

    def evidence(self) -> Evidence:
        seam = tuple(read_log(self.path / "seam.jsonl"))
        return Evidence(Ledger.read(self.path / "paper.db"), Books.read(self.journal), seam, tuple(self.told))

    def judge(self, case: Case, want: Outcome, told: Told | None, preview_id: str) -> None:
        found = self.evidence()
        assert violations(found) + mismatches(case, want, told, found, preview_id) == []

    def finish(self, case: Case, preview_id: str) -> Told:
        """Play the second step in a new process and compare what is due with the matrix."""
        if case.then and case.then.state == "ABSENT":
            self.reconcile()
        told = self.run(preview_id)
        assert told is not None
        found = self.evidence()
        assert violations(found) + counts(case, found) == []
        if case.then:
            self.judge(case, case.then, told, preview_id)
        return told


@contextmanager
def child(job: Job) -> Iterator["subprocess.Popen[str]"]:
    """A child at work; what is left of it at the end is killed."""
    command = [sys.executable, *as_own_user(), "-m", "tests.faults.child", job.write()]
    environ = {name: value for name, value in CHILD_ENV.items() if not name.startswith(("CAP_", "CAPCLI_"))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Child(command, text=True, env=environ, **pipes) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def line(process: "subprocess.Popen[str]", expected: str) -> None:
    """Wait until a child has written a line."""
    assert process.stdout is not None
    found = process.stdout.readline().strip()
    assert found == expected, found or process.communicate()[1]


def release(process: "subprocess.Popen[str]") -> None:
    """Let a child that holds at a point go on."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def posted(process: "subprocess.Popen[str]", number: int) -> None:
    """Send a signal to a child whose order is on its way."""
    line(process, "posted")
    os.kill(process.pid, number)
