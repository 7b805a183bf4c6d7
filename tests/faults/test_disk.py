"""G1, G2, G5 on a real file system: a tmpfs of half a mebibyte that fills up, or that turns read-only.

Mounting needs root. Without it no file of this process may grow beyond what the journal holds, and the modes
of the folder are taken away; root ignores modes, hence the mount.
"""

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from capcli.app import App
from capcli.errors import PaperFileUnusable
from capcli.health.service import HealthStatus
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.faults.bench import order, tell
from tests.faults.checker import Books, Evidence, Ledger, Told, counts, mismatches, violations
from tests.faults.matrix import Case, Outcome, cases
from tests.faults.wire import FaultTransport
from tests.support.clock import Time

pytestmark = pytest.mark.faults

SIZE = "512k"


class Mounted:
    """A tmpfs: full is full, read-only is read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, _journal: Path) -> None:
        """Leave not one byte."""
        with suppress(OSError), self._filler.open("ab", buffering=0) as handle:
            while True:
                handle.write(b"\0" * 1024)
        assert shutil.disk_usage(self.folder).free == 0

    def free(self) -> None:
        self._filler.unlink()

    def freeze(self) -> None:
        self._remount("ro")

    def thaw(self) -> None:
        self._remount("rw")

    def _remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)


class Limited:
    """Any folder, with limits of this process in place of those of a disk."""

    says_full = "The journal * failed (disk I/O error). Nothing was recorded."

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = (-1, -1)

    def fill(self, journal: Path) -> None:
        import resource  # not on Windows

        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = journal.with_name(f"{journal.name}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, self._before[1]))

    def free(self) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)

    def freeze(self) -> None:
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(0o500 if path.is_dir() else 0o400)
        if os.access(self.folder, os.W_OK):
            pytest.skip("this user may write anywhere, and may not mount anything")

    def thaw(self) -> None:
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)


@contextmanager
def small_disk() -> Iterator[Mounted | Limited]:
    """A file system of its own where this user may mount one, else a folder."""
    folder = Path(tempfile.mkdtemp(prefix="capcli-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield Mounted(folder) if mounted else Limited(folder)
    finally:
        gc.collect()  # a connection that failed to open is held by its exception until then
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)


class Disk:
    """A home on a small disk of its own; the broker's books are elsewhere."""

    def __init__(self, disk: Mounted | Limited, memory: Path, stack: ExitStack) -> None:
        self.disk = disk
        self.home = disk.folder / "home"
        self.paper = memory / "paper.db"
        self.time = Time()
        self.told: list[Told] = []
        self.journal = self.home / "journal.db"
        self.wire = FaultTransport(PaperTransport(self.paper, self.time.now), journal=self.journal)
        runtime = Runtime(
            clock=self.time.now, sleep=self.time.sleep, monotonic=self.time.monotonic, transport=self.wire
        )
        environ = {"CAPCLI_HOME": str(self.home)}
        self.app = stack.enter_context(closing(App.build(environ=environ, runtime=runtime)))

    def preview(self) -> str:
        return self.app.previews.preview(order()).data.preview_id

    def execute(self, preview_id: str) -> Told:
        told = tell(preview_id, lambda: self.app.executions.execute(preview_id, confirmed=True))
        self.told.append(told)
        return told

    def before_move(self, state: str, deed: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
        real = self.app.journal.move

        def move(attempt_id: str, from_state: Any, to_state: Any, **facts: Any) -> bool:
            if to_state == state:
                deed()
            return real(attempt_id, from_state, to_state, **facts)

        patch.setattr(self.app.journal, "move", move)

    def evidence(self) -> Evidence:
        books = Books.read(self.journal)
        return Evidence(Ledger.read(self.paper), books, tuple(self.wire.seen), tuple(self.told))


@pytest.fixture
def small(memory: Path) -> Iterator[Disk]:
    with small_disk() as disk, ExitStack() as stack:
        yield Disk(disk, memory, stack)


FULL_AT = {"G1": "SENDING", "G2": "ACKED"}


@cases(*FULL_AT)
def test_case(case: Case, small: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    preview_id = small.preview()
    small.before_move(FULL_AT[case.id], lambda: small.disk.fill(small.journal), monkeypatch)
    try:
        told = small.execute(preview_id)
    finally:
        small.disk.free()
    found = small.evidence()
    first = _first(case, small.disk)
    assert violations(found) + mismatches(case, first, told, found, preview_id) == []
    monkeypatch.undo()
    again = small.execute(preview_id)
    found = small.evidence()
    assert violations(found) + counts(case, found) == []
    assert case.then is not None
    assert mismatches(case, case.then, again, found, preview_id) == []


def _first(case: Case, disk: Mounted | Limited) -> Outcome:
    # What says no is another error where the disk is not really full; only G1 tells it to the user.
    limited = case.id == "G1" and isinstance(disk, Limited)
    return replace(case.first, sentence=Limited.says_full) if limited else case.first


@cases("G5")
def test_case_read_only(case: Case, small: Disk) -> None:
    preview_id = small.preview()
    small.app.close()
    try:
        small.disk.freeze()
        with ExitStack() as stack:
            again = Disk(small.disk, small.paper.parent, stack)
            told = again.execute(preview_id)
    finally:
        small.disk.thaw()
    found = again.evidence()
    assert violations(found) + mismatches(case, case.first, told, found, preview_id) == []
    assert found.posts == 0


@pytest.mark.parametrize("deed", ["fill", "freeze"])
def test_the_paper_broker_on_a_disk_that_takes_nothing_is_named(deed: str, tmp_path: Path) -> None:
    time = Time()
    with small_disk() as disk:
        if isinstance(disk, Limited):
            pytest.skip("this user may not mount anything")
        file = disk.folder / "paper.db"
        with paper_app(file, tmp_path, time) as app:
            app.accounts.list()
        disk.fill(file) if deed == "fill" else disk.freeze()
        with paper_app(file, tmp_path, time) as app:
            with pytest.raises(PaperFileUnusable) as caught:
                app.accounts.login(force=True)
            checks = app.health.run(only=("login",)).data.checks
        if deed == "freeze":
            disk.thaw()
    assert str(file) in caught.value.message
    assert "Nothing was changed on paper." in caught.value.message
    assert {check.code for check in checks if check.status is HealthStatus.FAILED} == {"PAPER_FILE"}


def paper_app(file: Path, home: Path, time: Time) -> closing[App]:
    transport = PaperTransport(file, time.now)
    runtime = Runtime(clock=time.now, sleep=time.sleep, monotonic=time.monotonic, transport=transport)
    return closing(App.build(environ={"CAPCLI_HOME": str(home)}, runtime=runtime))
