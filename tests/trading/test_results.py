"""What a close brought: in account currency, in percent, and in the instrument's where that differs."""

import re
from decimal import Decimal

import httpx
import pytest

from capcli.domain.money import cents
from capcli.domain.numbers import change, result
from capcli.runtime import Options
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import SECOND_ACCOUNT, Seat
from tests.support.tap import says

D = Decimal


def equity(seat: Seat) -> Decimal:
    return next(row.equity for row in seat.app.accounts.list().data.accounts if row.active)


class Silent(httpx.BaseTransport):
    """The broker, with confirmations that do not say what a close booked."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        content = re.sub(rb',"profit":[^,}]+,"profitCurrency":"[A-Z]+"', b"", answer.read())
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
        return httpx.Response(answer.status_code, headers=headers, content=content)

    def close(self) -> None:
        self._inner.close()


@pytest.fixture
def euros(seats: Seats) -> Seat:
    """The account in euros, on which dollar markets book in another currency than they trade in."""
    return seats(options=Options(account=SECOND_ACCOUNT))


@pytest.fixture
def silent(euros: Seat) -> Seat:
    """The same account where the broker does not say what a close booked."""
    euros.tap._inner = Silent(euros.tap._inner)
    return euros


def held(seat: Seat, *deals: tuple[str, str]) -> list[str]:
    """Open deals and keep them for an hour; no request has to wait for its turn afterwards."""
    found = [str(seat.open(epic, size).deal_id) for epic, size in deals]
    seat.time.tick(3600)
    return found


def test_a_close_names_the_brokers_figure_first_and_the_instruments_beside_it(euros: Seat) -> None:
    before = equity(euros)
    (deal,) = held(euros, ("SILVER", "10"))
    done = euros.app.closings.close(deal, confirmed=True).data
    assert done.pl is not None
    assert done.pl_pct is not None
    assert done.pl_account == equity(euros) - before
    told = f"{result(done.pl_account, 'EUR')} ({result(done.pl, 'USD')}), {change(done.pl_pct)}"
    assert f": {told} (paper" in done.sentence


def test_a_close_of_which_the_broker_says_no_figure_is_converted_and_told_with_about(silent: Seat) -> None:
    before = equity(silent)
    (deal,) = held(silent, ("SILVER", "10"))
    done = silent.app.closings.close(deal, confirmed=True).data
    assert done.pl is not None
    assert done.pl_account is not None
    assert done.pl_pct is not None
    assert done.pl_estimated
    assert abs(done.pl_account - (equity(silent) - before)) <= D("0.01")
    told = f"about {result(done.pl_account, 'EUR')} ({result(done.pl, 'USD')}), {change(done.pl_pct)}"
    assert f": {told} (paper" in done.sentence


def test_a_close_in_account_currency_is_told_once_and_exactly(seat: Seat) -> None:
    (deal,) = held(seat, ("SILVER", "10"))
    before = len(seat.tap.requests)
    done = seat.app.closings.close(deal, confirmed=True).data
    assert not done.pl_estimated
    assert done.pl_account == cents(done.pl or D(0))
    assert done.open_level is not None
    assert done.pl_pct == (D(100) * (done.pl or D(0)) / (done.open_level * 10)).quantize(D("0.0001"))
    assert f": {result(done.pl_account or D(0), 'USD')}, {change(done.pl_pct)} (paper" in done.sentence
    assert "GET /markets/EURUSD" not in seat.tap.seen()[before:]


def test_without_a_rate_a_close_is_told_in_the_instruments_currency(silent: Seat) -> None:
    (deal,) = held(silent, ("SILVER", "10"))
    silent.tap.breaks("GET", "/markets", before=says(404, {"errorCode": "error.not-found.epic"}), times=20)
    reply = silent.app.closings.close(deal, confirmed=True)
    assert (reply.exit_code, reply.data.pl_account, reply.data.pl_estimated) == (0, None, False)
    assert f": {result(reply.data.pl or D(0), 'USD')}, " in reply.data.sentence


def test_a_part_that_is_closed_has_its_result(seat: Seat, time: Time) -> None:
    (deal,) = held(seat, ("SILVER", "10"))
    before = seat.app.accounts.list().data.accounts[0].cash
    done = seat.app.reductions.reduce(deal, D(4), confirmed=True).data
    assert done.pl_account == seat.app.accounts.list().data.accounts[0].cash - before
    assert (done.currency, done.account_currency, done.pl_estimated) == ("USD", "USD", False), (
        "the broker's own figure"
    )
    level = next(row.level for row in seat.app.broker.positions())
    assert done.pl_pct == (D(100) * (done.pl or D(0)) / (level * 4)).quantize(D("0.0001"))
    told = f"{result(done.pl_account, 'USD')}, {change(done.pl_pct)}"
    assert done.sentence.endswith(f": {told}; 6 stays open.")


def test_a_part_in_another_currency_is_converted(euros: Seat) -> None:
    (deal,) = held(euros, ("SILVER", "10"))
    done = euros.app.reductions.reduce(deal, D(4), confirmed=True).data
    assert done.pl is not None
    assert done.pl_account is not None
    assert (done.currency, done.account_currency, done.pl_estimated) == ("USD", "EUR", False)
    assert f"{result(done.pl_account, 'EUR')} ({result(done.pl, 'USD')}), " in done.sentence


def test_a_part_whose_answer_was_lost_is_told_at_the_price_of_then(seat: Seat) -> None:
    (deal,) = held(seat, ("SILVER", "10"))
    seat.tap.breaks("POST", "/positions", after=httpx.ReadTimeout("no answer"))
    done = seat.app.reductions.reduce(deal, D(4), confirmed=True).data
    assert done.pl_account is not None
    assert done.pl_estimated
    assert f": about {result(done.pl_account, 'USD')}, " in done.sentence


def test_closing_all_adds_up_in_account_currency_with_one_read_of_rates_after_the_last(silent: Seat) -> None:
    before = equity(silent)
    held(silent, ("SILVER", "10"), ("DE40", "1"), ("GOLD", "1"))
    start = len(silent.tap.requests)
    found = silent.app.closings_of_all.close_all(confirmed=True).data
    seen = silent.tap.seen()[start:]
    assert [one for one in seen if one.startswith("GET /markets")] == ["GET /markets/EURUSD"]
    assert seen.index("GET /markets/EURUSD") > max(at for at, one in enumerate(seen) if "DELETE" in one)
    assert found.pl_account == sum(row.pl_account or D(0) for row in found.closings)
    assert abs(found.pl_account - (equity(silent) - before)) < D("0.05")
    assert found.pl_estimated
    assert f": about {result(found.pl_account, 'EUR')} (paper" in found.sentence
    assert all(result(row.pl_account or D(0), "EUR") in row.sentence for row in found.closings)


def test_the_sum_of_those_that_were_closed_is_told_beside_what_stays(seat: Seat) -> None:
    held(seat, ("SILVER", "10"), ("GOLD", "1"))
    seat.tap.breaks("DELETE", "/positions", before=says(400, {"errorCode": "error.no"}))
    found = seat.app.closings_of_all.close_all(confirmed=True).data
    assert (found.closed, found.failed) == (1, 1)
    (closed,) = [row for row in found.closings if row.closed]
    assert found.pl_account == closed.pl_account
    assert f"1 of 2 positions are closed: {result(closed.pl_account or D(0), 'USD')}." in found.sentence


def test_a_close_that_nobody_saw_the_price_of_leaves_no_sum(seat: Seat) -> None:
    first, _ = held(seat, ("SILVER", "10"), ("GOLD", "1"))
    gone = says(404, {"errorCode": "error.not-found.dealId"})
    seat.tap.breaks("GET", f"/positions/{first}", before=gone, times=2)
    found = seat.app.closings_of_all.close_all(confirmed=True).data
    assert (found.closed, found.pl_account) == (2, None)


def test_a_flattening_ends_with_the_sum(euros: Seat) -> None:
    before = equity(euros)
    held(euros, ("SILVER", "10"), ("DE40", "1"))
    found = euros.app.flattenings.flatten(confirmed=True, by="test").data
    assert found.flat
    assert found.pl_account == sum(row.pl_account or D(0) for row in found.deals)
    assert found.pl_account == equity(euros) - before
    assert (found.account_currency, found.pl_estimated) == ("EUR", False)
    assert f"2 of 2 cancelled or closed, P&L {result(found.pl_account, 'EUR')}, and" in found.sentence


def test_a_flattening_converts_what_the_broker_does_not_say(silent: Seat) -> None:
    before = equity(silent)
    held(silent, ("SILVER", "10"), ("DE40", "1"))
    found = silent.app.flattenings.flatten(confirmed=True, by="test").data
    assert found.flat
    assert found.pl_account == sum(row.pl_account or D(0) for row in found.deals)
    assert abs(found.pl_account - (equity(silent) - before)) < D("0.05")
    assert (found.account_currency, found.pl_estimated) == ("EUR", True)
    assert f"2 of 2 cancelled or closed, P&L about {result(found.pl_account, 'EUR')}, and" in found.sentence


def test_a_flattening_that_leaves_something_tells_the_sum_of_the_rest(seat: Seat) -> None:
    held(seat, ("SILVER", "10"), ("GOLD", "1"))
    seat.tap.breaks("DELETE", "/positions", before=says(400, {"errorCode": "error.no"}))
    found = seat.app.flattenings.flatten(confirmed=True, by="test").data
    assert not found.flat
    (closed,) = [row for row in found.deals if row.done]
    assert found.pl_account == closed.pl_account
    assert f"P&L {result(closed.pl_account or D(0), 'USD')}. " in found.sentence


def test_a_flattening_with_nothing_to_close_names_no_sum(seat: Seat) -> None:
    found = seat.app.flattenings.flatten(confirmed=True, by="test").data
    assert (found.flat, found.pl_account) == (True, None)
    assert "P&L" not in found.sentence
