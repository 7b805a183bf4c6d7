"""Results in real pipes and on real terminals: nothing is cut and no traceback, whatever the locale."""

import os
import re
import select
import shlex
import subprocess
import sys
import time

import pytest

from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells and terminals"),
]
READS = (
    "positions",
    "preview SILVER --size 1 --stop 24.50 --limit 40",
    "markets search a",
    "markets show SILVER",
    "prices GOLD --last 3",
    "health --only keychain",
    "help environment",
)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
PATIENCE_S = 60


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipes")
    program = folder / "bin" / "capcli"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec {shlex.join([sys.executable, "-W", "error", *as_own_user()])} -m capcli "$@"\n'
    )
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "CAPCLI_HOME": str(folder / "home"),
        "PYTHONPATH": IMPORT_PATH,
        "TERM": "xterm",
        "LANG": "C.UTF-8",
    }


@pytest.fixture(scope="module")
def deal(environ):
    script = (
        "id=$(capcli preview SILVER --size 1.5 --stop 24.50 -q) && capcli execute $id --confirm >/dev/null"
        " && capcli positions --csv --fields deal_id"
    )
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def piped(environ, line, **more):
    """Return the exit codes of a pipeline, what it printed and what it complained of."""
    script = f"{line}; echo CODES ${{PIPESTATUS[@]}}"
    done = subprocess.run(
        ["bash", "-c", script], env=environ | more, capture_output=True, timeout=PATIENCE_S, check=True
    )
    out, _, codes = done.stdout.decode().rpartition("CODES ")
    return codes.split(), out, done.stderr.decode()


def on_terminal(environ, words, columns, **more):
    """Return what a terminal of so many columns gets, and the exit code."""
    import fcntl
    import pty
    import struct
    import termios

    child, terminal = pty.fork()
    if child == 0:
        line = ["capcli", *words.split()] if isinstance(words, str) else words
        os.execvpe(line[0], line, environ | more)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    text, end = b"", time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            text += os.read(terminal, 65536)
        except OSError:
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text.decode().replace("\r\n", "\n")


def test_a_pipe_gets_every_column_in_full(environ, deal):
    codes, out, err = piped(environ, "capcli -q positions | cat", COLUMNS="40")
    assert (codes, err) == (["0", "0"], "")
    row = next(line for line in out.splitlines() if line.startswith("SILVER"))
    assert row.split()[-1] == deal
    assert "24.500" in row


@pytest.mark.parametrize("words", READS)
def test_a_pipe_gets_no_colour_and_no_dots(environ, deal, words):
    codes, out, err = piped(environ, f"capcli -q {words} | cat")
    assert (codes, err) == (["0", "0"], "")
    assert not ESCAPES.search(out)
    assert "…" not in out


@pytest.mark.parametrize("words", READS)
def test_a_reader_that_takes_one_line_is_no_error(environ, deal, words):
    codes, out, err = piped(environ, f"capcli -q {words} | head -1")
    assert (codes, err) == (["0", "0"], "")
    assert out.count("\n") == 1


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("words", READS)
def test_a_narrow_terminal_cuts_nothing(environ, deal, words, columns):
    code, out = on_terminal(environ, words, columns, PAGER="cat")
    assert code == 0
    lines = ESCAPES.sub("", out).splitlines()
    assert max(map(len, lines)) <= columns
    assert "Traceback" not in out
    assert "…" not in out
    if words == "positions":
        assert deal in out


@pytest.mark.parametrize("words", READS)
def test_no_color_is_heeded_on_a_terminal(environ, deal, words):
    code, out = on_terminal(environ, words, 100, NO_COLOR="1", PAGER="cat")
    assert code == 0
    assert not ESCAPES.search(out)


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
@pytest.mark.parametrize("words", READS)
def test_the_c_locale_is_no_reason_to_fail(environ, deal, words, locale):
    codes, out, err = piped(environ, f"capcli -q {words} | cat", **locale)
    assert (codes, err) == (["0", "0"], "")
    if "PYTHONUTF8" in locale:
        assert out.isascii()
    code, shown = on_terminal(environ, words, 80, PAGER="cat", **locale)
    assert code == 0
    assert "Traceback" not in shown


def test_talk_fits_the_terminal_when_the_result_goes_elsewhere(environ, deal):
    line = "capcli preview SILVER --size 1 --stop 40 >/dev/null"
    code, out = on_terminal(environ, ["sh", "-c", line], 60)
    assert code == 5
    assert "CHECKS_FAILED" in out
    talk = [line for line in ESCAPES.sub("", out).splitlines() if not line.startswith("next:")]
    assert max(map(len, talk)) <= 60
