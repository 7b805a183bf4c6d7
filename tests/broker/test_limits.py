"""Pacing: never more in any second than the broker allows, and who goes first."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.broker.limits import HOUR_S, Openings, OwnValue, Pace, RequestKind
from capcli.ports import Lane
from capcli.ports.login import Allowance, Ticket
from tests.support.clock import Time as SharedTime

from .host import Time

Plan = list[tuple[RequestKind, Lane, float, float]]
PLANS = st.lists(
    st.tuples(
        st.sampled_from(RequestKind),
        st.sampled_from([Lane.ORDERS, Lane.READS]),
        st.floats(0, 0.6),
        st.floats(0, 1.9),
    ),
    max_size=60,
)


class Record(Time):
    """Remembers when each request started and when its answer was there."""

    def play(self, plan: Plan) -> list[tuple[RequestKind, float, float]]:
        """Send one request after the other: after a gap (seconds), with a latency (seconds)."""
        pace, seen = Pace(self.monotonic, self.sleep), []
        for kind, lane, gap, latency in plan:
            self.elapsed += gap
            with pace.turn(lane, kind):
                start = self.elapsed
                self.elapsed += latency
            seen.append((kind, start, self.elapsed))
        return seen

    def starts(self, count: int, lane: Lane = Lane.READS, latency: float = 0) -> list[float]:
        return [start for _, start, _ in self.play([(RequestKind.PLAIN, lane, 0, latency)] * count)]


@given(PLANS)
def test_no_second_at_the_broker_ever_holds_more_than_ten_requests(
    plan: Plan,
) -> None:
    """Whenever the broker counted them: at the end of the first's answer, at the eleventh's start."""
    seen = Record().play(plan)

    for (_, _, answered), (_, start, _) in zip(seen, seen[10:], strict=False):
        assert start - answered > 1.0


@given(PLANS)
def test_logins_and_orders_keep_their_own_distance(
    plan: Plan,
) -> None:
    seen = Record().play(plan)

    for kind, least in ((RequestKind.LOGIN, 1.0), (RequestKind.ORDER, 0.1)):
        mine = [(start, answered) for each, start, answered in seen if each is kind]
        assert all(later - answered >= least for (_, answered), (later, _) in pairwise(mine))


def test_the_first_ten_go_at_once() -> None:
    time = Record()

    time.starts(10)

    assert time.slept == []


def test_a_download_never_takes_ten_at_once_and_misses_nothing() -> None:
    starts = Record().starts(200, Lane.BULK)

    assert all(later - earlier > 0.05 for earlier, later in pairwise(starts))
    assert 199 / (starts[-1] - starts[0]) > 9.9


def test_a_download_counts_its_slow_pages_as_everybody_else_does() -> None:
    starts = Record().starts(200, Lane.BULK, latency=0.25)

    assert all(later - first > 1.25 for first, later in zip(starts, starts[10:], strict=False))


def test_an_order_goes_before_whoever_waits_already() -> None:
    """A read and a download asked first, in other processes; the slot that becomes free is the order's."""
    time, book, gone = Time(), OwnValue(Allowance()), list[str]()
    waiting = tuple(Ticket(lane, lane, 0.0, 0.0, 5.0) for lane in (Lane.READS, Lane.BULK))
    book.update(lambda _: Allowance(taken=tuple(0.1 * place for place in range(1, 11)), waiting=waiting))
    pace = Pace(time.monotonic, time.sleep, book)

    time.elapsed = 0.05
    with pace.turn(Lane.ORDERS):
        gone.append(f"order {time.elapsed:.2f}")
    with pace.turn(Lane.BULK):
        gone.append(f"bulk {time.elapsed:.2f}")

    # Behind the order, the read that waits and the download that asked before.
    assert gone == ["order 0.10", "bulk 0.40"]


def test_parallel_reads_of_an_order_wait_a_few_tenths_beside_a_download() -> None:
    """The window is full with a download's even steps: each of four parallel reads gets the next step."""
    time, book = SharedTime(), OwnValue(Allowance())
    book.update(lambda _: Allowance(taken=tuple(0.1 * place for place in range(1, 11))))
    pace, waits = Pace(time.monotonic, time.sleep, book), list[float]()

    for _ in range(4):
        with pace.turn(Lane.ORDERS):
            waits.append(time.monotonic())

    assert max(waits) < 0.5


def test_a_ticket_of_a_killed_process_holds_nobody_up() -> None:
    time, book = Time(), OwnValue(Allowance())
    dead = tuple(Ticket(number, Lane.ORDERS, 0.0, 0.0, 1.0) for number in range(20))
    book.update(lambda _: Allowance(waiting=dead))

    with Pace(time.monotonic, time.sleep, book).turn(Lane.READS):
        assert time.elapsed <= 1.3


def test_ten_requests_of_a_killed_process_count_for_three_seconds() -> None:
    time, book = Time(), OwnValue(Allowance())
    pace = Pace(time.monotonic, time.sleep, book)
    under_way = [pace.turn(Lane.READS) for _ in range(10)]
    for turn in under_way:
        turn.__enter__()

    with Pace(time.monotonic, time.sleep, book).turn(Lane.ORDERS):
        assert 3.0 < time.elapsed < 3.1


def test_an_order_waits_half_a_second_at_most_for_the_answer_of_another() -> None:
    time, book = Time(), OwnValue(Allowance())
    other = Pace(time.monotonic, time.sleep, book).turn(Lane.ORDERS, RequestKind.ORDER)
    other.__enter__()

    with Pace(time.monotonic, time.sleep, book).turn(Lane.ORDERS, RequestKind.ORDER):
        assert 0.1 < time.elapsed < 0.7


def test_whoever_is_interrupted_while_waiting_leaves_the_queue() -> None:
    time, book = Time(), OwnValue(Allowance())
    book.update(lambda _: Allowance(taken=(5.0,) * 10))

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Pace(time.monotonic, interrupted, book).turn(Lane.ORDERS):
        pass

    assert book.update(lambda one: one).waiting == ()


def test_a_clock_that_stands_still_ends_the_waiting_after_a_minute() -> None:
    slept: list[float] = []
    book = OwnValue(Allowance())
    book.update(lambda _: Allowance(paused_until=9e9))

    with Pace(lambda: 0.0, slept.append, book).turn(Lane.ORDERS):
        pass

    assert 60 <= sum(slept) < 61


def test_a_429_holds_back_every_process_that_shares_the_book() -> None:
    time, book = Time(), OwnValue(Allowance())
    Pace(time.monotonic, time.sleep, book).back_off(2.0)

    with Pace(time.monotonic, time.sleep, book).turn(Lane.READS):
        assert time.elapsed == pytest.approx(2.0)


def test_a_429_on_a_login_holds_back_logins_alone() -> None:
    time = Time()
    pace = Pace(time.monotonic, time.sleep)
    pace.back_off(2.0, login=True)

    with pace.turn(Lane.READS):
        assert time.elapsed == 0
    with pace.turn(Lane.ORDERS, RequestKind.LOGIN):
        assert time.elapsed == pytest.approx(2.0)


def test_a_wait_of_more_than_a_second_is_told_once() -> None:
    time, told = Time(), list[float]()
    pace = Pace(time.monotonic, time.sleep, on_wait=told.append)
    pace.back_off(0.9)
    with pace.turn(Lane.READS):
        assert told == []
    pace.back_off(3.0)
    with pace.turn(Lane.READS):
        assert told == [pytest.approx(3.0)]


def test_threads_share_the_window() -> None:
    time = SharedTime()
    pace, starts = Pace(time.monotonic, time.sleep), list[float]()

    def send() -> None:
        with pace.turn(Lane.READS):
            starts.append(time.monotonic())

    threads = [threading.Thread(target=send) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    starts.sort()
    assert all(later - first > 1.0 for first, later in zip(starts, starts[10:], strict=False))
    assert len(starts) == 25


class Wall:
    """A clock of dates that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_an_hour_takes_a_thousand_orders_and_says_when_the_next_fits() -> None:
    wall = Wall()
    openings = Openings(wall, most=1000)

    assert [openings.take() for _ in range(1000)] == [0] * 1000
    wall.now += timedelta(minutes=59, seconds=30)
    assert (openings.wait_s(), openings.take()) == (30, 30)
    wall.now += timedelta(seconds=30)
    assert (openings.wait_s(), openings.take()) == (0, 0)


def test_a_clock_that_was_set_back_refuses_no_order() -> None:
    wall = Wall()
    openings = Openings(wall, most=2)
    openings.take()
    openings.take()
    wall.now -= timedelta(hours=5)

    assert openings.take() == 0


def test_an_order_that_did_not_leave_is_given_back() -> None:
    openings = Openings(Wall(), most=1)
    assert openings.take() == 0
    openings.give_back()
    assert (openings.wait_s(), openings.take(), openings.take()) == (0, 0, 3600)


def test_without_an_hourly_limit_nothing_is_counted() -> None:
    openings = Openings(Wall())

    assert [openings.take() for _ in range(1001)] == [0] * 1001
    assert openings.wait_s() == 0
    assert HOUR_S == 3600


def test_of_pages_asked_for_side_by_side_one_stands_in_the_queue() -> None:
    book, most = OwnValue(Allowance()), []

    class Watched:
        def update(self, change: Callable[[Allowance], Allowance]) -> Allowance:
            after = book.update(change)
            most.append(len(after.waiting))
            return after

    pace = Pace(time.monotonic, time.sleep, Watched())

    def page() -> None:
        with pace.turn(Lane.BULK):
            pass

    pages = [threading.Thread(target=page) for _ in range(5)]
    for one in pages:
        one.start()
    for one in pages:
        one.join()
    assert max(most) == 1
