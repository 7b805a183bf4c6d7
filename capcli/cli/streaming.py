"""Shared by commands that follow a stream: how long they run, and their output form."""

import os
import shlex
import signal
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from capcli.cli.call import Call
from capcli.cli.inputs import above_zero, span
from capcli.cli.interrupts import handling
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App

POLL_S = 0.2


@dataclass(slots=True)
class StopSignal:
    """Set by Ctrl-C or SIGTERM to end the stream.

    Before the stream starts both stop the command as usual. A second Ctrl-C ends it at once.
    """

    begun: bool = False
    requested: bool = False

    def __call__(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and (self.requested or not self.begun):
            raise KeyboardInterrupt
        if not self.begun:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.requested = True


@dataclass(slots=True)
class Plan:
    """How long a stream runs (seconds), and its output form."""

    call: Call
    lasts: float | None = None
    every: float = 0
    once: bool = False
    ending: StopSignal = field(default_factory=StopSignal)

    def signals(self) -> AbstractContextManager[None]:
        """Let the first Ctrl-C or SIGTERM end the stream cleanly."""
        return handling([signal.SIGINT, signal.SIGTERM], self.ending)

    @property
    def on_screen(self) -> bool:
        given = self.call.options
        return not (self.call.json or given.csv or given.fields) and self.call.terminal.width is not None

    def goes_on(self, app: "App", began: float) -> bool:
        """Whether the stream continues."""
        if self.ending.requested or self.call.streams.gone or self.call.streams.lost:
            return False
        return self.lasts is None or app.monotonic() - began < self.lasts


def program(text: str | None) -> list[str]:
    """Read the program of --exec as its words. Raises UsageError."""
    if text is None:
        return []
    words, why = list[str](), ""
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        why = f": {error}"
    if not words:
        raise UsageError(f"--exec holds no command{why}. Nothing was run.")
    return words


def seconds(option: str, text: str | None) -> float | None:
    """Read a length of time: a number is seconds, else as `--last` takes it."""
    if text is None:
        return None
    word = text.strip().removesuffix("s")
    if word[-1:].isalpha() and (length := span(option, word)):
        return length.total_seconds()
    return float(above_zero(option, word))
