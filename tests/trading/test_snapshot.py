"""What a day and an account are, for the limits that count by them."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from capcli.context import Context, active_account_id
from capcli.domain.account import Rows
from capcli.domain.attempt import AttemptState
from capcli.errors import UnreadableAnswer
from capcli.trading.sending import clock_fault
from capcli.trading.snapshot import (
    active_account,
    broker_midnight,
    check_input,
    orders_today,
    take_snapshot,
    with_day,
)
from tests.domain.builders import ACCOUNT
from tests.domain.test_matching import order_row
from tests.store.builders import a_close, a_preview
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, Seat


def test_a_day_begins_at_midnight_utc_to_the_microsecond() -> None:
    at = datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    assert broker_midnight(at) == datetime(2026, 3, 2, tzinfo=UTC)


def test_the_active_account_must_be_in_the_brokers_list() -> None:
    other = replace(ACCOUNT, account_id="2")
    assert active_account(Rows((other, ACCOUNT)), "1") is ACCOUNT
    with pytest.raises(UnreadableAnswer, match="lacks 3"):
        active_account(Rows((other, ACCOUNT)), "3")


def test_the_orders_of_a_day_are_ours_and_everybody_elses(seats: Seats) -> None:
    seat = seats(CAP_MAX_ORDERS_PER_DAY="5")
    context = seat.app.orders
    foreign = order_row("foreign", at=seat.time.now())
    assert orders_today(context, FIRST_ACCOUNT, ()) == 0
    seat.open()
    assert orders_today(context, FIRST_ACCOUNT, (foreign,)) == 2
    seat.time.tick(timedelta(days=1).total_seconds())
    context.broker.session()
    assert orders_today(context, FIRST_ACCOUNT, ()) == 0


def test_the_orders_of_a_day_are_not_counted_without_a_limit(seat: Seat) -> None:
    seat.open()
    assert orders_today(seat.app.orders, FIRST_ACCOUNT, (order_row("foreign"),)) == 0


def test_an_account_is_found_by_a_login_where_nothing_was_read_yet(seat: Seat) -> None:
    assert active_account_id(seat.app.orders) == FIRST_ACCOUNT
    assert active_account_id(seat.app.orders) == FIRST_ACCOUNT
    assert seat.tap.seen("POST") == ["POST /session"]


def rates(context: Context, seat: Seat, *, opening: bool) -> set[str]:
    return set(take_snapshot(context, seat.request(), with_orders=False, opening=opening).rates)


def test_the_rates_of_other_deals_are_read_where_they_count(seats: Seats) -> None:
    seat, bound = seats(), seats(CAP_MAX_TOTAL_RISK_PCT="50")
    assert rates(seat.app.orders, seat, opening=True) == {"USD"}
    seat.open("DE40", "0.1")
    assert rates(seat.app.orders, seat, opening=True) == {"USD", "EUR"}
    assert rates(seat.app.orders, seat, opening=False) == {"USD"}
    assert rates(bound.app.orders, bound, opening=False) == {"USD", "EUR"}


def test_what_the_day_brought_is_read_where_a_limit_asks(seats: Seats) -> None:
    seat, bound = seats(), seats(CAP_MAX_DAILY_LOSS="100")
    seat.app.closings.close(seat.open().deal_id or "", confirmed=True)
    for one, count in ((seat, 0), (bound, 1)):
        context = one.app.orders
        snapshot = take_snapshot(context, one.request(), with_orders=False, opening=False)
        assert snapshot.bookings == ()
        assert [row.type for row in with_day(context, snapshot).bookings].count("TRADE") == count


def test_the_day_is_the_brokers_once_it_said_what_time_it_is(seats: Seats) -> None:
    bound = seats(CAP_MAX_DAILY_LOSS="100")
    bound.app.closings.close(bound.open().deal_id or "", confirmed=True)
    tomorrow = bound.time.now() + timedelta(days=1)
    context = replace(bound.app.orders, clock=lambda: tomorrow)
    snapshot = take_snapshot(context, bound.request(), with_orders=False, opening=False)
    assert [row.type for row in with_day(context, snapshot).bookings].count("TRADE") == 1


@pytest.mark.parametrize("state", [AttemptState.CLAIMED, AttemptState.SENDING])
def test_what_is_being_sent_right_now_is_no_open_question(seat: Seat, state: AttemptState) -> None:
    context = seat.app.orders
    snapshot = take_snapshot(context, seat.request(), with_orders=False)
    sending = a_close(
        env="paper",
        host=context.broker.host,
        account_id=FIRST_ACCOUNT,
        state=state,
        created_at=context.clock(),
    )
    context.journal.open_attempt(sending)
    for later, held in ((59, ()), (1, (sending.attempt_id,))):
        seat.time.tick(later)
        blocked = check_input(context, snapshot, seat.request(), None).blocked
        assert blocked is not None
        assert blocked.unresolved == held


@pytest.mark.parametrize(("env", "told"), [("paper", None), ("demo", "has expired by the broker's clock.")])
def test_the_paper_brokers_faster_time_ends_no_preview(seat: Seat, env: str, told: str | None) -> None:
    context = replace(seat.app.orders, env=env)
    now = context.clock()
    preview = a_preview(created_at=now, expires_at=now + timedelta(seconds=60), broker_time=now)
    assert clock_fault(context, preview) is None, "the broker has not said yet what time it is"
    context.broker.session()
    seat.time.tick(120)
    assert clock_fault(context, preview) == told
