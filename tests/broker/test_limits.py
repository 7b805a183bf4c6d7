"""Pacing: never more in any second than the broker allows."""

import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from capcli.broker.limits import Pace

from .venue import Time

GAPS = st.lists(st.tuples(st.sampled_from(["request", "login", "order"]), st.floats(0, 0.6)), max_size=60)


class Record(Time):
    """Remembers when each kind of request was let go."""

    def starts(self, plan: list[tuple[str, float]]) -> list[tuple[str, float]]:
        pace, seen = Pace(self.monotonic, self.sleep), []
        for kind, gap in plan:
            self.elapsed += gap
            getattr(pace, kind)()
            seen.append((kind, self.elapsed))
        return seen


@given(GAPS)
def test_no_second_ever_holds_more_than_ten_requests(plan: list[tuple[str, float]]) -> None:
    starts = [at for _, at in Record().starts(plan)]

    for first, eleventh in zip(starts, starts[10:], strict=False):
        assert eleventh - first > 1.0


@given(GAPS)
def test_logins_and_orders_keep_their_own_distance(plan: list[tuple[str, float]]) -> None:
    seen = Record().starts(plan)

    for kind, least in (("login", 1.0), ("order", 0.1)):
        starts = [at for each, at in seen if each == kind]
        assert all(later - earlier >= least for earlier, later in pairwise(starts))


def test_the_first_ten_go_at_once() -> None:
    time = Record()

    time.starts([("request", 0.0)] * 10)

    assert time.slept == []


def test_threads_share_the_window() -> None:
    time = Time()
    waits: list[float] = []
    pace = Pace(lambda: 0.0, waits.append)
    threads = [threading.Thread(target=pace.request) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(waits) == 15
    assert max(waits) > 2
    assert time.slept == []
