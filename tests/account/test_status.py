"""The account at a glance, against the broker's own rows and the rules of a preview."""

from decimal import Decimal

from capcli.account.status import LimitLeft, StatusFound
from capcli.domain.account import OrderType
from capcli.domain.order import Trigger
from capcli.domain.policy import Rule
from tests.support.fixtures import Seats
from tests.support.mandate import HUMAN, grant
from tests.support.seat import Seat, stop_at
from tests.support.tap import says

D = Decimal
LIMITS = {
    "CAP_MAX_ORDERS_PER_DAY": "5",
    "CAP_MAX_OPEN_POSITIONS": "4",
    "CAP_MAX_DAILY_LOSS": "100",
    "CAP_MAX_MARGIN_PCT": "20",
    "CAP_MAX_TOTAL_RISK_PCT": "3",
}


def shown(seat: Seat) -> StatusFound:
    return seat.app.status.show().data


def limits(found: StatusFound) -> dict[str, LimitLeft]:
    return {row.setting: row for row in found.limits}


def test_an_idle_account_uses_nothing(seat: Seat) -> None:
    found = shown(seat)
    assert (found.equity, found.available, found.margin, found.realised_today) == (10000, 10000, 0, 0)
    assert (found.open_positions, found.working_orders, found.limits, found.problems) == (0, 0, (), ())
    assert (found.loss_at_stops, found.halt, found.unresolved, found.approvals) == (0, None, (), 0)


def test_what_is_lost_at_the_stops_is_what_the_exposure_says(seat: Seat) -> None:
    seat.open(size="2", stop=stop_at("24.50"))
    found, total = shown(seat), seat.app.exposures.show().data.total
    assert found.loss_at_stops is not None
    assert total.loss_at_stops is not None
    assert abs(found.loss_at_stops - total.loss_at_stops) < D("0.05")
    bare = seat.open(size="1").deal_id
    assert (shown(seat).loss_at_stops, shown(seat).without_stop) == (None, (bare,))


def test_a_limit_has_left_what_a_preview_counts(seats: Seats) -> None:
    seat = seats(**LIMITS)
    deal = seat.open(size="2", stop=stop_at("24.50")).deal_id
    seat.app.closings.close(deal or "", confirmed=True)
    seat.open(size="1", stop=stop_at("24.50"))
    level = seat.app.broker.market("SILVER").quote.offer + 1
    waits = seat.preview(trigger=Trigger(level, OrderType.STOP), stop=stop_at("24.50"))
    seat.execute(waits.preview_id)
    found, checks = (
        limits(shown(seat)),
        {check.rule: check for check in seat.preview(stop=stop_at("24.50")).checks},
    )
    assert (found["CAP_MAX_ORDERS_PER_DAY"].used, found["CAP_MAX_ORDERS_PER_DAY"].left) == (3, 2)
    assert "3 sent today" in checks[Rule.ORDERS_PER_DAY].reason
    assert (found["CAP_MAX_OPEN_POSITIONS"].used, found["CAP_MAX_OPEN_POSITIONS"].left) == (2, 2)
    assert checks[Rule.OPEN_POSITIONS].reason.startswith("2 open")
    lost, risk = found["CAP_MAX_DAILY_LOSS"], found["CAP_MAX_TOTAL_RISK_PCT"]
    assert lost.used is not None
    assert 0 < lost.used < 1
    assert lost.left == 100 - lost.used
    assert risk.used is not None
    assert 2 < risk.used < 20, "a position and a waiting order, each to its stop"
    assert (risk.limit, risk.unit) == (D("299.99"), "USD") or risk.limit == 300


def test_a_limit_whose_use_nobody_can_tell_leaves_nothing_to_say(seats: Seats) -> None:
    seats().open(size="1")
    seat = seats(CAP_MAX_TOTAL_RISK_PCT="3", CAP_MAX_RISK_PCT="1", CAP_MAX_POSITION_SIZE="2")
    found = limits(shown(seat))
    assert (found["CAP_MAX_TOTAL_RISK_PCT"].used, found["CAP_MAX_TOTAL_RISK_PCT"].left) == (None, None)
    assert (found["CAP_MAX_POSITION_SIZE"].limit, found["CAP_MAX_POSITION_SIZE"].unit) == (2, "size")
    worst = found["CAP_MAX_RISK_PCT"]
    assert (worst.used, worst.left, worst.where) == (None, None, "BUY SILVER")


def test_the_limit_per_market_and_direction_names_the_one_that_uses_most(seats: Seats) -> None:
    seat = seats(CAP_MAX_RISK_PCT="1")
    idle = limits(shown(seat))["CAP_MAX_RISK_PCT"]
    assert (idle.used, idle.left, idle.where) == (0, idle.limit, None)
    seat.open(size="1", stop=stop_at("24.50"))
    seat.open(size="2", stop=stop_at("24.50"))
    found = limits(shown(seat))["CAP_MAX_RISK_PCT"]
    checked = {check.rule: check for check in seat.preview(stop=stop_at("24.50")).checks}[Rule.RISK]
    assert found.where == "BUY SILVER"
    assert f"{found.used} of it there already" in checked.reason
    assert found.left == found.limit - (found.used or 0)


def test_a_read_that_fails_hides_only_its_own_figures(seats: Seats) -> None:
    seat = seats(CAP_MAX_DAILY_LOSS="100", CAP_MAX_ORDERS_PER_DAY="5")
    seat.tap.breaks("GET", "/history", before=says(500, text=""), times=99)
    found = shown(seat)
    assert (found.equity, found.realised_today) == (10000, None)
    assert {row.used for row in found.limits} == {None}
    assert found.problems


def test_a_halt_and_a_lost_order_are_on_it(seat: Seat) -> None:
    shown_preview = seat.preview()
    seat.tap.breaks("POST", "/positions", before=says(502, text=""))
    attempt = seat.execute(shown_preview.preview_id).data.attempt_id
    seat.app.halting.halt("lunch", by="me")
    found = shown(seat)
    assert [row.attempt_id for row in found.unresolved] == [attempt]
    assert found.halt is not None
    assert "lunch" in found.halt


def test_a_mandate_is_on_it_while_it_is_in_force(seats: Seats) -> None:
    person, assistant = seats(**HUMAN), seats(**HUMAN)
    assert shown(assistant).mandates == ()
    given = grant(person)
    rows = shown(assistant).mandates
    assert [(row.mandate_id, row.orders_used, row.charged) for row in rows] == [
        (given.mandate.mandate_id, 0, D("0.00"))
    ]
    person.app.mandates.revoke(given.mandate.name, by="me")
    assert shown(assistant).mandates == ()
