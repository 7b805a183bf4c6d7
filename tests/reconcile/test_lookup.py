"""How long a lost order says nothing, by whose clock, and how long it is looked for again."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.context import Patience
from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence
from capcli.domain.order import Kind
from capcli.reconcile.lookup import OrderLookup
from tests.store.builders import an_attempt
from tests.support.seat import Seat

S = AttemptState


def search(seat: Seat) -> OrderLookup:
    return OrderLookup(seat.app.orders)


def sent(seat: Seat, seconds_ago: float, **changes: Any) -> AttemptRecord:
    """Return an attempt that was sent so long ago, by the broker's clock where it spoke, else by ours."""
    now = search(seat).broker_now()
    at = now - timedelta(seconds=seconds_ago)
    return an_attempt(created_at=at, sent_at=at, broker_time_at_send=at, **changes)


@pytest.mark.parametrize(("seconds", "quiet"), [(119, False), (120, True), (121, True)])
def test_two_minutes_without_a_trace_say_something(seat: Seat, seconds: int, *, quiet: bool) -> None:
    seat.app.orders.broker.session()
    assert search(seat).is_quiet(sent(seat, seconds)) is quiet


def test_the_brokers_clock_counts_where_it_is_known_at_both_ends(seat: Seat) -> None:
    seat.app.orders.broker.session()
    hour = timedelta(hours=1)
    attempt = sent(seat, 100)
    ours = replace(attempt, sent_at=(attempt.sent_at or attempt.created_at) - hour)
    assert search(seat).age(ours) == timedelta(seconds=100)
    assert search(seat).age(replace(ours, broker_time_at_send=None)) >= hour


def test_before_the_brokers_first_answer_our_own_clock_counts(seat: Seat) -> None:
    assert seat.app.orders.broker.broker_time() is None
    assert search(seat).age(sent(seat, 100)) == timedelta(seconds=100)
    begun = replace(sent(seat, 100), sent_at=None, broker_time_at_send=None)
    assert search(seat).age(begun) == timedelta(seconds=100)


@pytest.mark.parametrize(("seconds", "enough"), [(29, False), (30, True)])
def test_two_looks_are_half_a_minute_apart(seat: Seat, seconds: int, *, enough: bool) -> None:
    seat.app.orders.broker.session()
    first = search(seat).broker_now() - timedelta(seconds=seconds)
    assert search(seat).is_second_look(an_attempt(absent_seen_at=first)) is enough
    assert not search(seat).is_second_look(an_attempt())


def test_a_wait_looks_six_times_between_two_looks_that_count() -> None:
    assert (Patience().quiet_s, Patience().gap_s, Patience().pause_s) == (120, 30, 5)


@pytest.mark.parametrize(
    ("changes", "watched"),
    [
        ({"state": S.ABSENT}, True),
        ({"state": S.LANDED, "evidence": Evidence.INFERRED}, True),
        ({"state": S.LANDED, "evidence": Evidence.CONFIRM}, False),
        ({"state": S.REJECTED, "evidence": Evidence.INFERRED}, False),
        ({"state": S.ABSENT, "kind": Kind.AMEND}, False),
    ],
)
def test_what_no_answer_settled_is_looked_for_again_for_a_day(
    seat: Seat, changes: dict[str, Any], *, watched: bool
) -> None:
    day = 24 * 3600
    assert search(seat).is_watched(sent(seat, day, **changes)) is watched
    assert not search(seat).is_watched(sent(seat, day + 1, **changes))


def test_a_lost_order_is_looked_for_in_the_activity_of_a_week(seat: Seat) -> None:
    search(seat).activity(search(seat).broker_now() - timedelta(days=10))
    assert seat.tap.seen().count("GET /history/activity") == 7


def test_an_order_whose_send_the_brokers_clock_does_not_date_is_not_searched(seat: Seat) -> None:
    account_id = seat.app.orders.broker.session().account_id
    undated = replace(sent(seat, 300, account_id=account_id), broker_time_at_send=None)
    assert search(seat).find(undated, seat.request()) is None
