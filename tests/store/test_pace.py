"""One allowance for all processes of a user."""

import os
import stat
import subprocess
import sys

import pytest

from capcli.broker.limits import Openings, Pace
from capcli.ports import Lane
from capcli.ports.login import Allowance, Ticket
from capcli.store import pace as pace_file
from capcli.store.lock import FileLoginLock
from capcli.store.pace import FileOpenings, FilePaceBook
from capcli.system import file_lock
from tests.support.clock import Time

from .builders import CHILD_ENV

CHILD = """
import sys, time
from pathlib import Path
from capcli.broker.limits import Pace
from capcli.ports import Lane
from capcli.store.pace import FilePaceBook
pace = Pace(time.monotonic, time.sleep, FilePaceBook(Path(sys.argv[1]), "host", time.monotonic))
for _ in range(6):
    with pace.turn(Lane.READS):
        print(time.monotonic(), flush=True)
"""


def request(pace: Pace, lane: Lane = Lane.READS) -> None:
    with pace.turn(lane):
        pass


def book(folder, clock):
    return FilePaceBook(folder, "host", clock.monotonic)


@pytest.mark.faults
def test_four_processes_keep_to_ten_requests_a_second_together(tmp_path):
    command = [sys.executable, "-c", CHILD, str(tmp_path / "locks")]
    children = [subprocess.Popen(command, env=CHILD_ENV, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    starts = sorted(float(line) for child in children for line in child.communicate()[0].splitlines())

    assert len(starts) == 24
    assert all(later - first > 1.0 for first, later in zip(starts, starts[10:], strict=False))


def test_one_process_knows_what_another_did_before(tmp_path):
    clock = Time()
    for _ in range(2):
        pace = Pace(clock.monotonic, clock.sleep, book(tmp_path, clock))
        for _ in range(6):
            request(pace)

    assert clock.monotonic() == pytest.approx(1.005)


def test_the_allowance_and_its_queue_come_back_as_they_were(tmp_path):
    clock = Time()
    waiting = (Ticket(2**48 - 1, Lane.BULK, 0.5, 1.5, 2.5), Ticket(7, Lane.ORDERS, 0.25, 0.0, 3.0))
    kept = Allowance((1.0, 2.0), 3.0, 4.0, 5.0, 6.0, waiting)

    book(tmp_path, clock).update(lambda _: kept)

    assert book(tmp_path, clock).update(lambda one: one) == kept


def test_other_hosts_have_an_allowance_of_their_own(tmp_path):
    clock = Time()
    book(tmp_path, clock).update(lambda _: Allowance(paused_until=5.0))

    other = FilePaceBook(tmp_path, "elsewhere", clock.monotonic)

    assert other.update(lambda one: one) == Allowance()


def test_times_from_before_a_restart_hold_nobody_up(tmp_path):
    FilePaceBook(tmp_path, "host", lambda: 9e6).update(lambda _: Allowance((9e6,), 9e6, 9e6, 9e6, 9e6))
    clock = Time()

    request(Pace(clock.monotonic, clock.sleep, book(tmp_path, clock)), Lane.BULK)

    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    "content", [b"\xff" * 13, b"", b"\x00" * 8 * 7, b"\x7f" * 8 * 12, b'{"taken":[1,', b"[]", os.urandom(400)]
)
def test_a_file_that_is_cut_short_or_nonsense_costs_no_request(tmp_path, content):
    clock = Time()
    request(Pace(clock.monotonic, clock.sleep, book(tmp_path, clock)))
    (file,) = tmp_path.glob("pace-*")
    file.write_bytes(content)

    request(Pace(clock.monotonic, clock.sleep, book(tmp_path, clock)))

    assert clock.monotonic() <= 31


def test_without_a_usable_folder_the_process_paces_itself(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    clock = Time()
    pace = Pace(clock.monotonic, clock.sleep, book(blocked, clock))

    for _ in range(11):
        request(pace)

    assert clock.monotonic() == pytest.approx(1.005)


def test_a_file_whose_holder_is_stopped_is_waited_for_once(tmp_path, monkeypatch):
    clock = Time()
    monkeypatch.setattr(pace_file, "_WAIT_S", 0.05)
    monkeypatch.setattr(pace_file, "monotonic", clock.monotonic)
    pace = Pace(clock.monotonic, clock.sleep, book(tmp_path, clock))
    request(pace)
    (file,) = tmp_path.glob("pace-*")
    waits: list[float] = []
    real = file_lock
    monkeypatch.setattr(pace_file, "file_lock", lambda *a, **k: waits.append(k["wait_s"]) or real(*a, **k))

    with file_lock(file, wait_s=0):
        for _ in range(5):
            request(pace)

    assert sum(waits) == 0.05


def test_the_hours_orders_are_counted_for_all_processes(tmp_path):
    clock = Time()
    for _ in range(2):
        assert Openings(clock.now, FileOpenings(tmp_path, "host"), most=2).take() == 0

    assert Openings(clock.now, FileOpenings(tmp_path, "host"), most=2).take() == 3600
    assert Openings(clock.now, FileOpenings(tmp_path, "other"), most=2).take() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_the_files_are_private_and_small(tmp_path):
    clock = Time()
    locks = tmp_path / "locks"
    openings = Openings(clock.now, FileOpenings(locks, "host"), most=1000)
    for _ in range(1000):
        openings.take()
    request(Pace(clock.monotonic, clock.sleep, book(locks, clock)))
    with FileLoginLock(locks, "key")():
        pass

    assert stat.S_IMODE(locks.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in locks.iterdir()] == [0o600] * 3
    assert max(file.stat().st_size for file in locks.iterdir()) < 20_000


@pytest.mark.faults
def test_a_long_wait_for_another_login_is_told_once(tmp_path):
    told: list[str] = []
    with FileLoginLock(tmp_path, "key")():
        for wait_s in (0.5, 1.5):
            with FileLoginLock(tmp_path, "key", wait_s=wait_s, on_wait=lambda: told.append("waits"))():
                pass

    assert told == ["waits"]


def test_a_login_lock_that_is_held_or_unusable_is_not_waited_for_without_end(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        FileLoginLock(tmp_path, "key")(),
        FileLoginLock(tmp_path, "key", wait_s=0.05)(),
        FileLoginLock(tmp_path, "other key")(),
        FileLoginLock(tmp_path / "file" / "below", "key")(),
    ):
        pass  # a wait without end would never come here
