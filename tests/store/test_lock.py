import errno
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from capcli import ports
from capcli.errors import Busy, StateFolderUnusable
from capcli.store.lock import FileAccountLock, lock_name
from tests.support.children import Child

from .builders import ACCOUNT, CHILD_ENV

HOLDER = """
import sys, time
from pathlib import Path
from capcli.store.lock import FileAccountLock
with FileAccountLock(Path(sys.argv[1]))("demo", "host", "1"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_is_the_port(tmp_path: Path) -> None:
    port: ports.AccountLock = FileAccountLock(tmp_path)
    assert port


def test_a_second_sender_is_told_to_wait(tmp_path: Path) -> None:
    lock = FileAccountLock(tmp_path / "locks", wait_s=0.05)
    with lock(*ACCOUNT), pytest.raises(Busy) as caught, lock(*ACCOUNT):
        pytest.fail("two senders on one account")
    assert caught.value.message == "Another process is sending on this account. Nothing was sent."
    assert caught.value.next == "capcli reconcile"
    with lock(*ACCOUNT):
        pass


def test_the_wait_is_measured_by_the_clock_it_was_given(tmp_path: Path) -> None:
    ticks, naps = iter(range(100)), []
    lock = FileAccountLock(tmp_path, wait_s=20, clock=lambda: float(next(ticks)), sleep=naps.append)
    with FileAccountLock(tmp_path)(*ACCOUNT), pytest.raises(Busy), lock(*ACCOUNT):
        pytest.fail("two senders on one account")
    assert len(naps) == 19


def test_accounts_do_not_wait_for_each_other(tmp_path: Path) -> None:
    lock = FileAccountLock(tmp_path, wait_s=0)
    with lock("demo", "h", "1"), lock("demo", "h", "2"), lock("live", "h", "1"), lock("demo", "i", "1"):
        assert len(list(tmp_path.glob("*.lock"))) == 4


def test_an_error_of_the_sender_is_its_own_and_frees_the_account(tmp_path: Path) -> None:
    lock = FileAccountLock(tmp_path, wait_s=0)
    with pytest.raises(Busy, match="mine"), lock(*ACCOUNT):
        raise Busy("mine")
    with lock(*ACCOUNT):
        pass


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    lock, inside, seen = FileAccountLock(tmp_path), [], []

    def send() -> None:
        with lock(*ACCOUNT):
            inside.append(1)
            seen.append(len(inside))
            inside.pop()

    threads = [Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 8


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_sender_frees_the_account(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with Child(command, stdout=subprocess.PIPE, env=CHILD_ENV) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy), FileAccountLock(tmp_path, wait_s=0)("demo", "host", "1"):
            pytest.fail("two senders on one account")
        holder.kill()
        with FileAccountLock(tmp_path, wait_s=5)("demo", "host", "1"):
            pass


def test_a_lock_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / lock_name(*ACCOUNT)).mkdir()
    with pytest.raises(StateFolderUnusable, match="Nothing was sent"), FileAccountLock(tmp_path)(*ACCOUNT):
        pytest.fail("no lock")


def open_files() -> set[str]:
    return {path.name for path in Path("/dev/fd").iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes no rights away")
def test_a_lock_whose_file_goes_while_it_is_opened_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Path, _mode: int) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))

    lock = FileAccountLock(tmp_path)
    with lock(*ACCOUNT):
        pass
    before = open_files()
    monkeypatch.setattr(Path, "chmod", gone)
    with pytest.raises(StateFolderUnusable), lock(*ACCOUNT):
        pytest.fail("no lock")
    assert open_files() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks by another call")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EACCES, errno.EOPNOTSUPP, errno.EIO])
def test_a_lock_that_the_file_system_refuses_is_nobody_elses(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    naps: list[float] = []
    monkeypatch.setattr("fcntl.flock", refuse)
    lock = FileAccountLock(tmp_path, sleep=naps.append)
    with pytest.raises(StateFolderUnusable) as caught, lock(*ACCOUNT):
        pytest.fail("no lock")
    assert os.strerror(number) in caught.value.message
    assert "Nobody else holds it, and nothing was sent." in caught.value.message
    assert naps == []


def test_names_are_readable_and_safe() -> None:
    name = lock_name("demo", "demo-api.example", "../../etc/ÄB 1?*" + "9" * 300)
    assert name.startswith("demo-etc-b-1-999")
    assert len(name) < 80
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert lock_name("demo", "h", "ab") != lock_name("demo", "h", "AB")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks what it may write")
def test_a_lock_on_a_read_only_disk_is_held_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FileAccountLock(tmp_path, wait_s=0)
    with lock(*ACCOUNT):
        pass
    real = os.open

    def read_only(path: str | Path, flags: int, *more: int) -> int:
        if flags & (os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", read_only)
    with lock(*ACCOUNT), pytest.raises(Busy), lock(*ACCOUNT):
        pytest.fail("two senders on one account")
    with pytest.raises(StateFolderUnusable), lock("demo", "host", "another"):
        pytest.fail("a lock without a file")
