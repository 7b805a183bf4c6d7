"""Limits in money and by the day, from the preview to the moment of sending, on the paper broker."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from capcli.broker.limits import Openings
from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.market import Resolution, Side
from capcli.domain.order import Trigger
from capcli.domain.policy import Rule
from capcli.errors import ChecksFailed
from capcli.paper.state import set_fault
from tests.support.fixtures import Seats
from tests.support.seat import Seat, refusal, stop_at

D = Decimal
STOP = stop_at("24.50")


def fails(seat: Seat, *args: object, **changes: object) -> set[str]:
    return {check.rule.value for check in seat.preview(*args, **changes).failed}


def sent(seat: Seat) -> list[str]:
    return [
        line
        for line in seat.tap.seen()
        if line.split()[0] in {"POST", "PUT", "DELETE"} and "session" not in line
    ]


ALL = {
    "CAP_MAX_RISK_PCT": "0.01",
    "CAP_MAX_MARGIN_PCT": "0.01",
    "CAP_REQUIRE_STOP": "true",
    "CAP_MAX_POSITION_SIZE": "1",
}


def test_every_limit_that_fails_is_told_at_once_with_its_setting(seats: Seats) -> None:
    seat = seats(**ALL)
    reply = seat.app.previews.preview(seat.request())
    assert {check.rule for check in reply.data.failed} == {
        Rule.RISK,
        Rule.MARGIN,
        Rule.STOP_REQUIRED,
        Rule.MAX_SIZE,
    }
    for name in ALL:
        assert f"({name})" in reply.problem.message


def bought(seat: Seat) -> Decimal:
    """Buy 50 SILVER with a stop at 24.50; return what that loses there, in USD."""
    level = seat.open(size="50", stop=STOP).level
    assert level is not None
    return (level - D("24.50")) * 50


def test_the_loss_of_other_deals_counts_for_the_total(seats: Seats) -> None:
    free = seats()
    lost = bought(free)
    offer = free.app.broker.market("GOLD").quote.offer
    order = {"epic": "GOLD", "size": "1", "stop": stop_at(str(offer - 20))}
    for usd, failed in ((lost + 25, set()), (lost + 15, {"total_risk"})):
        seat = seats(CAP_MAX_TOTAL_RISK_PCT=str(usd / 100))
        assert fails(seat, **order) == failed


@pytest.mark.parametrize(("room", "refused"), [(60, False), (40, True)])
def test_an_amendment_of_an_order_takes_no_deal_for_closed_that_it_would_meet(
    seats: Seats, room: int, *, refused: bool
) -> None:
    free = seats()
    lost, level = bought(free), free.app.broker.market("SILVER").quote.offer + 3
    sale = {"side": Side.SELL, "trigger": Trigger(level, OrderType.LIMIT)}
    order = free.open(size="50", stop=stop_at(str(level + D("0.5"))), **sale).deal_id or ""
    seat = seats(CAP_MAX_TOTAL_RISK_PCT=str((lost + room) / 100))

    def loosen() -> int:
        stop = stop_at(str(level + 1))
        return seat.app.order_amendments.amend(order, Change(stop=stop), confirmed=True).exit_code

    if refused:
        assert refusal(loosen).details["failed"] == ["total_risk"]
    else:
        assert loosen() == 0


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        ("CAP_MAX_RISK_PCT", "0.01", "risk"),
        ("CAP_MAX_MARGIN_PCT", "0.01", "margin"),
        ("CAP_REQUIRE_STOP", "true", "stop_required"),
        ("CAP_MAX_ORDERS_PER_DAY", "1", "orders_per_day"),
        ("CAP_MAX_OPEN_POSITIONS", "1", "open_positions"),
    ],
)
def test_a_limit_is_judged_again_right_before_the_send(
    seats: Seats, setting: str, value: str, rule: str
) -> None:
    free, bound = seats(), seats(**{setting: value})
    free.open()
    shown = free.preview(size="2")
    error = refusal(lambda: bound.execute(shown.preview_id))
    assert isinstance(error, ChecksFailed)
    assert error.details["failed"] == [rule]
    assert f"({setting})" in error.message
    assert len(free.book()) == 1


def test_a_day_that_lost_enough_takes_no_order_at_preview_and_at_send(seats: Seats) -> None:
    free, bound = seats(), seats(CAP_MAX_DAILY_LOSS="1")
    assert fails(bound) == set()
    shown = free.preview(size="3")
    deal = free.open(size="100").deal_id
    free.app.closings.close(deal, confirmed=True)
    error = refusal(lambda: bound.execute(shown.preview_id))
    assert error.details["failed"] == ["daily_loss"]
    assert fails(bound) == {"daily_loss"}
    assert free.book() == []


def test_an_open_loss_counts_for_the_day(seats: Seats) -> None:
    bound = seats(CAP_MAX_DAILY_LOSS="1")
    seats().open(size="100")
    assert fails(bound) == {"daily_loss"}


def test_the_loss_of_yesterday_is_over(seats: Seats, time: object) -> None:
    free, bound = seats(), seats(CAP_MAX_DAILY_LOSS="1")
    free.app.closings.close(free.open(size="100").deal_id, confirmed=True)
    assert fails(bound) == {"daily_loss"}
    time.tick(timedelta(hours=13).total_seconds())
    assert fails(bound) == set()


def test_risk_adds_up_in_one_market_and_direction_only(seats: Seats) -> None:
    free = seats()
    per_unit = free.preview(size="1", stop=STOP).stop.amount
    bound = seats(CAP_MAX_RISK_PCT=str(per_unit * 15 / 100))
    free.open(size="10", stop=STOP)
    assert fails(bound, size="10", stop=STOP) == {"risk"}
    assert fails(bound, size="4", stop=STOP) == set()
    assert fails(bound, size="1", side=Side.SELL, stop=stop_at("39")) == set()
    assert fails(bound, "GOLD", size="0.1", stop=None) == {"risk"}


def test_a_position_without_a_stop_bounds_nothing_in_its_market(seats: Seats) -> None:
    free, bound = seats(), seats(CAP_MAX_RISK_PCT="50")
    deal = free.open().deal_id
    found = bound.preview(size="2", stop=STOP).failed
    assert [check.reason.split()[0] for check in found] == [deal]


def test_a_waiting_order_counts_for_risk_and_margin(seats: Seats) -> None:
    free, bound = seats(), seats(CAP_MAX_RISK_PCT="5", CAP_MAX_MARGIN_PCT="20")
    assert fails(bound, size="10", stop=STOP) == set()
    free.open(size="600", stop=stop_at("20.4"), trigger=Trigger(D("20.5")))
    assert fails(bound, size="300", stop=STOP) == {"risk", "margin"}


def test_an_order_on_its_way_counts_at_the_preview_once(seats: Seats) -> None:
    import httpx

    free = seats()
    bound = seats(CAP_MAX_OPEN_POSITIONS="1", CAP_MAX_ORDERS_PER_DAY="1", CAP_MAX_RISK_PCT="0.1")
    shown = free.preview(stop=STOP)
    free.tap.breaks("POST", "/positions", after=httpx.ReadTimeout("no answer"))
    free.tap.breaks("GET", "/confirms", before=httpx.ReadTimeout("no answer"), times=99)
    free.execute(shown.preview_id)
    found = {check.rule: check.reason for check in bound.preview(size="2", stop=STOP).failed}
    assert found[Rule.OPEN_POSITIONS].startswith("1 open")
    assert found[Rule.ORDERS_PER_DAY].startswith("1 sent")
    assert Rule.RISK in found


def test_orders_of_today_are_counted_by_the_clock_of_the_broker(seats: Seats, time: object) -> None:
    bound = seats(CAP_MAX_ORDERS_PER_DAY="1")
    seats().open()
    assert fails(bound, size="2") == {"orders_per_day"}
    time.tick(timedelta(hours=13).total_seconds())
    assert fails(bound, size="2") == set()


def test_limits_keep_nobody_from_getting_out(seats: Seats) -> None:
    free = seats()
    first, second = free.open(size="10", stop=STOP).deal_id, free.open(size="2").deal_id
    waiting = free.open(size="3", trigger=Trigger(D("20.5"))).deal_id
    bound = seats(**ALL, CAP_MAX_ORDERS_PER_DAY="1", CAP_MAX_DAILY_LOSS="0.01", CAP_MAX_OPEN_POSITIONS="1")
    tighter = Change(stop=stop_at("25"))
    assert bound.app.amendments.amend(first, tighter, confirmed=True).exit_code == 0
    assert bound.app.reductions.reduce(first, D(1), confirmed=True).exit_code == 0
    assert bound.app.cancellations.cancel(waiting, confirmed=True).exit_code == 0
    assert bound.app.closings.close(second, confirmed=True).exit_code == 0
    assert bound.app.closings_of_all.close_all(confirmed=True).exit_code == 0


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (Change(no_stop=True), ["risk", "stop_required"]),
        (Change(stop=stop_at("15")), ["risk"]),
    ],
)
def test_loosening_a_stop_is_held_to_the_limits(seats: Seats, change: Change, rules: list[str]) -> None:
    deal = seats().open(size="10", stop=STOP).deal_id
    bound = seats(CAP_MAX_RISK_PCT="1", CAP_REQUIRE_STOP="true")
    error = refusal(lambda: bound.app.amendments.amend(deal, change, confirmed=True))
    assert error.details["failed"] == rules
    assert sent(bound) == []


def test_a_stop_that_is_moved_away_within_the_limit_may_go(seats: Seats) -> None:
    deal = seats().open(size="1", stop=STOP).deal_id
    bound = seats(CAP_MAX_RISK_PCT="1", CAP_REQUIRE_STOP="true")
    reply = bound.app.amendments.amend(deal, Change(stop=stop_at("24")), confirmed=True)
    assert reply.exit_code == 0


def test_an_order_that_is_moved_is_held_to_the_limits(seats: Seats) -> None:
    deal = seats().open(size="3", trigger=Trigger(D("20.5"))).deal_id
    bound = seats(CAP_REQUIRE_STOP="true")
    change = Change(level=D("20.6"))
    error = refusal(lambda: bound.app.order_amendments.amend(deal, change, confirmed=True))
    assert error.details["failed"] == ["stop_required"]


def test_each_limit_on_the_day_costs_one_request_in_the_same_round(seats: Seats) -> None:
    seat = seats(CAP_MAX_ORDERS_PER_DAY="9", CAP_MAX_DAILY_LOSS="500", CAP_MAX_RISK_PCT="5")
    seat.preview(stop=STOP)
    before = len(seat.tap.requests)
    seat.preview(stop=STOP)
    assert sorted(seat.tap.seen()[before:]) == [
        "GET /accounts",
        "GET /accounts/preferences",
        "GET /history/activity",
        "GET /history/transactions",
        "GET /markets/SILVER",
        "GET /positions",
        "GET /session",
        "GET /workingorders",
    ]


def test_a_rival_that_took_the_last_order_of_the_hour_is_told_with_the_true_wait(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, openings = seat.app.orders.broker, Openings(seat.time.now, most=1)
    preview_id = seat.preview().preview_id
    monkeypatch.setattr(broker._changes, "_openings", openings)
    # The last one is there at the check and at the question right before the send, and then it is taken.
    answers = iter([lambda: 0, openings.take])

    def answer() -> int:
        return next(answers)()

    monkeypatch.setattr(broker, "opening_wait_s", answer)
    done = seat.execute(preview_id)
    assert (done.exit_code, sent(seat)) == (11, [])
    assert done.problem.details["retry_after_s"] == pytest.approx(3600, abs=5)


def test_an_order_that_found_no_connection_is_not_counted(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, openings = seat.app.orders.broker, Openings(seat.time.now, most=1)
    monkeypatch.setattr(broker._changes, "_openings", openings)
    seat.tap.breaks("POST", "/positions", before=httpx.ConnectError("refused"))
    assert seat.execute(seat.preview().preview_id).exit_code == 7
    assert seat.execute(seat.preview().preview_id).exit_code == 0
    assert openings.wait_s() > 0


def test_an_empty_window_without_a_code_is_an_empty_page(seat: Seat) -> None:
    seat.time.tick(5 * 86_400)
    set_fault(seat.home / "paper.db", "no-code", at=seat.time.now())
    end = seat.time.now() - timedelta(minutes=1)
    start = end - timedelta(minutes=5)
    assert seat.app.broker.candles("GBPUSD", Resolution.MINUTE, start=start, end=end) == ()
    assert "GET /markets/GBPUSD" in seat.tap.seen()
