"""Sizes from a share of the equity: as a preview, or both sides side by side."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.account.preferences import Wanted
from capcli.domain.account import OrderType
from capcli.domain.atr import average_true_range
from capcli.domain.market import Resolution, Side
from capcli.domain.money import on_grid
from capcli.domain.order import ExitForm, ExitOrder, Trigger
from capcli.domain.risk import ONE_UNIT, Risk
from capcli.reply import Reply
from capcli.runtime import Options
from capcli.trading.propose import Proposal
from tests.support.fixtures import Seats
from tests.support.seat import SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal


def by_risk(seat: Seat, risk: str, epic: str = "SILVER", **changes: Any) -> Any:
    request = seat.request(epic, str(ONE_UNIT), **changes)
    return seat.app.previews.preview(request, risk=Risk(D(risk)))


def propose(seat: Seat, risk: str = "1", epic: str = "SILVER", **given: Any) -> Reply[Proposal]:
    return seat.app.proposals.propose(epic, Risk(D(risk)), **given)


def test_a_preview_by_risk_is_an_order_of_the_size_that_loses_no_more(seat: Seat) -> None:
    shown = by_risk(seat, "1", stop=stop_at("24.50")).data
    assert shown.executable
    assert shown.stop.amount <= D(100) < (shown.size + D("0.1")) * (shown.entry - D("24.50"))
    assert f'"size":{shown.size}' in shown.body
    assert shown.sizing.budget == D("100.00")
    assert str(shown.size) in shown.sizing.arithmetic
    done = seat.execute(shown.preview_id)
    assert (done.exit_code, seat.app.portfolio.positions().data.positions[0].size) == (0, shown.size)


def test_a_preview_by_size_has_no_sizing(seat: Seat) -> None:
    assert seat.preview().sizing is None


def test_a_working_order_is_sized_from_its_own_level(seat: Seat) -> None:
    request = seat.request(size="1", trigger=Trigger(D(20), OrderType.LIMIT), stop=stop_at("19"))
    shown = seat.app.previews.preview(request, risk=Risk(D(1))).data
    assert (shown.size, shown.stop and shown.stop.amount) == (D("100.0"), D("100.00"))


def test_another_account_currency_is_converted_once(seat: Seat) -> None:
    seat.app.accounts.use(SECOND_ACCOUNT)
    before = len(seat.tap.requests)
    shown = by_risk(seat, "1", stop=stop_at("24.50")).data
    assert (shown.account_currency, shown.stop.amount <= shown.equity / 100) == ("EUR", True)
    assert f" x {shown.conversion_rate:.9f}" in shown.sizing.arithmetic
    pairs = [line for line in seat.tap.seen()[before:] if "EURUSD" in line or "USDEUR" in line]
    assert len(pairs) == len(set(pairs))


def test_a_risk_below_the_smallest_size_is_refused_with_its_arithmetic(seat: Seat) -> None:
    error = refusal(lambda: by_risk(seat, "0.001", stop=stop_at("24.50")))
    assert (error.code, int(error.exit_code)) == ("RISK_TOO_SMALL", 5)
    assert "0.001 % of 10,000.00 USD equity = 0.10 USD" in error.message
    assert "The least size of SILVER is 0.1." in error.message
    assert error.details["min_size"] == D("0.1")
    assert error.next == "capcli preview SILVER --risk 0.01% --stop 24.5"
    assert seat.app.journal.previews("paper", limit=1) == ()
    least = by_risk(seat, str(error.details["least_risk_pct"]), stop=stop_at("24.50")).data
    assert least.size >= D("0.1")


@pytest.mark.parametrize(
    ("risk", "stop", "said"),
    [
        ("1", None, "needs a stop"),
        ("1", ExitOrder(ExitForm.AMOUNT, D(5)), "as a level or a distance"),
        ("0", stop_at("24.50"), "above 0 and at most 100"),
        ("100.5", stop_at("24.50"), "above 0 and at most 100"),
    ],
)
def test_a_risk_that_gives_no_size_is_a_usage_error(
    seat: Seat, risk: str, stop: ExitOrder | None, said: str
) -> None:
    error = refusal(lambda: by_risk(seat, risk, stop=stop))
    assert (error.code, seat.tap.requests) == ("USAGE", [])
    assert said in error.message


def test_a_stop_on_the_wrong_side_is_no_bound(seat: Seat) -> None:
    error = refusal(lambda: by_risk(seat, "1", stop=stop_at("99")))
    assert (error.code, error.details["failed"]) == ("CHECKS_FAILED", ["stop"])
    assert "not at 99" in error.message


def test_without_a_side_both_are_shown_and_nothing_is_stored(seat: Seat) -> None:
    reply = propose(seat)
    shown = reply.data
    assert [side.side for side in shown.sides] == [Side.BUY, Side.SELL]
    assert (shown.preview_id, shown.executable, reply.exit_code) == (None, False, 0)
    assert "not advice" in shown.note
    assert shown.next == "capcli propose SILVER --risk 1% --buy"
    assert seat.app.journal.previews("paper", limit=1) == ()
    for side in shown.sides:
        assert side.loss is not None
        assert side.loss <= 100
        assert side.refused is None


def test_the_stop_is_two_average_ranges_of_closed_hours_away(seat: Seat) -> None:
    shown = propose(seat).data
    now = seat.app.broker.broker_time()
    assert now is not None
    candles = seat.app.broker.candles("SILVER", Resolution.HOUR, last=101)
    closed = tuple(one for one in candles if one.time + timedelta(hours=1) <= now)
    assert len(closed) == 100
    atr = average_true_range(closed, 14)
    assert atr is not None
    buy, sell = shown.sides
    assert 0 <= shown.bid - buy.stop_level - 2 * atr < D("0.001")
    assert 0 <= sell.stop_level - shown.offer - 2 * atr < D("0.001")
    assert on_grid(buy.stop_level, D("0.001"))
    assert shown.atr is not None
    assert 0 <= shown.atr - atr < D("0.0001")
    assert "Wilder" in shown.stop_rule


def calm(_: httpx.Request) -> httpx.Response:
    """Answer with hours in which nothing moved."""
    flat = {"bid": 30, "ask": 30.02}
    bar = {"openPrice": flat, "closePrice": flat, "highPrice": flat, "lowPrice": flat}
    times = [f"2026-02-{day:02d}T{hour:02d}:00:00" for day in (27, 28) for hour in range(24)]
    prices = [{"snapshotTime": at, "snapshotTimeUTC": at, "lastTradedVolume": 1, **bar} for at in times]
    return says(200, {"prices": prices, "instrumentType": "COMMODITIES"})


def test_in_a_calm_market_the_stop_is_at_the_least_distance_that_is_allowed(seat: Seat) -> None:
    seat.tap.breaks("GET", "/prices/SILVER", before=calm)
    shown = propose(seat, "0.1", side=Side.BUY).data
    assert "the market's minimum" in shown.stop_rule
    assert shown.executable, shown.checks


def test_a_market_without_enough_hours_asks_for_a_stop(seat: Seat) -> None:
    seat.tap.breaks("GET", "/prices/SILVER", before=says(404, {"errorCode": "error.prices.not-found"}))
    error = refusal(lambda: propose(seat))
    assert (error.code, int(error.exit_code)) == ("TOO_FEW_CANDLES", 6)
    assert "0 closed HOUR candles; ATR(14) needs 15" in error.message


def test_a_side_makes_a_preview_that_executes(seat: Seat) -> None:
    reply = propose(seat, side=Side.SELL)
    shown = reply.data
    assert (reply.exit_code, shown.executable, len(shown.sides)) == (0, True, 1)
    assert all(check.passed for check in shown.checks)
    assert shown.next == f"capcli execute {shown.preview_id} --confirm"
    done = seat.execute(shown.preview_id or "")
    assert (done.exit_code, done.data.protected.value) == (0, "yes")


def test_a_given_stop_needs_no_candles(seat: Seat) -> None:
    shown = propose(seat, side=Side.BUY, stop=stop_at("24.50")).data
    assert (shown.atr, shown.stop_rule, shown.sides[0].stop_level) == (None, "as given", D("24.50"))
    assert not [line for line in seat.tap.seen() if "/prices" in line]


def test_a_level_fits_one_side_and_the_other_says_why_not(seat: Seat) -> None:
    reply = propose(seat, stop=stop_at("24.50"))
    buy, sell = reply.data.sides
    assert (reply.exit_code, buy.refused, sell.size) == (0, None, None)
    assert sell.refused is not None
    assert "belongs above" in sell.refused
    assert reply.data.next == "capcli propose SILVER --risk 1% --buy --stop 24.50"


def test_when_neither_side_fits_the_problem_says_so(seat: Seat) -> None:
    reply = propose(seat, "0.0001", stop=ExitOrder(ExitForm.DISTANCE, D(5)))
    assert reply.problem is not None
    assert (reply.problem.code, reply.exit_code, reply.data.next) == ("CHECKS_FAILED", 5, None)
    assert "Neither side fits" in reply.problem.message


def test_a_side_that_cannot_be_paid_is_marked_and_its_preview_not_executable(seat: Seat) -> None:
    seat.app.account_changes.prefer(Wanted(leverages={"COMMODITIES": D(1)}), confirmed=True)
    near = ExitOrder(ExitForm.DISTANCE, D("0.2"))
    both = propose(seat, "10", stop=near).data
    assert all(side.refused and "funds" in side.refused for side in both.sides)
    one = propose(seat, "10", stop=near, side=Side.BUY)
    assert (one.exit_code, one.data.executable, one.data.next) == (5, False, None)
    assert one.data.preview_id is not None


def test_with_trading_off_sizes_can_be_seen_and_not_previewed_as_executable(seats: Seats) -> None:
    seat = seats(options=Options(env="paper"), CAP_ALLOW_TRADING="false")
    assert propose(seat).exit_code == 0
    assert propose(seat, side=Side.BUY).exit_code == 5


def test_a_proposal_takes_one_round_and_its_candles(seat: Seat) -> None:
    seat.app.broker.session()
    before = len(seat.tap.requests)
    propose(seat, side=Side.BUY)
    assert len(seat.tap.requests) == before + 6
