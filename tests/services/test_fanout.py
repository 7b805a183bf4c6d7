import _thread
import time
from threading import Event

import pytest

from capcli.services.fanout import together, uninterrupted


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


def test_the_first_ctrl_c_is_noted_and_waited_through() -> None:
    noted = Event()

    def work() -> str:
        ctrl_c()
        assert noted.wait(5)
        return "done"

    assert uninterrupted(work, on_interrupt=noted.set) == "done"


def test_the_second_ctrl_c_leaves_the_work_behind() -> None:
    noted, left = Event(), Event()

    def work() -> bool:
        ctrl_c()
        assert noted.wait(5)
        ctrl_c()
        return left.wait(5)

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work, on_interrupt=noted.set)
    left.set()


def test_what_the_work_raises_reaches_the_caller() -> None:
    def work() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        uninterrupted(work, on_interrupt=lambda: None)
