"""The desk on a real terminal: it takes the whole screen, and gives it back however it ends."""

import fcntl
import os
import signal
import struct
import sys
import termios
from pathlib import Path

import pytest

from tests.support.screen import Screen, terminal

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing"),
]
BACK = "\x1b[?1049l"
"""What gives the screen back."""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "CAPCLI_HOME": str(tmp_path / "home"), "TERM": "xterm-256color", "CAP_ENV": "paper"}


def sized(slave: int, rows: int, columns: int) -> None:
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def in_full(screen: Screen) -> None:
    """Wait until everything was read once."""
    for words in ("Equity", "SILVER 1h"):
        screen.until(words)


@pytest.mark.parametrize("size", [(24, 80), (60, 200)])
def test_q_leaves_and_gives_the_screen_back(environ: dict[str, str], size: tuple[int, int]) -> None:
    with terminal(environ, "desk") as (screen, process, slave):
        before = termios.tcgetattr(slave)
        sized(slave, *size)
        process.send_signal(signal.SIGWINCH)
        in_full(screen)
        screen.press("q")
        screen.until(BACK)
        assert process.wait(20) == 0
        assert termios.tcgetattr(slave) == before


@pytest.mark.parametrize("key", ["\x03", "\x11"])
def test_ctrl_c_and_ctrl_q_leave(environ: dict[str, str], key: str) -> None:
    with terminal(environ, "desk") as (screen, process, _):
        in_full(screen)
        screen.press(key)
        screen.until(BACK)
        assert process.wait(20) == 0


def test_a_terminal_that_is_gone_ends_it(environ: dict[str, str]) -> None:
    with terminal(environ, "desk") as (screen, process, _):
        in_full(screen)
        os.killpg(process.pid, signal.SIGHUP)
        assert process.wait(20) == -signal.SIGHUP


def test_sigterm_gives_the_screen_back(environ: dict[str, str]) -> None:
    with terminal(environ, "desk") as (screen, process, slave):
        before = termios.tcgetattr(slave)
        in_full(screen)
        os.killpg(process.pid, signal.SIGTERM)
        screen.until(BACK)
        process.wait(20)
        assert termios.tcgetattr(slave) == before


def test_a_position_is_opened_and_closed_by_keys(environ: dict[str, str]) -> None:
    with terminal(environ, "desk") as (screen, process, slave):
        sized(slave, 24, 80)
        process.send_signal(signal.SIGWINCH)
        in_full(screen)
        screen.press("p")
        screen.until("An order")
        screen.press("1.5\r")
        screen.until("Send it?")
        # Too early: the question cannot have been read.
        screen.press("yy")
        _answered(screen, "landed")
        screen.press("\r")
        # The last line of the desk: the dialogue is gone.
        screen.until("flatten")
        screen.press("c")
        screen.until("Close it?")
        _answered(screen, "Closed BUY 1.5 SILVER")
        screen.press("\r")
        screen.until("No open positions")
        screen.press("q")
        assert process.wait(20) == 0


def _answered(screen: Screen, words: str) -> None:
    """Press y now and then until it counts."""
    import time

    for _ in range(30):
        if words in screen.text[screen._read :]:
            screen.until(words)
            return
        time.sleep(0.5)
        screen.press("y")
        screen._take(0.5)
    screen.until(words)
