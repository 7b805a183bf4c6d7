"""Ctrl-C around a send: it stops the work before anything is sent, and waits for it afterwards."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from capcli.errors import Interrupted
from capcli.trading.send_gate import SendGate

T = TypeVar("T")
Ends: TypeAlias = SimpleQueue[tuple[T | None, BaseException | None]]

# Windows handles a signal only between two waits.
_POLL_S = 0.1
_WIND_DOWN_S = 1.0
SENDER = "capcli-sender"  # the thread that may outlive its command


def shielded(
    work: Callable[[], T], send_gate: SendGate, *, on_wait: Callable[[], None], left: Callable[[], T]
) -> T:
    """Run work on its own thread, so that no Ctrl-C interrupts it, and return or raise its result.

    The first Ctrl-C stops the work; if something is being sent, it calls `on_wait` and continues. The
    second one abandons the work: then the result is that of `left`. Raises Interrupted if nothing was
    sent.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    ends: Ends[T] = SimpleQueue()

    def run() -> None:
        try:
            ends.put((work(), None))
        except BaseException as error:  # noqa: BLE001  handed to the waiting thread
            ends.put((None, error))

    with _counted(send_gate) as presses:
        threading.Thread(target=run, name=SENDER, daemon=True).start()
        value, error = _waited(ends, presses, send_gate, on_wait) or (left(), None)
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # None only where T allows it


def _waited(
    ends: "Ends[T]", presses: list[int], send_gate: SendGate, on_wait: Callable[[], None]
) -> tuple[T | None, BaseException | None] | None:
    """Return the result of the work, None if it was left behind."""
    noticed = False
    while True:
        with suppress(Empty):
            return ends.get(timeout=_POLL_S)
        if presses and not noticed:
            noticed = True
            if send_gate.call_back():
                with suppress(Empty):
                    return ends.get(timeout=_WIND_DOWN_S)
                return None, Interrupted("Interrupted.", "Nothing was sent.")
            on_wait()
        if len(presses) > 1:
            return None


@contextmanager
def _counted(send_gate: SendGate) -> Iterator[list[int]]:
    """Count Ctrl-C instead of raising it. After a send it has no effect, so the outcome is printed."""
    presses: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: presses.append(number))
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, ignore if send_gate.latest else before)


@contextmanager
def handling(numbers: Iterable[int], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle signals; does nothing outside the main thread."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in (numbers if main else ())}
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)


@contextmanager
def handler_kept() -> Iterator[None]:
    """Leave the handler of Ctrl-C as it was found."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if main and signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


def ignore(_number: int, _frame: object) -> None:
    """Do nothing at a signal."""
