"""What a preview costs: requests, and rounds of them. A round is what is in flight at once."""

from threading import Barrier
from typing import Any

import httpx
import pytest

from capcli.runtime import Options
from tests.support.fixtures import Seats
from tests.support.seat import SECOND_ACCOUNT, Seat, stop_at

FOR_EVER_S = 60  # only a test that is broken waits so long
STOP = {"stop": stop_at("24.50")}
LIMITS = {"CAP_MAX_ORDERS_PER_DAY": "20", "CAP_MAX_DAILY_LOSS": "500"}


def requests(seat: Seat, at_once: int, **changes: Any) -> list[str]:
    """Preview on a warm session; return the requests, the first so many of which were in flight together."""
    barrier = Barrier(at_once)

    def meet(_: httpx.Request) -> None:
        barrier.wait(FOR_EVER_S)

    seat.time.tick(2)  # Nothing has to wait for its turn.
    before = len(seat.tap.requests)
    seat.tap.breaks("GET", "/", before=meet, times=at_once)
    seat.preview(**changes)
    return seat.tap.seen()[before:]


@pytest.mark.parametrize(
    ("settings", "changes", "expected"),
    [
        ({}, STOP, 5),
        ({}, {}, 5),
        ({"CAP_MAX_OPEN_POSITIONS": "3"}, STOP, 6),
        ({"CAP_MAX_OPEN_POSITIONS": "3"}, {}, 6),
        ({"CAP_MAX_OPEN_POSITIONS": "3", "CAP_MAX_TOTAL_RISK_PCT": "5", **LIMITS}, STOP, 8),
    ],
    ids=["stop", "no stop", "cap", "cap and no stop", "every limit"],
)
def test_a_preview_is_one_round_of_six_requests_at_most_and_one_for_each_daily_limit(
    seats: Seats, settings: dict[str, str], changes: dict[str, Any], expected: int
) -> None:
    seat = seats(**settings)
    seat.preview()
    assert len(requests(seat, expected, **changes)) == expected


def test_who_we_are_the_market_the_account_the_book_and_the_mode_of_hedging_are_read(seat: Seat) -> None:
    seat.app.broker.session()
    read = requests(seat, 5, **STOP)
    assert sorted(read) == [
        "GET /accounts",
        "GET /accounts/preferences",
        "GET /markets/SILVER",
        "GET /positions",
        "GET /session",
    ]


def test_a_currency_costs_one_request_more(seats: Seats) -> None:
    seat = seats(options=Options(account=SECOND_ACCOUNT))
    seat.preview()
    made = requests(seat, 5, **STOP)
    assert made[5:] == ["GET /markets/EURUSD"]


def test_how_far_a_market_moves_in_a_day_is_read_once_a_day_for_all_processes(seats: Seats) -> None:
    first = seats()
    first.preview()
    assert "GET /prices/SILVER" in first.tap.seen()
    second = seats()
    shown = second.preview()
    assert "GET /prices/SILVER" not in second.tap.seen()
    assert any("an average day" in str(warning) for warning in shown.warnings)
    second.time.tick(86_400)
    second.preview()
    assert "GET /prices/SILVER" in second.tap.seen()


def test_another_market_and_a_paper_account_that_began_anew_are_read(seats: Seats) -> None:
    seat = seats()
    seat.preview()
    before = len(seat.tap.requests)
    seat.preview("GOLD", "1")
    assert "GET /prices/GOLD" in seat.tap.seen()[before:]
    seat.app.paper.reset()
    before = len(seat.tap.requests)
    seat.preview()
    assert "GET /prices/SILVER" in seat.tap.seen()[before:]
