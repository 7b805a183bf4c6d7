from threading import Event

import pytest

from capcli.fanout import bounded, together

FOR_EVER_S = 60  # only a test that is broken waits so long


def test_results_come_in_the_order_of_the_reads() -> None:
    done = Event()

    def slow() -> str:
        assert done.wait(FOR_EVER_S)
        return "slow"

    def fast() -> str:
        done.set()
        return "fast"

    assert together(slow, fast, *(lambda number=number: number for number in range(8))) == [
        "slow",
        "fast",
        *range(8),
    ]


def test_reads_run_at_the_same_time() -> None:
    first, second = Event(), Event()

    def one() -> bool:
        first.set()
        return second.wait(FOR_EVER_S)

    def two() -> bool:
        second.set()
        return first.wait(FOR_EVER_S)

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
        bounded(lambda: held.wait(FOR_EVER_S), wait_s=0.05)
    held.set()
