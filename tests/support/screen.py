"""A person's side of a real terminal: keys go in, and the screen of the program comes out."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.children import Child
from tests.support.launched import as_own_user

_PATIENCE_S = 30


class Screen:
    """What a program shows, and the keyboard in front of it."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._read = 0
        self.text = ""

    def until(self, words: str) -> str:
        """Read on until these words come after those of the last time; return what came up to there."""
        end = time.monotonic() + _PATIENCE_S
        while (at := self.text.find(words, self._read)) < 0:
            assert time.monotonic() < end, self.text
            self._take(1)
        begin, self._read = self._read, at + len(words)
        return self.text[begin : self._read]

    def _take(self, seconds: float) -> None:
        if not select.select([self._handle], [], [], seconds)[0]:
            return
        try:
            self.text += os.read(self._handle, 4096).decode(errors="replace")
        except OSError as gone:
            raise AssertionError(f"the program has ended: {self.text}") from gone

    def press(self, keys: str) -> None:
        """Press keys at once, without Enter."""
        os.write(self._handle, keys.encode())

    def type(self, answer: str) -> None:
        """Answer a question, not before half a second, and press Enter."""
        time.sleep(0.7)
        self.press(f"{answer}\n")


@contextmanager
def terminal(environ: dict[str, str], *words: str) -> Iterator[tuple[Screen, "subprocess.Popen[bytes]", int]]:
    """Run `capcli` in a terminal of its own; lend its screen, its process and the terminal's own handle."""
    import pty

    master, slave = pty.openpty()
    # A session leader gets the first terminal that it opens as its own: that is where Ctrl-C comes from.
    opening = ["/bin/sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(slave)]
    command = [*opening, sys.executable, *as_own_user(), "-m", "capcli", *words]
    try:
        with Child(command, env=environ, start_new_session=True) as process:
            try:
                yield Screen(master), process, slave
            finally:
                process.kill()
    finally:
        os.close(slave)
        os.close(master)
