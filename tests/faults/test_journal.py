"""Group G in process: a journal that is locked, damaged, too new, and what a power cut may leave of it."""

import os
import shutil
import sqlite3
import stat
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from capcli.store.db import Database
from capcli.store.journal import SqliteJournal
from tests.faults.bench import Bench
from tests.faults.checker import Books
from tests.faults.matrix import Case, cases
from tests.faults.wire import after, meanwhile

WAL_HEADER, FRAME_HEADER = 32, 24


@cases("G3")
def test_case_locked(case: Case, bench: Bench) -> None:
    preview_id = bench.preview()
    bench.restart()
    # The wait of ten seconds is the store's own, for which it has a test of its own.
    vars(bench.app)["journal"] = SqliteJournal(bench.journal, database=Database(bench.journal, wait_s=0.1))
    with closing(sqlite3.connect(bench.journal, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = bench.execute(preview_id)
    bench.judge(case, case.first, told, preview_id)
    assert bench.evidence().posts == 0


@cases("G4")
@pytest.mark.parametrize("damage", ["header", "middle"])
def test_case_corrupt(case: Case, damage: str, bench: Bench) -> None:
    preview_id = bench.preview()
    bench.app.close()
    damaged = bytearray(bench.journal.read_bytes())
    start = 0 if damage == "header" else 4096
    damaged[start : start + 2048] = b"\xa5" * 2048
    bench.journal.write_bytes(damaged)
    bench.restart()
    told = bench.execute(preview_id)
    assert (told.exit, case.first.reads(told.sentence)) == (case.first.exit, True), told
    assert bench.wire.calls("POST").count("POST /positions") == 0
    assert bench.journal.read_bytes() == bytes(damaged), "the evidence was touched"


def test_an_emptied_journal_is_not_a_first_run(bench: Bench) -> None:
    preview_id = bench.preview()
    bench.app.close()
    bench.journal.write_bytes(b"")
    bench.restart()
    assert bench.execute(preview_id).exit == 3
    assert bench.wire.calls("POST") == []


@cases("G6")
def test_case_newer_schema(case: Case, bench: Bench) -> None:
    preview_id = bench.preview()
    bench.app.close()
    with closing(sqlite3.connect(bench.journal)) as db:
        db.execute("PRAGMA user_version = 99")
    bench.restart()
    told = bench.execute(preview_id)
    bench.judge(case, case.first, told, preview_id)
    assert bench.evidence().posts == 0


@cases("G7")
def test_case_file_modes(case: Case, bench: Bench) -> None:
    before = os.umask(0)
    try:
        bench.play(case)
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in bench.home.rglob("*")}
    assert len(modes) > 4
    assert {mode for path, mode in modes.items() if path.is_dir()} <= {0o700}
    assert {path for path, mode in modes.items() if path.is_file() and mode != 0o600} == set()
    assert stat.S_IMODE(bench.home.stat().st_mode) == 0o700


@cases("G8")
def test_case_power_loss(case: Case, bench: Bench, memory: Path) -> None:
    """What is on the disk when the order leaves must say SENDING, whatever the cut takes that comes later."""
    disk = memory / "disk"
    bench.wire.on("POST", "/positions", meanwhile(lambda: _image(bench, disk), after(httpx.ReadTimeout)))
    preview_id = bench.preview()
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    assert _synchronous(bench) == 2, "FULL: a commit that returned is on the disk"
    assert Books.read(disk / "journal.db").state_of(preview_id) == "SENDING"
    _begin_again_from(bench, disk)
    posts = bench.evidence().posts
    again = bench.execute(preview_id)
    assert again.exit in {8, 0}
    assert bench.evidence().posts == posts == case.posts
    bench.finish(case, preview_id)


def test_the_log_cut_at_every_frame_never_loses_a_commit(bench: Bench, memory: Path) -> None:
    """Each prefix of the write-ahead log is a prefix of the story, and the whole log is all of it."""
    disk = memory / "disk"
    preview_id = bench.preview()
    bench.wire.on("GET", "/confirms/", meanwhile(lambda: _image(bench, disk)))
    bench.execute(preview_id)
    story = ["READY", "CLAIMED", "SENDING", "ACKED"]
    told = [_state_of_cut(disk, length, preview_id) for length in _cuts(disk)]
    ranks = [story.index(state) for state in told]
    assert ranks == sorted(ranks), "a longer log knew less"
    assert story[max(ranks)] == "ACKED"
    assert {"CLAIMED", "SENDING"} <= set(told)


def _image(bench: Bench, disk: Path) -> None:
    disk.mkdir()
    for path in (bench.journal, bench.journal.with_name("journal.db-wal")):
        shutil.copy(path, disk / path.name)


def _synchronous(bench: Bench) -> int:
    (row,) = bench.app.journal._db.rows("PRAGMA synchronous")
    return int(row[0])


def _begin_again_from(bench: Bench, disk: Path) -> None:
    bench.app.close()
    for suffix in ("", "-wal", "-shm"):
        bench.journal.with_name(f"journal.db{suffix}").unlink(missing_ok=True)
    for path in disk.glob("journal.db*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, bench.home / path.name)
    bench.restart()


def _cuts(disk: Path) -> Iterator[int]:
    """Lengths of the log: after each frame, and in the middle of the next."""
    log = (disk / "journal.db-wal").read_bytes()
    (page,) = struct.unpack(">I", log[8:12])
    frame = FRAME_HEADER + page
    for end in range(WAL_HEADER, len(log) + 1, frame):
        yield end
        yield min(end + frame // 2, len(log))


def _state_of_cut(disk: Path, length: int, preview_id: str) -> str:
    cut = disk / f"cut-{length}"
    cut.mkdir(exist_ok=True)
    shutil.copy(disk / "journal.db", cut / "journal.db")
    (cut / "journal.db-wal").write_bytes((disk / "journal.db-wal").read_bytes()[:length])
    with closing(SqliteJournal(cut / "journal.db")) as journal:
        attempt, preview = journal.attempt_of(preview_id), journal.preview(preview_id)
    return attempt.state.value if attempt else preview.state.value if preview else "READY"
