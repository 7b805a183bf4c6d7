"""A contract of ten units: whatever is money about a position is ten times what one unit makes of it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.account.exposure import Grouping
from capcli.broker.stream import Streams
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.money import cents
from capcli.domain.policy import Rule
from capcli.marketdata.live_book import LivePortfolio
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import Seat, refusal, stop_at
from tests.support.sockets import Exchange, tick

D = Decimal
STOP = stop_at("24.50")


def with_contracts_of_ten(seat: Seat) -> Seat:
    """Let the broker say that a contract is ten units."""

    def answer(request: httpx.Request) -> httpx.Response:
        real = seat.tap._inner.handle_request(request)
        if real.status_code != 200:
            return real
        body: dict[str, Any] = real.json()
        for row in body.get("positions", [body]):
            row["position"]["contractSize"] = 10
        return httpx.Response(200, json=body)

    seat.tap.breaks("GET", "/positions", before=answer, times=999)
    return seat


def test_exposure_counts_units(seat: Seat) -> None:
    seat.open(size="2", stop=STOP)
    with_contracts_of_ten(seat)
    (position,) = seat.app.broker.positions()
    found = seat.app.exposures.show().data
    assert position.bid is not None
    silver = next(row for row in found.exposure if row.group is Grouping.MARKET)
    # The price may move between the two looks.
    assert silver.notional == pytest.approx(20 * position.bid, rel=D("0.01"))
    assert silver.loss_at_stops == pytest.approx(20 * (position.bid - D("24.50")), rel=D("0.01"))
    assert position.leverage
    assert silver.margin == cents(20 * position.level / position.leverage)


def test_positions_tell_the_margin_of_all_units(seat: Seat) -> None:
    seat.open(size="2")
    with_contracts_of_ten(seat)
    (row,) = seat.app.portfolio.positions().data.positions
    assert row.leverage
    assert row.margin == cents(20 * row.level / row.leverage)


@pytest.mark.parametrize("side", list(Side))
def test_a_close_tells_the_profit_of_all_units(seat: Seat, time: Time, side: Side) -> None:
    deal = seat.open(size="3", side=side).deal_id
    with_contracts_of_ten(seat)
    time.tick(3600)
    done = seat.app.closings.close(deal, confirmed=True).data
    assert done.level is not None
    moved = done.level - done.open_level if side is Side.BUY else done.open_level - done.level
    assert moved != 0
    assert done.pl == 30 * moved


def test_a_stream_moves_the_profit_of_all_units(seat: Seat, time: Time) -> None:
    seat.open(size="2")
    with_contracts_of_ten(seat)
    exchange = Exchange(time)
    book = LivePortfolio(seat.app.reads, Streams(seat.app.broker, exchange.setting()))
    (row,) = book.snapshot().positions
    exchange.socket.fed.append(tick("SILVER", f"{row.level + 3}", f"{row.level + 4}"))
    book.receive(1)
    assert [one.pl for one in book.snapshot().positions] == [60]


def test_what_is_open_counts_all_its_units_for_the_risk_of_the_next_order(seats: Seats) -> None:
    free = seats()
    per_unit = free.preview(size="1", stop=STOP).stop.amount
    free.open(size="2", stop=STOP)
    bound = with_contracts_of_ten(seats(CAP_MAX_RISK_PCT=str(per_unit * 15 / 100)))
    assert {check.rule for check in bound.preview(size="1", stop=STOP).failed} == {Rule.RISK}


def test_moving_a_stop_away_counts_all_units(seats: Seats) -> None:
    deal = seats().open(size="1", stop=STOP).deal_id
    bound = with_contracts_of_ten(seats(CAP_MAX_RISK_PCT="1"))
    further: Callable[[], Any] = lambda: bound.app.amendments.amend(  # noqa: E731
        deal, Change(stop=stop_at("15")), confirmed=True
    )
    assert refusal(further).details["failed"] == ["risk"]


def test_more_of_a_market_sets_margin_aside_for_all_its_units(seat: Seat) -> None:
    seat.open(size="2", stop=STOP)
    found = with_contracts_of_ten(seat).preview(size="1", stop=STOP)
    assert found.effect is not None
    assert found.margin
    assert found.effect.margin_after is not None
    more = found.effect.margin_after - found.effect.margin_before
    assert 9 * found.margin < more < 11 * found.margin
