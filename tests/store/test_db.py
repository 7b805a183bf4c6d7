import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from capcli.errors import JournalUnreadable
from capcli.store.db import Database
from capcli.store.journal import SqliteJournal
from capcli.store.schema import MIGRATIONS
from tests.support.launched import as_own_user

from .builders import CHILD_ENV, NOW, a_preview

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes and no SIGKILL")


def unreadable(path: Path, match: str) -> JournalUnreadable:
    """Return the error that both reading and writing end in; reading must not say that there is nothing."""
    with closing(SqliteJournal(path, database=Database(path, wait_s=0.05))) as journal:
        with pytest.raises(JournalUnreadable, match=match):
            journal.preview("p_000000000001")
        with pytest.raises(JournalUnreadable, match=match) as caught:
            journal.save_preview(a_preview("p_2"))
    assert "Nothing was recorded" in caught.value.message
    assert "sent." not in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.next
    return caught.value


@pytest.fixture
def used(path: Path) -> Path:
    """Return the path of a journal that knows many previews, cleanly closed."""
    with closing(SqliteJournal(path)) as journal:
        for number in range(60):
            journal.save_preview(a_preview(f"p_{number}", document=b"x" * 500))
    return path


def names(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as raw:
        return {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


EVENTS = ("account_events", "account_looks", "alerts")


def test_all_tables_exist_from_the_first_version(used: Path) -> None:
    first = {"previews", "attempts", "events", "approvals", "switches", "owned_deals"}
    assert names(used) == first | {"deal_numbers", "mandates", "mandate_uses", *EVENTS}


def test_a_new_journal_leaves_no_draft(used: Path) -> None:
    assert sorted(p.name for p in used.parent.iterdir()) == ["journal.db", "locks"]


def test_every_commit_is_durable(path: Path) -> None:
    with closing(Database(path)) as db:
        pragmas = {name: db.rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert db.rows("PRAGMA foreign_keys")[0][0] == 1


@posix_only
def test_only_the_owner_can_read(path: Path) -> None:
    old = os.umask(0)
    try:
        with closing(SqliteJournal(path)) as journal:
            journal.save_preview(a_preview())
            files = [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]
            assert [stat.S_IMODE(f.stat().st_mode) for f in files] == [0o600] * 3
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(old)


@posix_only
def test_a_journal_that_others_could_read_is_closed_to_them(used: Path) -> None:
    used.chmod(0o644)
    with closing(SqliteJournal(used)) as journal:
        journal.preview("p_0")
        assert stat.S_IMODE(used.stat().st_mode) == 0o600


@posix_only
def test_the_name_of_a_new_journal_survives_a_power_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with closing(Database(path)) as database:
        database.rows("SELECT 1")
    assert path.parent.stat().st_ino in synced


def test_a_path_with_awkward_characters(tmp_path: Path) -> None:
    path = tmp_path / "a?b #c%20 é" / "journal.db"
    with closing(SqliteJournal(path)) as journal:
        journal.save_preview(a_preview())
    assert path.exists()


def interrupted(db: Database) -> None:
    with db.transaction() as connection:
        connection.execute("INSERT INTO switches VALUES ('halt', 'on', '', '')")
        raise KeyboardInterrupt


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    with closing(Database(path)) as db:
        with pytest.raises(KeyboardInterrupt):
            interrupted(db)
        assert db.rows("SELECT * FROM switches") == []
        with db.transaction() as connection:
            connection.execute("INSERT INTO switches VALUES ('halt', 'on', '', '')")
        assert len(db.rows("SELECT * FROM switches")) == 1


def test_a_file_of_another_kind(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    assert unreadable(path, "damaged").details["cause"] == "SQLITE_NOTADB"
    assert path.read_bytes().startswith(b"this is")


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
def test_a_truncated_file(used: Path, keep: float) -> None:
    size = used.stat().st_size
    os.truncate(used, int(size * keep) // 4096 * 4096)
    unreadable(used, "damaged")


def test_an_emptied_file_is_not_a_new_journal(used: Path) -> None:
    os.truncate(used, 0)
    assert unreadable(used, "emptied").next == "capcli positions"
    assert used.stat().st_size == 0


def test_a_lost_file_whose_log_is_still_there(used: Path) -> None:
    used.with_name("journal.db-wal").write_bytes(b"frames")
    used.unlink()
    unreadable(used, "is gone")
    assert not used.exists()


def test_a_database_of_somebody_else(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE mine (x)")
    unreadable(path, "not a capcli journal")
    assert names(path) == {"mine"}


def test_a_newer_schema(used: Path) -> None:
    with closing(sqlite3.connect(used)) as raw:
        raw.execute("PRAGMA user_version=7")
    error = unreadable(used, "newer capcli")
    assert error.details["schema"] == 7
    assert "upgrade" in (error.next or "")


def test_a_folder_in_the_place_of_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    unreadable(path, "cannot be opened")


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    unreadable(tmp_path / "state" / "journal.db", "cannot be")


@posix_only
def test_a_link_to_a_disk_that_is_not_there(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.parent / "unmounted" / "journal.db")
    unreadable(path, "cannot be opened")
    assert path.is_symlink()


@posix_only
@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write into any folder")
def test_a_folder_without_write_permission(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o500)
    unreadable(tmp_path / "home" / "state" / "journal.db", "cannot be")


def test_a_lock_that_is_never_released(used: Path) -> None:
    with closing(Database(used)) as other, other.transaction():
        journal = SqliteJournal(used, database=Database(used, wait_s=0.05))
        with closing(journal):
            assert journal.preview("p_0")
            with pytest.raises(JournalUnreadable, match=r"locked by another process for 0\.05 s\. Nothing"):
                journal.save_preview(a_preview("p_x"))


@pytest.mark.parametrize("opened", [False, True])
def test_a_lock_that_is_never_released_is_waited_for_once(used: Path, opened: bool) -> None:
    waits: list[float] = []

    class Watched(Database):
        def _wait(self, seconds: float) -> None:
            waits.append(seconds)
            super()._wait(seconds)

    with closing(Watched(used, wait_s=0.12)) as database:
        if opened:
            database.rows("SELECT 1")
        waits.clear()
        with closing(sqlite3.connect(used, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                with (
                    pytest.raises(JournalUnreadable, match=r"locked by another process for 0\.12 s\."),
                    database.transaction(),
                ):
                    pass
        assert waits == [0.1, 0.1]
        with database.transaction() as connection:
            assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 100
        assert database.rows("PRAGMA busy_timeout")[0][0] == 120


def test_a_full_disk(used: Path) -> None:
    with closing(Database(used)) as db:
        pages = db.rows("PRAGMA page_count")[0][0]
        db.rows(f"PRAGMA max_page_count={pages}")
        journal = SqliteJournal(used, database=db)
        with pytest.raises(JournalUnreadable, match="no space left"):
            journal.save_preview(a_preview("p_big", document=b"x" * 100_000))
        assert journal.preview("p_big") is None
        assert journal.preview("p_0") is not None


def test_an_error_at_opening_is_not_remembered(used: Path, tmp_path: Path) -> None:
    copy = shutil.copy(used, tmp_path / "copy.db")
    used.write_bytes(b"broken" * 1000)
    with closing(SqliteJournal(used)) as journal:
        with pytest.raises(JournalUnreadable):
            journal.preview("p_0")
        shutil.copy(copy, used)
        assert journal.preview("p_0") is not None


@posix_only
def test_a_journal_deleted_under_a_running_process(used: Path) -> None:
    with closing(SqliteJournal(used)) as journal:
        assert journal.preview("p_0")
        used.unlink()
        with pytest.raises(JournalUnreadable, match="deleted or replaced"):
            journal.save_preview(a_preview("p_x"))


@posix_only
def test_a_journal_replaced_under_a_running_process(used: Path, tmp_path: Path) -> None:
    with closing(SqliteJournal(used)) as journal:
        assert journal.preview("p_0")
        Path(shutil.copy(used, tmp_path / "copy.db")).replace(used)
        with pytest.raises(JournalUnreadable, match="deleted or replaced"):
            journal.preview("p_0")
        assert journal.preview("p_0")


def test_one_connection_serves_until_it_is_closed(used: Path) -> None:
    with closing(Database(used)) as database:
        assert not database.is_open
        database.rows("SELECT 1")
        assert database.is_open
        database.close()
        database.rows("SELECT 1")
        assert not database.is_open


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o601, 0o660])
def test_no_bit_for_others_stays(used: Path, mode: int) -> None:
    used.chmod(mode)
    with closing(Database(used)) as database:
        database.rows("SELECT 1")
    assert stat.S_IMODE(used.stat().st_mode) == 0o600


def test_use_after_close_opens_again(used: Path) -> None:
    with closing(SqliteJournal(used)) as journal:
        assert journal.preview("p_0")
        journal.close()
        assert journal.preview("p_0")


SECOND = ("CREATE TABLE extra (x)", "ALTER TABLE previews ADD COLUMN colour TEXT")


def test_an_older_schema_is_brought_up_to_date_once(used: Path) -> None:
    for _ in range(2):
        with closing(Database(used, migrations=(*MIGRATIONS, SECOND))) as db:
            assert db.rows("SELECT colour FROM previews WHERE id = 'p_0'")[0]["colour"] is None
            assert db.rows("PRAGMA user_version")[0][0] == len(MIGRATIONS) + 1


def test_a_migration_that_fails_leaves_the_old_schema(used: Path) -> None:
    db = Database(used, migrations=(*MIGRATIONS, (*SECOND, "CREATE TABLE extra (x)")))
    with closing(db), pytest.raises(JournalUnreadable, match="extra already exists"):
        db.rows("SELECT 1")
    assert "extra" not in names(used)
    with closing(SqliteJournal(used)) as journal:
        assert journal.preview("p_0")


KILLED = """
import os, signal, sys
from pathlib import Path
from capcli.store.db import Database
from capcli.store.schema import MIGRATIONS

def fatal(statements):
    yield from statements
    os.kill(os.getpid(), signal.SIGKILL)

first = sys.argv[2] == "first"
migrations = (fatal(MIGRATIONS[0][:3]),) if first else (*MIGRATIONS, fatal(["CREATE TABLE extra (x)"]))
Database(Path(sys.argv[1]), migrations=migrations).rows("SELECT 1")
"""


def killed(path: Path, which: str) -> None:
    done = subprocess.run(
        [sys.executable, *as_own_user(), "-c", KILLED, str(path), which], env=CHILD_ENV, check=False
    )
    assert done.returncode == -signal.SIGKILL


@posix_only
def test_killed_while_making_the_first_schema(path: Path) -> None:
    killed(path, "first")
    assert not path.exists()
    with closing(SqliteJournal(path)) as journal:
        journal.save_preview(a_preview())
    assert not list(path.parent.glob("*.new*"))


@posix_only
def test_killed_while_migrating(used: Path) -> None:
    killed(used, "second")
    assert "extra" not in names(used)
    with closing(Database(used, migrations=(*MIGRATIONS, SECOND))) as db:
        assert db.rows("SELECT count(*) FROM previews")[0][0] == 60
        assert db.rows("SELECT * FROM extra") == []


CLAIM = """
import sys
from datetime import datetime
from pathlib import Path
from capcli.domain.attempt import AttemptState
from capcli.store.journal import SqliteJournal
sys.path.insert(0, sys.argv[2])
from builders import NOW, a_preview, an_attempt

journal = SqliteJournal(Path(sys.argv[1]))
name = sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
journal.save_preview(a_preview(f"p_own{name}"))
if journal.claim("p_000000000001", an_attempt(f"a_{name}"), now=NOW):
    moved = journal.move(f"a_{name}", AttemptState.CLAIMED, AttemptState.SENDING, at=NOW)
    print(f"won {moved}", flush=True)
journal.close()
"""


@pytest.fixture
def racers(path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Start thirty processes that wait for a line before they touch the journal."""
    here = str(Path(__file__).parent)
    started = [
        subprocess.Popen(
            [sys.executable, *as_own_user(), "-c", CLAIM, str(path), here, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=CHILD_ENV,
        )
        for number in range(30)
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    yield started
    for process in started:
        process.kill()
        process.communicate()


def go(racers: list[subprocess.Popen[str]]) -> list[str]:
    for process in racers:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate() for process in racers]
    assert [error for _, error in answers if error] == []
    return [out for out, _ in answers if out]


@pytest.mark.faults
def test_thirty_processes_claim_one_preview(path: Path, racers: list[subprocess.Popen[str]]) -> None:
    with closing(SqliteJournal(path)) as journal:
        journal.save_preview(a_preview())
        assert go(racers) == ["won True\n"]
        assert journal.attempt_of("p_000000000001").sent_at == NOW


@pytest.mark.faults
def test_thirty_processes_open_a_journal_that_is_not_there_yet(
    path: Path, racers: list[subprocess.Popen[str]]
) -> None:
    assert go(racers) == []
    with closing(SqliteJournal(path)) as journal:
        assert len(journal.previews("demo", limit=100)) == 30
