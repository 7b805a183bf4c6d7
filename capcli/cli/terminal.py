"""Reads a terminal: single keys, and discarding what was typed too early."""

import os
import sys
import time
from contextlib import suppress
from typing import Self, TextIO

if sys.platform == "win32":
    import msvcrt

    def _drain(_: int) -> None:
        while msvcrt.kbhit():
            msvcrt.getwch()

    class SingleKeys:
        """Reads single keys, without Enter and without echo."""

        def __init__(self, _stream: TextIO) -> None:
            pass

        def __enter__(self) -> Self:
            _drain(0)
            return self

        def __exit__(self, *_: object) -> None:
            _drain(0)

        def read(self, timeout_s: float) -> str | None:
            """Return what was typed, None after `timeout_s` without a key. Raises KeyboardInterrupt."""
            until = time.monotonic() + timeout_s
            while not msvcrt.kbhit():
                if time.monotonic() >= until:
                    return None
                time.sleep(0.02)
            typed = ""
            while msvcrt.kbhit():
                typed += msvcrt.getwch()
            if "\x03" in typed:
                raise KeyboardInterrupt
            return typed

else:
    import select
    import termios
    import tty

    def _drain(descriptor: int) -> None:
        with suppress(termios.error):
            termios.tcflush(descriptor, termios.TCIFLUSH)

    class SingleKeys:
        """Reads single keys, without Enter and without echo; Ctrl-C stays Ctrl-C."""

        def __init__(self, stream: TextIO) -> None:
            self._handle = stream.fileno()

        def __enter__(self) -> Self:
            self._before = termios.tcgetattr(self._handle)
            tty.setcbreak(self._handle, termios.TCSAFLUSH)
            self._mine = termios.tcgetattr(self._handle)
            return self

        def __exit__(self, *_: object) -> None:
            with suppress(termios.error):
                termios.tcsetattr(self._handle, termios.TCSAFLUSH, self._before)

        def read(self, timeout_s: float) -> str | None:
            """Return what was typed, None after `timeout_s` without a key. Raises EOFError.

            Keys that came together come together: no person types two in one moment.
            """
            if termios.tcgetattr(self._handle) != self._mine:
                # A shell that had the terminal meanwhile reset its modes.
                termios.tcsetattr(self._handle, termios.TCSAFLUSH, self._mine)
            if not select.select([self._handle], [], [], timeout_s)[0]:
                return None
            try:
                typed = os.read(self._handle, 1024)
            except OSError as error:
                raise EOFError from error
            if not typed:
                raise EOFError
            return typed.decode(errors="replace")


def discard_typed_ahead(stream: TextIO) -> None:
    """Discard unread keys of a terminal; other streams are left alone."""
    if not is_terminal(stream):
        return
    with suppress(OSError, ValueError):
        _drain(stream.fileno())


def is_terminal(stream: object) -> bool:
    """Whether a stream is a terminal; a closed or replaced one is not."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False
