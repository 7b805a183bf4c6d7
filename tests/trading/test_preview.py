from decimal import Decimal
from typing import Any

import pytest

from capcli.domain.account import OrderType
from capcli.domain.attempt import PreviewState
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, Kind, Trigger
from capcli.domain.policy import Rule
from capcli.errors import EpicUnknown, RulesMissing, UsageError
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal


def leg(form: ExitForm, value: str) -> ExitOrder:
    return ExitOrder(form, D(value))


def stored(seat: Seat) -> int:
    return len(seat.app.journal.previews("paper", limit=10))


def test_a_preview_that_passes_is_stored_with_the_bytes_it_shows(seat: Seat, time: Time) -> None:
    shown = seat.preview(size="1.50", stop=stop_at("24.500"))
    kept = seat.app.journal.preview(shown.preview_id)
    assert kept is not None
    assert shown.executable
    assert kept.state is PreviewState.READY
    assert kept.body.decode() == shown.body
    assert '"size":1.50,"stopLevel":24.500' in shown.body
    assert (kept.expires_at - time.now()).total_seconds() == pytest.approx(120, abs=2)


def test_a_preview_that_fails_is_stored_and_never_executable(seat: Seat) -> None:
    reply = seat.app.previews.preview(seat.request(size="1.55", stop=stop_at("99")))
    assert (reply.exit_code, reply.data.executable) == (5, False)
    assert {check.rule for check in reply.data.failed} == {Rule.SIZE_STEP, Rule.STOP}
    kept = seat.app.journal.preview(reply.data.preview_id)
    assert kept is not None
    assert kept.state is PreviewState.DRAFT
    error = refusal(lambda: seat.execute(reply.data.preview_id))
    assert (error.code, int(error.exit_code)) == ("PREVIEW_NOT_EXECUTABLE", 5)
    assert not seat.tap.orders()


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("form", "value"), [(ExitForm.LEVEL, None), (ExitForm.DISTANCE, "1.5"), (ExitForm.AMOUNT, "3")]
)
def test_every_form_of_stop_and_limit_opens_a_protected_position(
    seat: Seat, side: Side, form: ExitForm, value: str | None
) -> None:
    down, up = ("24.5", "38.5") if side is Side.BUY else ("38.5", "24.5")
    done = seat.open(side=side, stop=leg(form, value or down), limit=leg(form, value or up))
    row = seat.app.portfolio.positions(done.deal_id).data.positions[0]
    assert done.protected == "yes"
    assert row.stop_level is not None
    assert row.limit_level is not None
    assert (row.stop_level < row.level < row.limit_level) is (side is Side.BUY)


@pytest.mark.parametrize(
    ("side", "level", "kind"),
    [
        (Side.BUY, "25", OrderType.LIMIT),
        (Side.BUY, "39", OrderType.STOP),
        (Side.SELL, "39", OrderType.LIMIT),
        (Side.SELL, "25", OrderType.STOP),
    ],
)
def test_a_working_order_infers_its_type_from_its_side_of_the_price(
    seat: Seat, side: Side, level: str, kind: OrderType
) -> None:
    shown = seat.preview(side=side, trigger=Trigger(D(level)))
    assert (shown.kind, shown.order_type, shown.executable) == (Kind.WORKING, kind, True)
    assert seat.execute(shown.preview_id).exit_code == 0
    (order,) = seat.app.portfolio.orders().data.orders
    assert (order.type, order.level, order.side) == (kind, D(level), side)


def test_a_working_order_keeps_its_stop_and_says_so(seat: Seat) -> None:
    done = seat.open(trigger=Trigger(D("27.0")), stop=stop_at("25.50"), limit=leg(ExitForm.DISTANCE, "3"))
    assert (done.protected, done.stop_level) == ("yes", D("25.50"))
    assert done.sentence == "LIMIT order to BUY 1.5 SILVER at 27.0 is waiting, stop 25.50 in place."


def test_a_type_that_contradicts_the_level_fails_its_check(seat: Seat) -> None:
    shown = seat.app.previews.preview(seat.request(trigger=Trigger(D(25), OrderType.STOP))).data
    assert [check.rule for check in shown.failed] == [Rule.ENTRY_LEVEL]


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "0"},
        {"size": "-1"},
        {"stop": leg(ExitForm.LEVEL, "0")},
        {"limit": leg(ExitForm.AMOUNT, "-3")},
        {"trigger": Trigger(D(0))},
        {"trailing": True},
        {"trailing": True, "stop": stop_at("25")},
        {"guaranteed": True},
        {"trailing": True, "guaranteed": True, "stop": leg(ExitForm.DISTANCE, "1")},
        {"epic": "SIL VER"},
        {"epic": '"'},
    ],
)
def test_what_no_market_could_accept_is_refused_before_anything_is_read(
    seat: Seat, changes: dict[str, Any]
) -> None:
    error = refusal(lambda: seat.preview(**changes))
    assert isinstance(error, UsageError)
    assert seat.tap.seen() == []


def test_an_unknown_epic_is_an_error_and_stores_nothing(seat: Seat) -> None:
    error = refusal(lambda: seat.preview("NOSUCH"))
    assert isinstance(error, EpicUnknown)
    assert int(error.exit_code) == 6
    assert stored(seat) == 0


def test_the_wrong_case_of_an_epic_is_met_with_the_right_one(seat: Seat) -> None:
    error = refusal(lambda: seat.preview("silver"))
    assert (error.code, error.details["suggestion"]) == ("EPIC_UNKNOWN", "SILVER")
    assert stored(seat) == 0


def test_missing_dealing_rules_are_an_error_never_a_default(seat: Seat) -> None:
    market = {
        "instrument": {
            "epic": "SILVER",
            "name": "Silver",
            "type": "COMMODITIES",
            "currency": "USD",
            "expiry": "-",
            "lotSize": 1,
        },
        "dealingRules": {"minDealSize": {"unit": "POINTS", "value": 1}},
        "snapshot": {
            "marketStatus": "TRADEABLE",
            "updateTime": "2026-03-02T12:00:00",
            "delayTime": 0,
            "bid": 30,
            "offer": 30.1,
            "decimalPlacesFactor": 3,
            "scalingFactor": 1,
        },
    }
    seat.tap.breaks("GET", "/markets/SILVER", before=says(200, market))
    error = refusal(seat.preview)
    assert isinstance(error, RulesMissing), error
    assert "price_step" in error.message
    assert stored(seat) == 0


def test_another_process_finds_the_session_and_does_not_log_in(seats: Seats) -> None:
    seats().preview()
    second = seats()
    second.preview()
    assert second.tap.seen("POST") == []
