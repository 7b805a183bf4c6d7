"""Group C: the process is killed at a named point, or interrupted; then the same command in a new process."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.bench import WORKING, order
from tests.faults.checker import violations
from tests.faults.matrix import Case, as_working_orders, cases
from tests.faults.processes import Home, child, line, posted, release

pytestmark = pytest.mark.faults

KILLED_AT = {
    "C0": "before_lock",
    "C1": "baseline",
    "C2": "claimed",
    "C3": "sending",
    "C4": "bytes_out",
    "C5": "answered",
    "C6": "acked",
    "C7": "confirmed",
    "C8": "landed",
}


@pytest.fixture
def home(memory: Path) -> Home:
    return Home(memory / "home")


@cases(*KILLED_AT)
def test_case(case: Case, home: Home) -> None:
    preview_id = home.preview()
    told = home.run(preview_id, point=KILLED_AT[case.id])
    home.judge(case, case.first, told, preview_id)
    home.finish(case, preview_id)


@as_working_orders(KILLED_AT)
def test_case_with_a_working_order(case: Case, home: Home) -> None:
    preview_id = home.preview(WORKING)
    told = home.run(preview_id, point=KILLED_AT[case.id])
    home.judge(case, case.first, told, preview_id)
    home.finish(case, preview_id)


def test_killed_before_it_prints_is_replayed(home: Home) -> None:
    preview_id = home.preview()
    assert home.run(preview_id, point="executed") is None
    told = home.run(preview_id)
    assert told is not None
    assert (told.exit, told.state, told.replayed) == (0, "LANDED", True)
    assert home.evidence().posts == 1


@cases("C9")
def test_case_in_a_migration(case: Case, home: Home) -> None:
    assert home.run("p_000000000000", point="migration") is None
    home.judge(case, case.first, None, "p_000000000000")
    preview_id = home.preview()
    assert case.then is not None
    told = home.run(preview_id)
    home.judge(case, case.then, told, preview_id)


@cases("C10")
def test_case_holding_the_lock(case: Case, home: Home) -> None:
    held, other = home.previews(order(), order("2"))
    with child(home.job(held, point="baseline", deed="hold")) as holder:
        line(holder, "here")
        waiting = home.run(other, lock_wait_s=0.1)
        assert waiting is not None
        assert waiting.exit == 10
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    home.judge(case, case.first, None, held)
    home.finish(case, held)


def interrupt(process: "subprocess.Popen[str]", times: int) -> None:
    """Send SIGINT as often, each time only when the one before was noticed."""
    posted(process, signal.SIGINT)
    for _ in range(times - 1):
        line(process, "waiting")
        os.kill(process.pid, signal.SIGINT)


@cases("C11")
def test_case_ctrl_c_once(case: Case, home: Home) -> None:
    preview_id = home.preview()
    with child(home.job(preview_id, slow_s=1)) as process:
        interrupt(process, 1)
        told = home.ends(process)
    home.judge(case, case.first, told, preview_id)
    home.finish(case, preview_id)


@cases("C12")
def test_case_ctrl_c_twice(case: Case, home: Home) -> None:
    preview_id = home.preview()
    with child(home.job(preview_id, slow_s=20)) as process:
        interrupt(process, 2)
        told = home.ends(process)
    home.judge(case, case.first, told, preview_id)
    home.finish(case, preview_id)


@cases("D8")
def test_case_sender_suspended(case: Case, home: Home) -> None:
    held, other = home.previews(order(), order("2"))
    with child(home.job(held, point="sending", deed="suspend")) as sender:
        line(sender, "here")
        os.waitid(os.P_PID, sender.pid, os.WSTOPPED | os.WNOWAIT)
        told = home.run(other, lock_wait_s=0.1)
        assert told is not None
        assert (told.exit, case.first.reads(told.sentence)) == (case.first.exit, True), told
        same = home.run(held, lock_wait_s=0.1)
        assert same is not None
        assert (same.exit, same.state) == (10, "SENDING")
        os.kill(sender.pid, signal.SIGCONT)
        release(sender)
        ended = home.ends(sender)
    assert ended is not None
    assert ended.state == "LANDED"
    late = home.run(other)
    assert late is not None
    assert late.state == "LANDED"
    found = home.evidence()
    assert (violations(found), found.posts, len(found.ledger.orders)) == ([], case.posts, case.orders)


@cases("D6")
def test_case_settled_while_the_sender_waits(case: Case, home: Home) -> None:
    """Somebody cleans the locks folder, so the kernel's lock guards a file that nobody else opens."""
    preview_id = home.preview()
    with child(home.job(preview_id, point="before_sending", deed="hold")) as sender:
        line(sender, "here")
        home.judge(case, case.first, None, preview_id)
        for lock in (home.path / "locks").glob("paper-*.lock"):
            lock.unlink()
        home.finish(case, preview_id)
        release(sender)
        told = home.ends(sender)
    assert case.then is not None
    home.judge(case, case.then, told, preview_id)
    assert home.evidence().posts == case.posts
