"""The pager on real terminals: when it is started, when it is not, and what happens when it fails."""

import os
import re
import select
import shlex
import shutil
import struct
import sys
import time

import pytest

from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing"),
]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
PATIENCE_S = 60
LONG = "markets search a"
SHORT = "quote SILVER"


class Terminal:
    """A person's terminal of 24 rows with a capcli in it."""

    def __init__(self, environ, words, rows=24):
        import fcntl
        import pty
        import termios

        python = shlex.join([sys.executable, *as_own_user()])
        script = f"stty rows {rows} cols 100; exec {python} -m capcli {words}"
        self.child, self.handle = pty.fork()
        if self.child == 0:
            os.execvpe("sh", ["sh", "-c", script], environ)
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
        self.text = ""

    def until(self, word):
        end = time.monotonic() + PATIENCE_S
        while word not in self.text:
            assert time.monotonic() < end, self.text
            assert self._read(), self.text
        return self

    def type(self, keys):
        os.write(self.handle, keys.encode())
        return self

    def end(self):
        """Return the exit code and all that was shown."""
        while self._read():
            pass
        os.close(self.handle)
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        return code, ESCAPES.sub("", self.text).replace("\r\n", "\n")

    def _read(self):
        if not select.select([self.handle], [], [], PATIENCE_S)[0]:
            return False
        try:
            self.text += os.read(self.handle, 65536).decode(errors="replace")
        except OSError:
            return False
        return True


@pytest.fixture
def environ(tmp_path):
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\necho "PAGED $# LESS=$LESS"\nwc -l\n')
    pager.chmod(0o755)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CAPCLI_HOME": str(tmp_path / "home"),
        "PYTHONPATH": IMPORT_PATH,
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "PAGER": str(pager),
    }


def test_a_table_longer_than_the_screen_is_paged(environ):
    code, shown = Terminal(environ, LONG).end()
    assert code == 0
    assert "PAGED 0 LESS=FRX" in shown
    assert "paper · account" not in shown


def test_arguments_of_the_pager_and_own_less_options_are_kept(environ):
    environ |= {"PAGER": environ["PAGER"] + " one 'two three'", "LESS": "R"}
    assert "PAGED 2 LESS=R" in Terminal(environ, LONG).end()[1]


@pytest.mark.parametrize("words", [SHORT, f"{LONG} --csv", f"{LONG} --json", f"{LONG} -q"])
def test_what_fits_and_what_a_machine_reads_is_not_paged(environ, words):
    code, shown = Terminal(environ, words).end()
    assert code == 0
    assert "PAGED" not in shown


def test_a_tall_screen_needs_no_pager(environ):
    assert "PAGED" not in Terminal(environ, LONG, rows=200).end()[1]


def test_a_pipe_is_not_paged(environ):
    assert "PAGED" not in Terminal(environ, f"{LONG} | cat").end()[1]


def test_what_became_of_an_order_is_never_held_by_a_pager(environ):
    preview = Terminal(environ, "preview SILVER --size 1 --stop 24.50 -q").end()[1].split()[-1]
    code, shown = Terminal(environ, f"execute {preview} --confirm", rows=5).end()
    assert code == 0
    assert "PAGED" not in shown
    code, shown = Terminal(environ, "close --all --confirm", rows=3).end()
    assert code == 0
    assert "PAGED" not in shown


@pytest.mark.parametrize("none", ["", "cat", " cat "])
def test_no_pager_is_asked_for(environ, none):
    code, shown = Terminal(environ | {"PAGER": none}, LONG).end()
    assert code == 0
    assert "paper · account" in shown


@pytest.mark.parametrize("broken", ["/no/such/pager", "sh -c 'exit 1'", "less 'unclosed"])
def test_a_pager_that_does_not_work_is_told_and_the_table_shown(environ, broken):
    code, shown = Terminal(environ | {"PAGER": broken}, LONG).end()
    assert code == 0
    assert "failed (PAGER)" in shown
    assert "SOLUSD" in shown
    assert "Traceback" not in shown


def test_the_exit_code_is_that_of_the_command(environ):
    assert Terminal(environ, "health --only settings", rows=3).end()[0] == 0


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_less_is_the_usual_pager_and_ctrl_c_in_it_is_no_error(environ):
    del environ["PAGER"]
    terminal = Terminal(environ, LONG).until("paper · account")
    time.sleep(0.5)
    terminal.type("\x03")
    time.sleep(0.5)
    assert terminal.type("q").end()[0] == 0


def test_ctrl_c_that_ends_the_pager_is_no_error_of_the_command(environ, tmp_path):
    pager = tmp_path / "slow"
    pager.write_text("#!/bin/sh\necho WAITING\nexec sleep 60\n")
    pager.chmod(0o755)
    terminal = Terminal(environ | {"PAGER": str(pager)}, LONG).until("WAITING")
    time.sleep(0.2)
    code, shown = terminal.type("\x03").end()
    assert code == 0
    assert "Traceback" not in shown
