"""Ctrl-C around what may send something: called back while nothing is sent, waited through afterwards."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeVar

from capcli.errors import Interrupted
from capcli.trading.send_gate import SendGate

T = TypeVar("T")

# Windows sees a signal only between two waits.
_LOOK_S = 0.1
_WIND_DOWN_S = 1.0
SENDER = "capcli-sender"  # the thread that may outlive its command


def shielded(
    work: Callable[[], T], send_gate: SendGate, *, on_wait: Callable[[], None], left: Callable[[], T]
) -> T:
    """Run work on a thread of its own, so that no Ctrl-C can tear it, and return or raise what it does.

    The first Ctrl-C calls the work back; where something is being sent, it calls `on_wait` and goes on. The
    second one leaves the work behind: then the result is what `left` knows. Raises Interrupted when nothing
    was sent.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    ends: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    with _counted(send_gate) as presses:
        threading.Thread(target=_run, args=(work, ends), name=SENDER, daemon=True).start()
        value, error = _waited(ends, presses, send_gate, on_wait) or (left(), None)
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # None only where T allows it


def _waited(
    ends: "SimpleQueue[tuple[T | None, BaseException | None]]",
    presses: list[int],
    send_gate: SendGate,
    on_wait: Callable[[], None],
) -> tuple[T | None, BaseException | None] | None:
    """Return how the work ended, or None when it was left behind."""
    noticed = False
    while True:
        try:
            return ends.get(timeout=_LOOK_S)
        except Empty:
            pass
        if presses and not noticed:
            noticed = True
            if send_gate.call_back():
                return _called_back(ends)
            on_wait()
        if len(presses) > 1:
            return None


def _called_back(
    ends: "SimpleQueue[tuple[T | None, BaseException | None]]",
) -> tuple[T | None, BaseException | None]:
    try:
        return ends.get(timeout=_WIND_DOWN_S)
    except Empty:
        return None, Interrupted("Interrupted. Nothing was sent.")


def _run(work: Callable[[], T], ends: "SimpleQueue[tuple[T | None, BaseException | None]]") -> None:
    try:
        ends.put((work(), None))
    except BaseException as error:  # noqa: BLE001  handed to the waiting thread
        ends.put((None, error))


@contextmanager
def _counted(send_gate: SendGate) -> Iterator[list[int]]:
    """Count Ctrl-C instead of raising it. Once something was sent it has no effect: the verdict goes out."""
    presses: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: presses.append(number))
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, _nothing if send_gate.latest else before)


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


def _nothing(_number: int, _frame: object) -> None:
    pass
