"""The margin of an order by the account's own leverage: known for five minutes, looked at before the send."""

from decimal import Decimal

from capcli.domain.policy import Rule
from tests.support.fixtures import Seats
from tests.support.seat import SECOND_ACCOUNT, Seat, refusal
from tests.support.tap import says

D = Decimal
PREFERENCES = "GET /accounts/preferences"


def choose(seat: Seat, **leverages: int) -> None:
    """Choose leverages at the broker behind our back, as its app would."""
    body = b'{"leverages":{' + b",".join(b'"%s":%d' % (k.encode(), v) for k, v in leverages.items()) + b"}}"
    assert seat.app.broker.send("PUT", "/accounts/preferences", body).status == 200


def asked(seat: Seat) -> int:
    return seat.tap.seen().count(PREFERENCES)


def test_a_lower_leverage_asks_for_more_margin(seat: Seat) -> None:
    choose(seat, COMMODITIES=5)
    shown = seat.preview()
    assert (shown.margin_pct, shown.market_margin_pct, shown.leverage) == (D(20), D(10), D(5))
    assert shown.margin is not None
    assert abs(shown.margin - shown.notional / 5) < D("0.01")


def test_what_another_process_chose_counts_at_once(seats: Seats) -> None:
    one, other = seats(), seats()
    assert other.preview().leverage == 20
    choose(one, COMMODITIES=5)
    assert other.preview().leverage == 5


def test_another_account_has_preferences_of_its_own(seat: Seat) -> None:
    choose(seat, COMMODITIES=5)
    assert seat.preview().leverage == 5
    seat.app.accounts.use(SECOND_ACCOUNT)
    assert seat.preview().leverage == 20


def test_execution_checks_the_funds_by_the_leverage_too(seat: Seat) -> None:
    shown = seat.preview(size="2000")
    assert shown.executable
    choose(seat, COMMODITIES=1)
    seat.app.broker.forget_preferences()
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, error.details["failed"]) == ("CHECKS_FAILED", [Rule.FUNDS.value])
    assert seat.tap.orders() == []


def test_a_leverage_of_nothing_keeps_the_markets_factor(seat: Seat) -> None:
    nothing = {"hedgingMode": False, "leverages": {"COMMODITIES": {"current": 0, "available": [1]}}}
    seat.tap.breaks("GET", "/accounts/preferences", before=says(200, nothing))
    assert seat.preview().leverage is None


def test_a_class_that_the_preferences_do_not_list_keeps_the_markets_factor(seat: Seat) -> None:
    only = {"hedgingMode": False, "leverages": {"SHARES": {"current": 1, "available": [1]}}}
    seat.tap.breaks("GET", "/accounts/preferences", before=says(200, only))
    assert seat.preview().leverage is None


def test_preferences_that_cannot_be_read_stop_the_preview(seat: Seat) -> None:
    seat.tap.breaks("GET", "/accounts/preferences", before=says(200, {"hedgingMode": False}))
    error = refusal(seat.preview)
    assert error.code == "UNREADABLE_ANSWER"
    assert seat.app.journal.previews("paper", limit=1) == ()


def test_a_reset_of_the_paper_broker_forgets_what_was_chosen(seat: Seat) -> None:
    choose(seat, COMMODITIES=5)
    assert seat.preview().leverage == 5
    seat.app.paper.reset()
    assert seat.preview().leverage == 20


def test_a_failed_read_is_not_kept(seat: Seat) -> None:
    seat.tap.breaks("GET", "/accounts/preferences", before=says(500, text=""), times=9)
    refusal(seat.preview)
    seat.tap.mend()
    choose(seat, COMMODITIES=5)
    assert seat.preview().leverage == 5
