"""What a day and an account are, for the limits that count by them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from capcli.errors import UnreadableAnswer
from capcli.services.casework import active_account, broker_midnight, orders_today
from tests.domain.builders import ACCOUNT
from tests.domain.test_match import order_row
from tests.support.desk import FIRST_ACCOUNT, Seat
from tests.support.fixtures import Seats


def test_a_day_begins_at_midnight_utc_to_the_microsecond() -> None:
    at = datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    assert broker_midnight(at) == datetime(2026, 3, 2, tzinfo=UTC)


def test_the_active_account_must_be_in_the_brokers_list() -> None:
    other = replace(ACCOUNT, account_id="2")
    assert active_account((other, ACCOUNT), "1") is ACCOUNT
    with pytest.raises(UnreadableAnswer, match="lacks 3"):
        active_account((other, ACCOUNT), "3")


def test_the_orders_of_a_day_are_ours_and_everybody_elses(seats: Seats) -> None:
    seat = seats(CAP_MAX_ORDERS_PER_DAY="5")
    desk = seat.app.order_desk
    foreign = order_row("foreign", at=seat.time.now())
    assert orders_today(desk, FIRST_ACCOUNT, ()) == 0
    seat.open()
    assert orders_today(desk, FIRST_ACCOUNT, (foreign,)) == 2
    seat.time.tick(timedelta(days=1).total_seconds())
    desk.broker.session()
    assert orders_today(desk, FIRST_ACCOUNT, ()) == 0


def test_the_orders_of_a_day_are_not_counted_without_a_limit(seat: Seat) -> None:
    seat.open()
    assert orders_today(seat.app.order_desk, FIRST_ACCOUNT, (order_row("foreign"),)) == 0
