"""Ctrl-C while a command runs: pressed from another thread, and noticed before anything goes on."""

import _thread
import threading
import time
from collections.abc import Callable

from capcli.cli.interrupts import SENDER

FOR_EVER_S = 60  # only a test that is broken waits so long


def press() -> None:
    """Press Ctrl-C in the main thread."""
    _thread.interrupt_main()


def until(true: Callable[[], object]) -> None:
    """Wait for another thread, as long as it takes."""
    for _ in range(FOR_EVER_S * 100):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("what was waited for did not happen")


def senders_end() -> None:
    """Wait for the threads that a command left behind."""
    for thread in threading.enumerate():
        if thread.name == SENDER:
            thread.join(FOR_EVER_S)
            assert not thread.is_alive()
