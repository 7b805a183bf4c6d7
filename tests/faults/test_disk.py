"""G1, G2, G5 on a real file system: a tmpfs of half a mebibyte that fills up, or that turns read-only.

Mounting needs root. Without it the largest file that this process may write is limited to what is there already,
which stops the journal from growing, and the folder's modes are taken away; root ignores those, hence the mount.
"""

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from capcli.app import App, Surroundings
from capcli.paper.transport import PaperTransport
from tests.faults.bench import order, tell
from tests.faults.checker import Books, Evidence, Ledger, Told, counts, mismatches, violations
from tests.faults.matrix import Case, cases
from tests.faults.wire import FaultTransport
from tests.support.clock import Time

pytestmark = pytest.mark.faults

SIZE = "512k"


@contextmanager
def tmpfs() -> Iterator[Path]:
    """A file system of its own, unmounted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="capcli-disk-"))
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("this machine lets nobody mount a tmpfs")
        try:
            yield folder
        finally:
            gc.collect()  # a connection that failed to open is held by its exception until then
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        folder.rmdir()


class Disk:
    """A home on a small disk of its own; the broker's books are elsewhere."""

    def __init__(self, disk: Path, memory: Path, stack: ExitStack) -> None:
        self.home = disk / "home"
        self.paper = memory / "paper.db"
        self.filler = disk / "filler"
        self.time = Time()
        self.told: list[Told] = []
        journal = self.home / "journal.db"
        self.wire = FaultTransport(PaperTransport(self.paper, self.time.now), journal=journal)
        around = Surroundings(
            clock=self.time.now, sleep=self.time.sleep, monotonic=self.time.monotonic, transport=self.wire
        )
        environ = {"CAPCLI_HOME": str(self.home)}
        self.app = stack.enter_context(closing(App.build(environ=environ, around=around)))

    def preview(self) -> str:
        return self.app.previews.preview(order()).data.preview_id

    def execute(self, preview_id: str) -> Told:
        told = tell(preview_id, lambda: self.app.executions.execute(preview_id, confirmed=True))
        self.told.append(told)
        return told

    def fill(self) -> None:
        """Leave not one byte."""
        with suppress(OSError), self.filler.open("ab", buffering=0) as handle:
            while True:
                handle.write(b"\0" * 1024)
        assert shutil.disk_usage(self.home).free == 0

    def free(self) -> None:
        self.filler.unlink()

    def before_move(self, state: str, deed: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
        real = self.app.journal.move

        def move(attempt_id: str, from_state: Any, to_state: Any, **facts: Any) -> bool:
            if to_state == state:
                deed()
            return real(attempt_id, from_state, to_state, **facts)

        patch.setattr(self.app.journal, "move", move)

    def evidence(self) -> Evidence:
        books = Books.read(self.home / "journal.db")
        return Evidence(Ledger.read(self.paper), books, tuple(self.wire.seen), tuple(self.told))


@pytest.fixture
def disk(memory: Path) -> Iterator[Disk]:
    with ExitStack() as stack:
        folder = stack.enter_context(tmpfs())
        yield Disk(folder, memory, stack)


FULL_AT = {"G1": "SENDING", "G2": "ACKED"}


@cases(*FULL_AT)
def test_case(case: Case, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    preview_id = disk.preview()
    disk.before_move(FULL_AT[case.id], disk.fill, monkeypatch)
    told = disk.execute(preview_id)
    found = disk.evidence()
    assert violations(found) + mismatches(case, case.first, told, found, preview_id) == []
    disk.free()
    monkeypatch.undo()
    again = disk.execute(preview_id)
    found = disk.evidence()
    assert violations(found) + counts(case, found) == []
    if case.second:
        assert mismatches(case, case.second, again, found, preview_id) == []


@cases("G5")
def test_case_read_only(case: Case, disk: Disk) -> None:
    preview_id = disk.preview()
    disk.app.close()
    with _frozen(disk.home), ExitStack() as stack:
        again = Disk(disk.home.parent, disk.paper.parent, stack)
        told = again.execute(preview_id)
    found = again.evidence()
    assert violations(found) + mismatches(case, case.first, told, found, preview_id) == []
    assert found.posts == 0


@contextmanager
def _frozen(home: Path) -> Iterator[None]:
    """Make a mounted file system read-only for a while."""
    mount = ["mount", "-o"]
    subprocess.run([*mount, "remount,ro", str(home.parent)], check=True)
    try:
        yield
    finally:
        subprocess.run([*mount, "remount,rw", str(home.parent)], check=True)
    assert os.access(home, os.W_OK)
