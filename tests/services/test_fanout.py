import _thread
import time
from threading import Event

import pytest

from capcli.services.fanout import bounded, together


def ctrl_c() -> None:
    time.sleep(0.05)  # until the main thread waits
    _thread.interrupt_main()


def test_results_come_in_the_order_of_the_reads() -> None:
    def slow() -> str:
        time.sleep(0.02)
        return "slow"

    assert together(slow, lambda: "fast", *(lambda number=number: number for number in range(8))) == [
        "slow",
        "fast",
        *range(8),
    ]


def test_reads_run_at_the_same_time() -> None:
    first, second = Event(), Event()

    def one() -> bool:
        first.set()
        return second.wait(5)

    def two() -> bool:
        second.set()
        return first.wait(5)

    assert together(one, two) == [True, True]


def test_the_first_failure_is_raised() -> None:
    def fails() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        together(lambda: 1, fails)


def test_bounded_work_returns_raises_or_is_late() -> None:
    assert bounded(lambda: 7, wait_s=5) == 7

    def fails() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        bounded(fails, wait_s=5)
    held = Event()
    with pytest.raises(TimeoutError):
        bounded(lambda: held.wait(5), wait_s=0.05)
    held.set()
