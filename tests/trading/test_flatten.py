"""Flatten: halted first, every order and position gone after it, and nothing said that was not read back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.approval import code_hash
from capcli.domain.order import Trigger
from capcli.errors import NotConfirmed, TradingOff, WouldSend
from capcli.trading.dry_run import dry_reply
from capcli.trading.flatten import Flattened
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal
from tests.support.tap import says

D = Decimal
LOST = httpx.ReadTimeout("no answer")
CLOSED = says(400, {"errorCode": "error.market.closed"})


def flatten(seat: Seat, **options: Any) -> Any:
    return seat.app.flattenings.flatten(confirmed=True, by="capcli flatten", **options)


def waiting(seat: Seat) -> str:
    return seat.open(size="2", trigger=Trigger(D("20.5"))).deal_id or ""


def left(seat: Seat) -> int:
    return len(seat.book()) + len(seat.app.portfolio.orders().data.orders)


def test_everything_is_gone_orders_first_and_the_halt_stays(seat: Seat) -> None:
    deal, order = seat.open().deal_id, waiting(seat)
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.flat, left(seat)) == (0, True, 0)
    assert seat.tap.seen("DELETE") == [f"DELETE /workingorders/{order}", f"DELETE /positions/{deal}"]
    assert [row.done for row in reply.data.deals] == [True, True]
    assert seat.app.halting.current() is not None
    assert reply.data.sentence.endswith("The halt stays in force until capcli resume.")
    assert reply.data.next == "capcli resume"
    (closed,) = (row.pl_account for row in reply.data.deals if row.deal_id == deal)
    assert (reply.data.pl_account, reply.data.account_currency) == (closed, "USD")
    assert closed is not None


def test_a_flat_account_is_halted_and_said_to_be_flat(seat: Seat) -> None:
    looks: list[datetime] = []
    seat.tap.breaks("GET", "/positions", before=lambda _: looks.append(seat.time.now()), times=2)
    reply = flatten(seat)
    assert looks[1] - looks[0] >= timedelta(seconds=0.3), "a list can be stale"
    assert (reply.exit_code, reply.data.flat, reply.data.deals) == (0, True, ())
    assert seat.app.halting.current() is not None
    assert seat.tap.seen("DELETE") == []
    assert seat.tap.seen("GET").count("GET /positions") == 2, "nothing is there when two looks say so"


def test_without_a_yes_nothing_happens_not_even_the_halt(seat: Seat) -> None:
    seat.open()
    error = refusal(lambda: seat.app.flattenings.flatten(confirmed=False, by="capcli flatten"))
    assert isinstance(error, NotConfirmed)
    assert error.next == "capcli flatten --confirm"
    assert (seat.app.halting.current(), left(seat)) == (None, 1)
    assert seat.app.flattenings.flatten(confirmed=False, by="capcli flatten", person=True).data.flat


def test_called_back_before_it_begins_it_does_not_even_halt(seat: Seat) -> None:
    seat.open()
    seat.app.send_gate.call_back()
    error = refusal(lambda: flatten(seat))
    assert (error.code, seat.app.halting.current(), left(seat)) == ("INTERRUPTED", None, 1)


def test_where_trading_is_off_it_halts_and_sends_nothing(seats: Seats) -> None:
    off = seats(
        CAP_ENV="demo", CAP_API_KEY="k" * 16, CAP_IDENTIFIER="me@example.com", CAP_API_PASSWORD="p" * 12
    )
    error = refusal(lambda: flatten(off))
    assert isinstance(error, TradingOff)
    assert (off.tap.seen(), off.app.halting.current() is None) == ([], False)
    assert error.message.endswith("The halt stays in force until capcli resume.")
    assert error.next == "capcli --env demo flatten"


@pytest.mark.parametrize("option", [True, False])
def test_a_dry_run_lists_what_the_real_one_sends(seats: Seats, option: bool) -> None:
    seat = seats() if option else seats(CAP_DRY_RUN="true")
    real = seats()
    real.open()
    waiting(real)
    with pytest.raises(WouldSend) as caught:
        seat.app.flattenings.flatten(confirmed=False, by="capcli flatten", dry=option)
    shown = dry_reply(caught.value).data
    assert (seat.app.halting.current(), left(real), "It would halt first." in shown.sentence) == (
        None,
        2,
        True,
    )
    assert f"({'--dry-run' if option else 'CAP_DRY_RUN'})" in shown.sentence
    flatten(real)
    asked = [f"{row.method} {row.path.removeprefix('/api/v1')}" for row in shown.requests]
    assert asked == real.tap.seen("DELETE")


def test_a_dry_run_of_a_flat_account_says_that_nothing_would_be_sent(seat: Seat) -> None:
    with pytest.raises(WouldSend) as caught:
        flatten(seat, dry=True)
    shown = dry_reply(caught.value).data
    assert "Nothing would have been sent." in shown.sentence
    assert (shown.requests, shown.next) == ((), None)


def test_one_deal_that_stays_stops_no_other(seat: Seat) -> None:
    stuck, other = seat.open().deal_id, seat.open().deal_id
    seat.tap.breaks("DELETE", f"/positions/{stuck}", before=CLOSED)
    reply = flatten(seat)
    assert (reply.exit_code, reply.problem.code, seat.book()) == (6, "NOT_FLAT", [stuck])
    assert {row.deal_id: row.done for row in reply.data.deals} == {stuck: False, other: True}
    assert "error.market.closed" in reply.data.sentence
    assert reply.data.next == "capcli flatten --confirm"
    assert "The halt stays in force" in reply.data.sentence
    assert (reply.problem.details["left"], reply.problem.assistant_error) == ([stuck], True)
    assert "Without a deal id" not in reply.data.sentence


def test_a_deal_that_is_gone_by_other_hands_is_not_told_as_staying(seat: Seat) -> None:
    stuck, gone = seat.open().deal_id, seat.open(size="2").deal_id

    def closed_by_hand(request: httpx.Request) -> httpx.Response:
        seat.tap._inner.handle_request(request)
        return CLOSED

    seat.tap.breaks("DELETE", f"/positions/{stuck}", before=CLOSED)
    seat.tap.breaks("DELETE", f"/positions/{gone}", before=closed_by_hand)
    reply = flatten(seat)
    assert (reply.exit_code, seat.book()) == (6, [stuck])
    assert reply.data.sentence.count("error.market.closed") == 1


def test_what_may_be_live_is_eight_beside_a_deal_that_the_broker_keeps(seat: Seat) -> None:
    stuck, shown = seat.open().deal_id, seat.preview(size="2")
    seat.tap.breaks("POST", "/positions", before=LOST)
    lost = seat.execute(shown.preview_id).data.attempt_id
    seat.tap.breaks("DELETE", f"/positions/{stuck}", before=CLOSED)
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.unresolved, seat.book()) == (8, (lost,), [stuck])


def test_a_deal_that_stays_is_not_tried_again_beside_one_that_appears(seat: Seat) -> None:
    stuck = seat.open().deal_id

    def open_another(_request: httpx.Request) -> httpx.Response:
        tokens = seat.app.broker._sessions.live().tokens.headers
        body = {"epic": "SILVER", "direction": "BUY", "size": 3}
        url = "http://paper/api/v1/positions"
        seat.tap._inner.handle_request(httpx.Request("POST", url, headers=tokens, json=body))
        return CLOSED

    seat.tap.breaks("DELETE", f"/positions/{stuck}", before=open_another)
    reply = flatten(seat)
    assert (reply.exit_code, seat.book()) == (6, [stuck])
    assert [row.done for row in reply.data.deals] == [False, True]


def test_earlier_orders_that_cannot_be_looked_at_are_said_with_the_reason(seat: Seat) -> None:
    seat.open()
    seat.tap.breaks("GET", "/session", before=says(400, {"errorCode": "error.some.reason"}))
    reply = flatten(seat)
    assert (reply.exit_code, left(seat)) == (0, 0)
    assert "Earlier orders could not be looked at: BROKER_REFUSED." in reply.data.warnings


def test_a_login_with_one_account_has_no_other_that_was_not_looked_at(seat: Seat) -> None:
    assert f" Not looked at: account {SECOND_ACCOUNT}." in flatten(seat).data.sentence

    def one(request: httpx.Request) -> httpx.Response:
        rows = seat.tap._inner.handle_request(request).json()["accounts"]
        return says(200, {"accounts": [row for row in rows if row["accountId"] == FIRST_ACCOUNT]})

    seat.tap.breaks("GET", "/accounts", before=one, times=9)
    assert "Not looked at" not in flatten(seat).data.sentence


def test_everything_that_is_there_is_named_to_the_person_who_approves(seats: Seats) -> None:
    deal = seats().open().deal_id
    asked = seats(CAP_APPROVAL="human")
    error = refusal(lambda: flatten(asked))
    assert (error.code, asked.tap.seen("DELETE")) == ("APPROVAL_REQUIRED", [])
    (row,) = asked.app.journal.approvals(code_hash(error.details["approval_code"]))
    assert row.path == f"/positions/{deal}"


def test_a_deal_that_cannot_be_read_for_as_long_as_it_is_open_is_closed_by_its_id(seat: Seat) -> None:
    deal = seat.open().deal_id
    answer = {"positions": [{"position": {"dealId": deal}, "market": {}}]}
    seat.tap.breaks("GET", "/positions", before=says(200, answer), times=99)
    seat.tap.breaks("DELETE", "/positions", before=lambda _: seat.tap.mend())
    assert flatten(seat).data.flat
    assert seat.tap.seen("DELETE") == [f"DELETE /positions/{deal}"]


def test_a_deal_that_no_request_reached_ends_as_the_network(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", f"/positions/{deal}", before=httpx.ConnectError("refused"), times=9)
    reply = flatten(seat)
    assert (reply.exit_code, seat.book()) == (7, [deal])


def test_an_account_that_was_switched_meanwhile_is_not_called_flat(seat: Seat) -> None:
    deal, other = seat.open().deal_id, seat.open().deal_id

    def switch(_: httpx.Request) -> None:
        seat.app.accounts.use(SECOND_ACCOUNT)

    seat.tap.breaks("DELETE", f"/positions/{deal}", before=switch)
    reply = flatten(seat)
    assert (reply.data.flat, reply.exit_code) == (False, 8)
    assert reply.data.sentence.startswith("NOT PROVED FLAT")
    assert (
        f"The session was switched to account {SECOND_ACCOUNT} in the meantime; {FIRST_ACCOUNT} was not read."
        in (reply.data.sentence)
    )
    assert reply.data.next == f"capcli flatten --confirm --account {FIRST_ACCOUNT}"
    assert other is not None


def test_a_second_run_goes_on_with_what_stayed(seat: Seat) -> None:
    stuck = seat.open().deal_id
    seat.open()
    seat.tap.breaks("DELETE", f"/positions/{stuck}", before=CLOSED)
    flatten(seat)
    again = flatten(seat)
    assert (again.exit_code, [row.deal_id for row in again.data.deals], left(seat)) == (0, [stuck], 0)


def test_a_lost_answer_is_no_doubt_where_the_account_is_flat(seat: Seat) -> None:
    seat.open()
    waiting(seat)
    seat.tap.breaks("DELETE", "/workingorders", after=LOST)
    seat.tap.breaks("DELETE", "/positions", after=LOST)
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.unresolved, left(seat)) == (0, (), 0)


def test_a_close_that_nobody_saw_the_end_of_is_eight(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=9)
    reply = flatten(seat)
    (row,) = reply.data.deals
    assert (reply.exit_code, row.done, row.attempt_id in reply.data.unresolved) == (8, False, True)
    assert (reply.problem.details["left"], reply.problem.assistant_error) == ([deal], False)
    assert seat.book() == [deal]


def test_an_order_of_which_nobody_knows_is_named_until_it_is_settled(seat: Seat) -> None:
    seat.open()
    shown = seat.preview(size="2")
    seat.tap.breaks("POST", "/positions", before=LOST)
    lost = seat.execute(shown.preview_id)
    assert lost.exit_code == 8
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.unresolved, left(seat)) == (8, (lost.data.attempt_id,), 0)
    assert lost.data.attempt_id in reply.data.sentence
    assert reply.data.next == f"capcli reconcile {lost.data.attempt_id} --wait"


def test_an_order_that_landed_unseen_is_settled_and_closed(seat: Seat) -> None:
    shown = seat.preview(size="2")
    seat.tap.breaks("POST", "/positions", after=LOST)
    seat.execute(shown.preview_id)
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.unresolved, left(seat)) == (0, (), 0)


def open_another(seat: Seat) -> Callable[[httpx.Request], None]:
    """Return what opens a position from elsewhere while a request is on its way."""

    def opens(_request: httpx.Request) -> None:
        seat.time.tick(1)
        tokens = seat.app.broker._sessions.live().tokens.headers
        body = {"epic": "SILVER", "direction": "BUY", "size": 3}
        url = "http://paper/api/v1/positions"
        answer = seat.tap._inner.handle_request(httpx.Request("POST", url, headers=tokens, json=body))
        assert answer.status_code == 200

    return opens


def test_what_was_opened_meanwhile_is_closed_in_another_round(seat: Seat) -> None:
    deal = seat.open().deal_id

    seat.tap.breaks("DELETE", "/positions", before=open_another(seat))
    reply = flatten(seat)
    assert (reply.exit_code, left(seat), len(reply.data.deals)) == (0, 0, 2)
    assert reply.data.deals[0].deal_id == deal


@pytest.mark.parametrize(("times", "exit_code", "stays"), [(2, 0, 0), (3, 8, 1)])
def test_what_was_opened_meanwhile_is_closed_in_three_rounds_and_told_after_them(
    seat: Seat, times: int, exit_code: int, stays: int
) -> None:
    seat.open()

    seat.tap.breaks("DELETE", "/positions", before=open_another(seat), times=times)
    reply = flatten(seat)
    assert (reply.exit_code, left(seat), len(reply.data.deals)) == (exit_code, stays, 3)
    assert ("Not tried: " in reply.data.sentence) is bool(stays)


def test_what_nobody_tried_may_be_live_beside_a_deal_that_the_broker_keeps(seat: Seat) -> None:
    stuck = seat.open().deal_id

    seat.tap.breaks("DELETE", f"/positions/{stuck}", before=CLOSED)
    seat.tap.breaks("GET", "/positions", before=open_another(seat), times=99)
    reply = flatten(seat)
    assert (reply.exit_code, "Not tried: " in reply.data.sentence) == (8, True)


def test_an_account_that_cannot_be_read_back_is_not_called_flat(seat: Seat) -> None:
    seat.open()

    def silence(_request: httpx.Request) -> None:
        seat.tap.breaks("GET", "/workingorders", before=httpx.ConnectError("gone"), times=99)

    seat.tap.breaks("DELETE", "/positions", before=silence)
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.flat) == (8, False)
    assert "could not be read" in reply.data.sentence


def test_a_network_that_is_down_from_the_start_leaves_the_halt_and_says_it(seat: Seat) -> None:
    seat.open()
    for path in ("/positions", "/workingorders", "/session"):
        seat.tap.breaks("GET", path, before=httpx.ConnectError("gone"), times=99)
    error = refusal(lambda: flatten(seat))
    assert int(error.exit_code) == 7
    assert "The halt stays in force" in error.message
    assert (seat.app.halting.current() is not None, error.next) == (True, "capcli health")


def test_a_deal_without_an_id_is_no_flat_account_and_is_counted(seat: Seat) -> None:
    answers = {
        "/positions": {"positions": [{"position": {}, "market": {}}]},
        "/workingorders": {"workingOrders": [{"workingOrderData": {}, "marketData": {}}]},
    }
    for path, answer in answers.items():
        seat.tap.breaks("GET", path, before=says(200, answer), times=99)
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.deals, seat.tap.seen("DELETE")) == (8, (), [])
    assert "Without a deal id, so it cannot be closed from here: 2." in reply.data.sentence


def test_the_sum_of_a_flattening_is_unknown_where_a_position_was_gone_before(seat: Seat) -> None:
    gone, other = seat.open().deal_id, seat.open().deal_id

    def close_elsewhere(request: httpx.Request) -> None:
        seat.tap._inner.handle_request(httpx.Request("DELETE", request.url, headers=request.headers))

    seat.tap.breaks("GET", f"/positions/{gone}", before=close_elsewhere)
    data = flatten(seat).data
    assert [(row.done, row.exit_code) for row in data.deals] == [(True, 0), (True, 0)]
    assert (data.pl_account, data.pl_estimated) == (None, False)
    assert "P&L" not in data.sentence
    assert seat.tap.seen("DELETE") == [f"DELETE /positions/{other}"]


def test_a_deal_that_cannot_be_read_is_closed_by_its_id(seat: Seat) -> None:
    deal, order = seat.open().deal_id, waiting(seat)
    answers = {
        "/positions": {"positions": [{"position": row, "market": {}} for row in ({"dealId": deal}, {})]},
        "/workingorders": {
            "workingOrders": [{"workingOrderData": row, "marketData": {}} for row in ({"dealId": order}, {})]
        },
    }
    for path, answer in answers.items():
        seat.tap.breaks("GET", path, before=says(200, answer))
    assert all(row.done for row in flatten(seat).data.deals), "what has no id is not tried"
    assert seat.tap.seen("DELETE") == [f"DELETE /workingorders/{order}", f"DELETE /positions/{deal}"]
    assert left(seat) == 0


@pytest.mark.parametrize("lost", [False, True])
def test_what_another_process_is_sending_meanwhile_leaves_doubt_only_where_something_is_open(
    seats: Seats, *, lost: bool
) -> None:
    seat, other = seats(), seats()
    if lost:
        shown = seat.preview(size="2")
        seat.tap.breaks("POST", "/positions", before=LOST)
        assert seat.execute(shown.preview_id).exit_code == 8
    with other.app.orders.lock("paper", "paper", FIRST_ACCOUNT):
        reply = flatten(seat)
    why = "Earlier orders could not be looked at: another process is sending on this account."
    assert (reply.exit_code, len(reply.data.unresolved)) == ((8, 1) if lost else (0, 0))
    assert (why in reply.data.sentence) is lost
    assert why in (reply.data.sentence if lost else reply.data.warnings)


def test_a_flat_account_is_not_proved_flat_while_another_process_is_sending(seats: Seats) -> None:
    seat, other = seats(), seats()
    deal = seat.open().deal_id
    seat.tap.breaks("GET", f"/positions/{deal}", before=lambda _: hidden(seat), times=99)
    assert seat.app.closings.close(deal or "", confirmed=True).exit_code == 8
    seat.tap.mend()
    with other.app.orders.lock("paper", "paper", FIRST_ACCOUNT):
        reply = flatten(seat)
    assert (reply.exit_code, reply.data.flat, reply.data.unresolved, left(seat)) == (8, False, (), 0)


def hidden(seat: Seat) -> httpx.Response | None:
    return says(500, text="") if seat.tap.seen("DELETE") else None


def test_called_back_in_the_middle_it_tells_what_was_done(seat: Seat) -> None:
    first, second = seat.open().deal_id, seat.open().deal_id

    def press(_request: httpx.Request) -> None:
        seat.app.send_gate.call_back()

    seat.tap.breaks("DELETE", "/positions", before=press)
    done: list[Flattened] = []
    reply = flatten(seat, done=done)
    assert {row.deal_id: row.done for row in reply.data.deals} in (
        {first: True, second: False},
        {first: False, second: True},
    )
    assert (reply.exit_code, left(seat), len(done)) == (8, 1, 2)
    assert "1 of 2 cancelled or closed" in seat.app.flattenings.so_far(done).data.sentence


def test_called_back_while_the_rest_went_by_other_hands_it_says_to_look(seat: Seat) -> None:
    deals = {seat.open().deal_id for _ in range(2)}

    def press(request: httpx.Request) -> None:
        seat.app.send_gate.call_back()
        (other,) = deals - {request.url.path.rpartition("/")[2]}
        url = request.url.copy_with(path=f"/api/v1/positions/{other}")
        seat.time.sleep(1)  # the other hands' request counts at the broker and not with us
        seat.tap._inner.handle_request(httpx.Request("DELETE", url, headers=request.headers))

    seat.tap.breaks("DELETE", "/positions", before=press)
    reply = flatten(seat)
    assert (reply.exit_code, reply.data.flat, left(seat)) == (8, False, 0)
