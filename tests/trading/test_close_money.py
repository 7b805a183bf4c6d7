"""What closes are told to bring: in account currency, by the broker or at the rate of now, and together."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.attempt import AttemptState
from capcli.domain.market import Side
from capcli.trading.flatten import Flattening
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal
from tests.support.tap import says
from tests.trading.test_close import _close_elsewhere, call_back, close, doubt
from tests.trading.test_flatten import LOST, flatten, waiting

D = Decimal
WHERE = f"(paper, account {FIRST_ACCOUNT})"


def german(seat: Seat) -> str:
    """Buy one of an index in EUR on the account in USD, while its market is open."""
    seat.time.tick(9360)
    deal = seat.open("DE40", "1").deal_id or ""
    seat.time.tick(60)
    return deal


def without_profit(seat: Seat) -> list[Decimal]:
    """Let confirmations leave out what was booked, and return the list that it is put into."""
    left_out: list[Decimal] = []

    def shorter(request: httpx.Request) -> httpx.Response:
        answer = seat.tap._inner.handle_request(request)
        answer.read()
        said = answer.json()
        left_out.append(D(str(said.pop("profit"))))
        return says(answer.status_code, said)

    seat.tap.breaks("GET", "/confirms/", before=shorter, times=99)
    return left_out


def test_the_broker_s_own_figure_is_told_as_it_is(seat: Seat) -> None:
    done = close(seat, german(seat)).data
    assert (done.currency, done.account_currency, done.pl_estimated) == ("EUR", "USD", False)
    assert done.pl is not None
    assert done.pl_account is not None
    money = f"{done.pl_account:+.2f} USD ({done.pl:+.2f} EUR), "
    assert done.sentence.startswith(f"Closed BUY 1 DE40 at {done.level}: {money}")
    assert done.sentence.endswith(f" % {WHERE}.")


def test_a_close_in_another_currency_is_converted_where_the_broker_does_not_say_it(seat: Seat) -> None:
    deal, left_out = german(seat), without_profit(seat)
    opened = seat.app.broker.position(deal).level
    done = close(seat, deal).data
    assert (done.currency, done.account_currency, done.pl_estimated) == ("EUR", "USD", True)
    assert done.pl is not None
    assert done.pl_account is not None
    assert abs(done.pl_account - left_out[0]) <= D("0.02")
    assert f": about {done.pl_account:+.2f} USD ({done.pl:+.2f} EUR), " in done.sentence
    assert (done.epic, done.side, done.size, done.open_level) == ("DE40", Side.BUY, D(1), opened)
    assert done.pl_pct == round(done.pl / opened * 100, 4)


def test_a_close_in_account_currency_needs_no_rate(seat: Seat) -> None:
    deal, left_out = seat.open().deal_id, without_profit(seat)
    seat.time.tick(60)
    done = close(seat, deal).data
    assert (done.pl_account, done.pl_estimated) == (left_out[0], True)
    assert seat.tap.seen()[-1].startswith("GET /confirms/"), "nothing is converted"


def test_without_a_rate_the_result_is_told_in_its_own_currency(seat: Seat) -> None:
    deal = german(seat)
    without_profit(seat)
    seat.tap.breaks("GET", "/markets", before=LOST, times=99)
    done = close(seat, deal).data
    assert (done.state, done.pl_account, done.pl_estimated) == (AttemptState.LANDED, None, False)
    assert f": {done.pl:+.2f} EUR, " in done.sentence


def test_a_position_that_only_the_second_look_finds_is_closed(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    seat.tap.breaks("GET", f"/positions/{deal}", before=says(404, {"errorCode": "error.not-found.dealId"}))
    assert close(seat, deal).data.state is AttemptState.LANDED


def test_a_person_at_a_terminal_needs_no_other_confirmation(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    assert seat.app.closings.close(deal, confirmed=False, person=True).exit_code == 0


def test_a_close_that_was_called_back_before_it_began_reads_nothing(seat: Seat) -> None:
    deal = seat.open().deal_id
    call_back(seat)(None)
    seen = len(seat.tap.requests)
    assert refusal(lambda: close(seat, deal)).code == "INTERRUPTED"
    assert len(seat.tap.requests) == seen


def test_a_close_is_asked_about_where_the_position_cannot_be_read(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    seat.tap.breaks("GET", f"/positions/{deal}", before=LOST, times=9)
    assert seat.app.closings.question(deal).splitlines() == [
        f"Close the position {deal}, which cannot be read,",
        f"On PAPER, account {FIRST_ACCOUNT}",
    ]


def test_a_close_in_doubt_says_what_was_heard(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=9)
    said = doubt(seat, deal).message
    assert "no clear answer" not in said
    assert "the position is gone (" in said


def totals(found: Flattening) -> tuple[Any, ...]:
    return found.pl_account, found.account_currency, found.pl_estimated


def test_a_flattening_tells_the_sum_of_what_was_closed(seat: Seat) -> None:
    german(seat)
    seat.open()
    found = flatten(seat).data
    booked = [row.pl_account for row in found.deals]
    assert len(booked) == 2
    assert totals(found) == (sum(booked), "USD", False)
    assert f": 2 of 2 cancelled or closed, P&L {sum(booked):+.2f} USD, and " in found.sentence
    assert f" Not looked at: account {SECOND_ACCOUNT}. " in found.sentence
    assert found.other_accounts == (SECOND_ACCOUNT,)


def test_a_sum_with_a_converted_part_is_about_right(seat: Seat) -> None:
    german(seat)
    without_profit(seat)
    found = flatten(seat).data
    assert totals(found) == (found.deals[0].pl_account, "USD", True)
    assert f", P&L about {found.pl_account:+.2f} USD, and " in found.sentence


def test_where_nothing_was_closed_no_sum_is_told(seat: Seat) -> None:
    waiting(seat)
    found = flatten(seat).data
    assert totals(found) == (None, None, False)
    assert "P&L" not in found.sentence


def test_a_sum_with_an_unknown_part_is_not_told(seat: Seat) -> None:
    seat.open()
    seat.open()
    seat.tap.breaks(
        "DELETE", "/positions", before=lambda request: _close_elsewhere(seat, str(request.url.path))
    )
    seat.tap.breaks(
        "GET", "/confirms/", before=says(404, {"errorCode": "error.not-found.dealReference"}), times=4
    )
    found = flatten(seat).data
    assert (found.flat, found.pl_account) == (True, None)
    assert "P&L" not in found.sentence


def test_what_stays_does_not_hide_the_sum_of_what_was_closed(seat: Seat) -> None:
    seat.open()
    seat.open()
    refused = says(400, {"errorCode": "error.market.closed"})
    seat.tap.breaks("DELETE", "/positions", before=refused)
    found = flatten(seat).data
    closed = [row.pl_account for row in found.deals if row.done]
    assert (found.flat, len(closed)) == (False, 1)
    assert totals(found) == (closed[0], "USD", False)


def test_other_accounts_that_cannot_be_listed_are_told_so(seat: Seat) -> None:
    seat.tap.breaks("GET", "/accounts", before=LOST, times=99)
    found = flatten(seat).data
    assert " Whether this login has other accounts could not be read. " in found.sentence


def test_a_person_is_asked_about_all_that_is_there(seat: Seat) -> None:
    seat.open()
    waiting(seat)
    said = seat.app.flattenings.question().splitlines()
    assert said[0] == "Halt, cancel 1 working order and close 1 position"
    assert [line for line in said if "list" in line] == []
    assert said[-2:] == [
        f"Not touched: account {SECOND_ACCOUNT}",
        f"On PAPER, account {FIRST_ACCOUNT}",
    ]


@pytest.mark.parametrize("path", ["/positions", "/workingorders"])
def test_a_person_is_told_which_list_could_not_be_read(seat: Seat, path: str) -> None:
    seat.open()
    waiting(seat)
    seat.tap.breaks("GET", path, before=says(500, text=""), times=99)
    said = seat.app.flattenings.question()
    assert "One of the two lists could not be read: " in said
    counts = {"/positions": "1 working order and close 0 positions"}
    assert counts.get(path, "0 working orders and close 1 position") in said


def test_what_cannot_be_read_is_counted_too(seat: Seat) -> None:
    deal = seat.open().deal_id
    rows = [{"position": {"dealId": deal}, "market": {}}, {"position": {}, "market": {}}]
    seat.tap.breaks("GET", "/positions", before=says(200, {"positions": rows}))
    orders: list[dict[str, Any]] = [{"workingOrderData": {}, "marketData": {}}]
    seat.tap.breaks("GET", "/workingorders", before=says(200, {"workingOrders": orders}))
    assert "Halt, cancel 1 working order and close 2 positions" in seat.app.flattenings.question()
