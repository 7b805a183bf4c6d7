"""One allowance for all processes of a user."""

import subprocess
import sys
import time

from capcli.broker.limits import Pace
from capcli.services.ports import Starts
from capcli.store.pace import FilePaceBook

from .builders import CHILD_ENV

CHILD = """
import sys, time
from pathlib import Path
from capcli.broker.limits import Pace
from capcli.store.pace import FilePaceBook
pace = Pace(time.monotonic, time.sleep, FilePaceBook(Path(sys.argv[1]), "host", time.monotonic))
for _ in range(8):
    pace.request()
    print(time.monotonic(), flush=True)
"""


def test_four_processes_keep_to_ten_requests_a_second_together(tmp_path):
    command = [sys.executable, "-c", CHILD, str(tmp_path / "locks")]
    children = [subprocess.Popen(command, env=CHILD_ENV, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    starts = sorted(float(line) for child in children for line in child.communicate()[0].splitlines())

    assert len(starts) == 32
    # A process prints a moment after it was let go, so a hair is left for that.
    assert all(later - first > 0.95 for first, later in zip(starts, starts[10:], strict=False))


def test_one_process_knows_what_another_did_before(tmp_path):
    now = 1000.0
    slept: list[float] = []
    for _ in range(2):
        pace = Pace(lambda: now, slept.append, FilePaceBook(tmp_path, "host", lambda: now))
        for _ in range(6):
            pace.request()

    assert [round(wait, 2) for wait in slept] == [1.02, 1.02]


def test_times_from_before_a_restart_hold_nobody_up(tmp_path):
    FilePaceBook(tmp_path, "host", lambda: 9e6).update(lambda _: Starts((9e6,), 9e6, 9e6))
    slept: list[float] = []

    Pace(lambda: 5.0, slept.append, FilePaceBook(tmp_path, "host", lambda: 5.0)).order()

    assert slept == []


def test_a_file_that_is_cut_short_or_nonsense_is_begun_anew(tmp_path):
    book = FilePaceBook(tmp_path, "host", time.monotonic)
    Pace(time.monotonic, time.sleep, book).request()
    (file,) = tmp_path.glob("pace-*")
    file.write_bytes(b"\xff" * 13)

    assert len(book.update(lambda starts: starts).recent) == 0


def test_without_a_usable_folder_the_process_paces_itself(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    slept: list[float] = []
    pace = Pace(lambda: 0.0, slept.append, FilePaceBook(blocked, "host", lambda: 0.0))

    for _ in range(11):
        pace.request()

    assert slept == [1.02]
