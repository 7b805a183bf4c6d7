"""Closing part of a position and closing all: an order that only reduces, one close each (E7)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from capcli.domain.account import OrderType
from capcli.domain.attempt import AttemptState, Evidence, PreviewState
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.order import Kind, Trigger
from capcli.reply import Reply
from capcli.trading.close_all import AllClosings
from capcli.trading.partial_close import Reduction, reducible
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal
S = AttemptState
LOST = httpx.ReadTimeout("no answer")


def reduce(seat: Seat, deal: str | None, size: str, **options: Any) -> Reply[Reduction]:
    return seat.app.reductions.reduce(deal or "", D(size), confirmed=True, **options)


def close_all(seat: Seat) -> Reply[AllClosings]:
    return seat.app.closings_of_all.close_all(confirmed=True)


def sizes(seat: Seat) -> dict[str, Decimal]:
    return {row.deal_id: row.size for row in seat.app.portfolio.positions().data.positions}


@pytest.mark.parametrize("side", list(Side))
def test_part_of_a_position_is_closed_and_its_stop_stays(seat: Seat, side: Side) -> None:
    deal = seat.open(size="5", side=side, stop=stop_at("24" if side is Side.BUY else "38")).deal_id or ""
    done = reduce(seat, deal, "2")
    assert (done.exit_code, done.data.state, done.data.remaining) == (0, S.LANDED, D(3))
    assert sizes(seat) == {deal: D(3)}
    assert seat.app.portfolio.positions(deal).data.positions[0].stop_level is not None
    assert done.data.sentence.startswith(f"Closed 2 of {side.value} 5 SILVER at {done.data.level}: ")
    assert done.data.sentence.endswith("; 3 stays open.")
    body = seat.tap.orders()[-1].decode()
    assert body == f'{{"epic":"SILVER","direction":"{side.opposite.value}","size":2}}'


def test_it_is_an_order_with_a_preview_that_cannot_be_executed_again(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id
    done = reduce(seat, deal, "2").data
    preview = seat.app.journal.preview(done.preview_id)
    attempt = seat.app.journal.attempt_of(done.preview_id)
    assert preview is not None
    assert attempt is not None
    assert (preview.kind, preview.state) == (Kind.MARKET, PreviewState.CLAIMED)
    assert preview.expires_at - preview.created_at == timedelta(seconds=5)
    assert (attempt.attempt_id, attempt.state) == (done.attempt_id, S.LANDED)
    orders = len(seat.tap.orders())
    assert seat.execute(done.preview_id).data.replayed
    assert len(seat.tap.orders()) == orders


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("5", "to close all of it"),
        ("6", "to close all of it"),
        ("0.15", "off the step"),
        ("0.05", "size_range"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(seat: Seat, size: str, words: str) -> None:
    deal = seat.open(size="5").deal_id
    error = refusal(lambda: reduce(seat, deal, size))
    assert (error.code, int(error.exit_code)) == ("CHECKS_FAILED", 5)
    assert words in error.message
    assert len(seat.tap.orders()) == 1


def test_a_share_below_the_smallest_size_is_refused_with_that_size(seat: Seat) -> None:
    deal = seat.open(size="0.5").deal_id or ""
    assert seat.app.reductions.share(deal, D(20)) == (D("0.1"), "")
    error = refusal(lambda: seat.app.reductions.share(deal, D(19)))
    assert (error.code, error.next) == ("USAGE", f"capcli close {deal} --size 0.1")
    assert error.message.startswith("19 % of 0.5 is 0.095, and the smallest size of SILVER is 0.1.")


def test_a_part_beyond_the_orders_of_an_hour_is_not_sent(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = seat.open(size="5").deal_id
    seat.time.tick(61)
    monkeypatch.setattr(seat.app.orders.broker, "opening_wait_s", lambda: 900)
    error = refusal(lambda: reduce(seat, deal, "2"))
    assert (error.code, error.details["retry_after_s"]) == ("RATE_LIMITED", 900)
    assert [row.state for row in seat.app.journal.previews("paper", limit=9)] == [PreviewState.CLAIMED]


def test_only_the_oldest_can_be_reduced(seat: Seat, time: Time) -> None:
    old = seat.open(size="5").deal_id or ""
    time.tick(5)
    young = seat.open(size="5").deal_id
    error = refusal(lambda: reduce(seat, young, "2"))
    assert (error.code, error.next) == ("CHECKS_FAILED", f"capcli close {old} --size 2")
    assert old in error.message
    assert reduce(seat, old, "2").exit_code == 0
    assert sizes(seat) == {old: D(3), young: D(5)}


def test_of_two_that_opened_at_the_same_time_none_is_the_oldest(seat: Seat) -> None:
    ids = [seat.open(size=size).deal_id or "" for size in ("5", "4")]
    one, two = seat.app.broker.positions()
    at = one.opened_at
    book = (one, replace(two, opened_at=at))
    for asked, other in (ids, reversed(ids)):
        error = refusal(lambda asked=asked: reducible(book, asked, D(2)))
        assert (error.code, error.next) == ("CHECKS_FAILED", f"capcli close {other} --size 2")
    later = replace(two, opened_at=at + timedelta(microseconds=1))
    assert reducible((one, later), one.deal_id, D(2)) is one
    assert "is no longer open" in refusal(lambda: reducible((one, later), "gone", D(2))).message


def test_of_several_older_ones_the_oldest_is_named(seat: Seat) -> None:
    seat.open(size="5")
    (row,) = seat.app.broker.positions()
    ages = {"second": 2, "oldest": 3, "third": 1, "asked": 0}
    book = tuple(
        replace(row, deal_id=name, opened_at=row.opened_at - timedelta(hours=age))
        for name, age in ages.items()
    )
    error = refusal(lambda: reducible(book, "asked", D(2)))
    assert error.next == "capcli close oldest --size 2"


def test_another_market_is_not_in_the_way(seat: Seat, time: Time) -> None:
    seat.open("GOLD", "0.1")
    time.tick(5)
    deal = seat.open(size="5").deal_id
    assert reduce(seat, deal, "2").exit_code == 0


def test_a_book_with_both_sides_is_one_of_a_hedging_account(seat: Seat) -> None:
    from msgspec.structs import replace

    from capcli.trading.partial_close import reducible

    deal = seat.open(size="5").deal_id or ""
    (row,) = seat.app.broker.positions()
    book = (row, replace(row, deal_id="other", side=Side.SELL))
    assert "hedges" in refusal(lambda: reducible(book, deal, D(1))).message


def test_it_is_not_offered_where_the_account_hedges(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    sent = len(seat.tap.orders())
    hedging = httpx.Response(200, json={"hedgingMode": True, "leverages": {}})
    seat.tap.breaks("GET", "/accounts/preferences", before=hedging)
    error = refusal(lambda: reduce(seat, deal, "2"))
    assert (error.code, error.next) == ("REFUSED", f"capcli close {deal}")
    assert len(seat.tap.orders()) == sent


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"CAP_ENV": "demo", "CAP_ALLOW_TRADING": "false"}, "TRADING_OFF"),
        ({"CAP_ENV": "live", "CAP_ALLOW_TRADING": "true"}, "LIVE_LOCKED"),
    ],
)
def test_switches_stop_both(seats: Seats, settings: dict[str, str], code: str) -> None:
    seat = seats(**settings)
    assert refusal(lambda: reduce(seat, "D1", "2")).code == code
    assert refusal(lambda: close_all(seat)).code == code
    assert seat.tap.requests == []


def test_both_need_a_confirmation(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    error = refusal(lambda: seat.app.reductions.reduce(deal, D("2.0"), confirmed=False))
    assert (error.code, error.next) == ("NOT_CONFIRMED", f"capcli close {deal} --size 2 --confirm")
    error = refusal(lambda: seat.app.closings_of_all.close_all(confirmed=False))
    assert error.next == "capcli close --all --confirm"
    assert sizes(seat) == {deal: D(5)}


def test_limits_on_new_risk_do_not_refuse_it(seats: Seats) -> None:
    deal = seats().open(size="5").deal_id
    strict = seats(
        CAP_ALLOWED_EPICS="GOLD",
        CAP_MAX_OPEN_POSITIONS="1",
        CAP_MAX_ORDERS_PER_DAY="1",
        CAP_MAX_POSITION_SIZE="1",
    )
    assert reduce(strict, deal, "2").exit_code == 0


def test_an_unresolved_attempt_refuses_it_and_the_whole_close_stays_possible(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    seat.tap.breaks("POST", "/positions", before=LOST)
    assert seat.execute(seat.preview(size="3").preview_id).exit_code == 8
    error = refusal(lambda: reduce(seat, deal, "2"))
    assert (error.code, error.account_id) == ("BLOCKED", FIRST_ACCOUNT)
    assert "Closing whole positions is still possible." in error.message
    assert seat.app.closings.close(deal, confirmed=True).exit_code == 0


def test_only_unresolved_orders_of_its_market_keep_anybody_from_closing_a_part(
    seat: Seat, time: Time
) -> None:
    deal, other = seat.open(size="5").deal_id or "", seat.open("GOLD", "0.1").deal_id or ""
    waiting = seat.open(size="2", trigger=Trigger(D("20.5"), OrderType.LIMIT, None)).deal_id or ""
    for method, path in (("PUT", "/positions"), ("DELETE", "/positions"), ("DELETE", "/workingorders")):
        seat.tap.breaks(method, path, before=LOST, times=2)
    seat.app.amendments.amend(deal, Change(stop_at("24")), confirmed=True)
    seat.app.cancellations.cancel(waiting, confirmed=True)
    assert seat.app.closings.close(other, confirmed=True).exit_code == 8
    held = seat.app.journal.unresolved("paper", seat.app.broker.host, FIRST_ACCOUNT)
    assert [row.kind for row in held] == [Kind.AMEND, Kind.CANCEL, Kind.CLOSE]
    assert reduce(seat, deal, "2").data.remaining == D(3)


def test_a_lost_order_of_another_market_keeps_nobody_from_closing_a_part(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    seat.tap.breaks("POST", "/positions", before=LOST)
    assert seat.execute(seat.preview("GOLD", "0.1").preview_id).exit_code == 8
    assert reduce(seat, deal, "2").data.remaining == D(3)


def test_a_slow_one_counts_from_its_end(seat: Seat, time: Time) -> None:
    deal = seat.open(size="5").deal_id
    seat.tap.breaks("POST", "/positions", before=lambda _: time.tick(70))
    assert reduce(seat, deal, "1").exit_code == 0
    time.tick(50)
    error = refusal(lambda: reduce(seat, deal, "1"))
    assert (error.code, error.account_id) == ("DUPLICATE", FIRST_ACCOUNT)
    time.tick(11)
    assert reduce(seat, deal, "1").data.remaining == D(3)


def test_a_newer_one_as_large_as_the_oldest_points_at_the_oldest_and_closes_nothing(
    seat: Seat, time: Time
) -> None:
    old = seat.open(size="2").deal_id or ""
    time.tick(5)
    young = seat.open(size="5").deal_id
    assert refusal(lambda: reduce(seat, young, "2")).next == f"capcli positions {old}"


def test_the_same_again_within_a_minute_has_to_be_meant(seat: Seat, time: Time) -> None:
    deal = seat.open(size="5").deal_id
    reduce(seat, deal, "1")
    error = refusal(lambda: reduce(seat, deal, "1"))
    assert (error.code, error.next) == ("DUPLICATE", f"capcli close {deal} --size 1 --again --confirm")
    assert reduce(seat, deal, "1", again=True).data.remaining == D(3)
    time.tick(61)
    assert reduce(seat, deal, "1").data.remaining == D(2)


def test_a_reduction_whose_answer_was_lost_is_seen_in_the_book(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    orders = len(seat.tap.orders())
    seat.tap.breaks("POST", "/positions", after=LOST)
    done = reduce(seat, deal, "2")
    assert (done.exit_code, done.data.state, done.data.evidence) == (0, S.LANDED, Evidence.INFERRED)
    assert done.data.sentence.startswith("Closed 2 of BUY 5 SILVER: about "), "its price is not known"
    assert done.data.sentence.endswith("; 3 stays open.")
    assert (sizes(seat), len(seat.tap.orders())) == ({deal: D(3)}, orders + 1)


def test_a_reduction_that_never_arrived_is_doubt_and_is_not_sent_again(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    orders = len(seat.tap.orders())
    seat.tap.breaks("POST", "/positions", before=LOST)
    reply = reduce(seat, deal, "2")
    assert reply.problem is not None
    assert (reply.exit_code, reply.data.state, reply.data.retry_safe) == (8, S.UNKNOWN, False)
    assert reply.data.next == f"capcli reconcile {reply.data.attempt_id}"
    assert refusal(lambda: reduce(seat, deal, "2")).code == "BLOCKED"
    assert (sizes(seat), len(seat.tap.orders())) == ({deal: D(5)}, orders + 1)


@pytest.mark.parametrize(
    ("answer", "exit_code", "state"),
    [
        (says(400, {"errorCode": "error.some.reason"}), 6, S.REFUSED),
        (says(429, {"errorCode": "error.too-many.requests"}), 11, S.REFUSED),
        (httpx.ConnectError("refused"), 7, S.NOT_SENT),
    ],
)
def test_a_reduction_that_was_not_made_points_back_at_the_close(
    seat: Seat, answer: Any, exit_code: int, state: AttemptState
) -> None:
    deal = seat.open(size="5").deal_id or ""
    seat.tap.breaks("POST", "/positions", before=answer)
    reply = reduce(seat, deal, "2")
    assert (reply.exit_code, reply.data.state, reply.data.remaining) == (exit_code, state, D(5))
    assert reply.data.next == f"capcli close {deal} --size 2"
    assert reply.problem is not None
    assert (reply.data.retry_safe, reply.data.sentence) == (reply.problem.retry_safe, reply.problem.message)


def test_a_reverse_that_was_opened_after_all_is_told_at_once(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id

    def close_first(_: httpx.Request) -> None:
        seat.time.tick(1)
        tokens = seat.app.broker._sessions.live().tokens.headers
        url = f"http://paper/api/v1/positions/{deal}"
        seat.tap._inner.handle_request(httpx.Request("DELETE", url, headers=tokens))

    seat.tap.breaks("POST", "/positions", before=close_first)
    reply = reduce(seat, deal, "2")
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code) == (9, "REVERSED")
    assert not reply.problem.assistant_error
    (opened,) = seat.book()
    assert reply.data.next == f"capcli close {opened} --confirm"
    assert reply.data.opened_deal_id == opened


def test_a_position_that_is_gone_is_not_reduced(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    seat.app.closings.close(deal, confirmed=True)
    orders = len(seat.tap.orders())
    assert refusal(lambda: reduce(seat, deal, "2")).code == "DEAL_UNKNOWN"
    assert len(seat.tap.orders()) == orders


def test_closing_all_closes_each_by_its_own_id(seat: Seat) -> None:
    before = seat.app.accounts.list().data.accounts[0].equity
    deals = [seat.open(epic, size).deal_id for epic, size in (("SILVER", "1.5"), ("GOLD", "0.1"))]
    reply = close_all(seat)
    assert (reply.exit_code, reply.data.closed, reply.data.failed) == (0, 2, 0)
    assert seat.book() == []
    assert sorted(seat.tap.seen("DELETE")) == sorted(f"DELETE /positions/{deal}" for deal in deals)
    assert reply.data.pl_account == seat.app.accounts.list().data.accounts[0].equity - before
    assert all(row.attempt_id for row in reply.data.closings)


def test_closing_nothing_is_done(seat: Seat) -> None:
    reply = close_all(seat)
    assert (reply.exit_code, reply.data.closings) == (0, ())
    assert "nothing to close" in reply.data.sentence


@pytest.mark.parametrize(
    ("answers", "exit_code"),
    [
        ([says(400, {"errorCode": "error.no"})], 6),
        ([says(502, text="")], 8),
        ([says(400, {"errorCode": "error.no"}), says(502, text="")], 8),
        ([httpx.ConnectError("refused")], 7),
        ([says(429, {"errorCode": "error.too-many.requests"}), says(400, {"errorCode": "error.no"})], 6),
    ],
)
def test_what_fails_does_not_stop_the_others_and_the_worst_is_the_exit_code(
    seat: Seat, answers: list[Any], exit_code: int
) -> None:
    for _ in range(3):
        seat.open(size="1")
    for answer in answers:
        seat.tap.breaks("DELETE", "/positions", before=answer)
    reply = close_all(seat)
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code) == (exit_code, "CLOSE_INCOMPLETE")
    assert (reply.data.closed, reply.data.failed) == (3 - len(answers), len(answers))
    open_still = [row.deal_id for row in reply.data.closings if not row.closed]
    assert seat.book() == open_still
    assert close_all(seat).exit_code == 0
    assert seat.book() == []


def test_one_that_somebody_else_closed_first_counts_as_closed(seat: Seat) -> None:
    first, second = (seat.open(size="1").deal_id for _ in range(2))
    seat.tap.breaks("GET", f"/positions/{second}", before=says(404, {"errorCode": "error.not-found.dealId"}))
    reply = close_all(seat)
    assert (reply.exit_code, reply.data.closed) == (0, 2)
    assert {row.deal_id for row in reply.data.closings} == {first, second}


def test_closing_all_that_is_called_back_finishes_the_close_under_way_and_starts_no_other(seat: Seat) -> None:
    first, second = (seat.open(size="1").deal_id for _ in range(2))

    def press(_: Any) -> None:
        seat.app.send_gate.call_back()

    seat.tap.breaks("DELETE", f"/positions/{first}", before=press)
    reply = close_all(seat)
    assert (reply.exit_code, reply.data.closed, reply.data.failed) == (8, 1, 1)
    assert [(row.deal_id, row.code) for row in reply.data.closings] == [
        (first, None),
        (second, "INTERRUPTED"),
    ]
    assert seat.book() == [second]


@pytest.mark.parametrize("size", ["0", "-1"])
def test_a_part_of_nothing_is_a_usage_error(seat: Seat, size: str) -> None:
    deal = seat.open(size="5").deal_id
    assert refusal(lambda: reduce(seat, deal, size)).code == "USAGE"
    assert sizes(seat) == {deal: D(5)}


def test_what_is_left_other_than_asked_is_told(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""

    def reduce_first(_: httpx.Request) -> None:
        seat.time.tick(1)
        tokens = seat.app.broker._sessions.live().tokens.headers
        body = b'{"epic":"SILVER","direction":"SELL","size":1}'
        url = "http://paper/api/v1/positions"
        headers = {**tokens, "content-type": "application/json"}
        seat.tap._inner.handle_request(httpx.Request("POST", url, headers=headers, content=body))
        seat.time.tick(1)

    seat.tap.breaks("POST", "/positions", before=reduce_first)
    reply = reduce(seat, deal, "2")
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code, reply.data.remaining) == (8, "REDUCED_OTHERWISE", D(2))
    assert not reply.problem.assistant_error
    assert reply.data.opened_deal_id is None
    assert "the book changed in the meantime" in reply.data.sentence
    assert reply.data.next == "capcli positions"


@pytest.mark.parametrize("changed", [False, True])
def test_a_part_that_the_broker_filled_only_in_part_is_told_as_that(seat: Seat, *, changed: bool) -> None:
    deal = seat.open(size="5").deal_id or ""

    def sell(request: httpx.Request, size: bytes) -> httpx.Response:
        seat.time.tick(1)
        body = request.content.replace(b'"size":2', b'"size":' + size)
        headers = {key: value for key, value in request.headers.items() if key != "content-length"}
        order = httpx.Request("POST", request.url, headers=headers, content=body)
        return seat.tap._inner.handle_request(order)

    def fill_less(request: httpx.Request) -> httpx.Response:
        if changed:
            assert sell(request, b"1").status_code == 200
        return sell(request, b"1.5")

    seat.tap.breaks("POST", "/positions", before=fill_less)
    reply = reduce(seat, deal, "2")
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code) == (8, "REDUCED_OTHERWISE")
    if changed:
        assert "now has 2.5 of 5: the book changed in the meantime" in reply.data.sentence
    else:
        assert reply.data.sentence == f"The broker filled 1.5 of the 2 to close: {deal} now has 3.5 of 5."
        assert reply.data.next == f"capcli close {deal} --size 0.5"


def test_another_deal_of_the_other_side_that_was_there_before_was_not_opened_by_it(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id
    seat.open("GOLD", "0.1", side=Side.SELL)
    done = reduce(seat, deal, "2")
    assert (done.exit_code, done.data.opened_deal_id) == (0, None)


def test_a_book_that_cannot_be_read_afterwards_leaves_the_rest_untold(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""

    def broken_since(_: httpx.Request) -> None:
        seat.tap.breaks("GET", "/positions", before=says(500, text=""), times=99)

    seat.tap.breaks("POST", "/positions", after=broken_since)
    reply = reduce(seat, deal, "2")
    assert (reply.exit_code, reply.data.remaining) == (0, None)
    assert reply.data.sentence.startswith(f"Closed 2 of BUY 5 SILVER at {reply.data.level}: ")
    assert reply.data.sentence.endswith("; the rest stays open.")


def test_a_part_whose_confirmation_has_no_price_is_told_without_one(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id
    seat.confirms_after(0)

    def without_level(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        return says(200, body | {"level": 0, "profit": None})

    seat.tap.breaks("GET", "/confirms/", before=without_level, times=9)
    done = reduce(seat, deal, "2")
    assert (done.exit_code, done.data.evidence, done.data.level) == (0, Evidence.CONFIRM, None)
    assert done.data.sentence.startswith("Closed 2 of BUY 5 SILVER: about ")


def test_what_a_part_brought_is_the_brokers_own_figure(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id

    def booked(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        return says(
            (body.get("errorCode") and 404) or 200, body | {"profit": -0.0312, "profitCurrency": "USDd"}
        )

    seat.tap.breaks("GET", "/confirms/", before=booked, times=9)
    done = reduce(seat, deal, "2").data
    assert (done.pl_account, done.pl_estimated) == (D("-0.0312"), False)
    assert "about" not in done.sentence


def test_what_is_held_of_a_part_under_way_is_told_and_nothing_is_sent(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id or ""
    error = refusal(lambda: seat.app.reductions.part_so_far(deal, D(2), None))
    assert (error.code, error.next) == ("IN_PROGRESS", f"capcli positions {deal}")
    written = seat.preview().preview_id
    assert refusal(lambda: seat.app.reductions.part_so_far(deal, D(2), written)).code == "IN_PROGRESS"
    done = reduce(seat, deal, "2").data
    orders = len(seat.tap.orders())
    told = seat.app.reductions.part_so_far(deal, D(2), done.preview_id)
    assert (told.data.state, told.data.size_before, told.problem) == (S.LANDED, D(5), None)
    assert len(seat.tap.orders()) == orders


def test_a_part_is_not_closed_while_its_market_is_closed(seat: Seat) -> None:
    deal = seat.open(size="5").deal_id

    def closed(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        body["snapshot"]["marketStatus"] = "CLOSED"
        return says(200, body)

    seat.tap.breaks("GET", "/markets/SILVER", before=closed, times=9)
    error = refusal(lambda: reduce(seat, deal, "2"))
    assert (error.code, "SILVER is CLOSED" in error.message) == ("CHECKS_FAILED", True)
    assert len(seat.tap.orders()) == 1


@pytest.mark.parametrize("sent", [False, True])
def test_a_part_that_is_being_sent_is_told_to_be_under_way(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, *, sent: bool
) -> None:
    deal = seat.open(size="5").deal_id or ""
    begun: list[str] = []
    told: list[Any] = []
    real = seat.app.orders.broker.send

    def ask(_: Any) -> None:
        told.append(seat.app.reductions.part_so_far(deal, D(2), begun[0]))

    def send(*args: Any, **options: Any) -> Any:
        ask(None)
        return real(*args, **options)

    if sent:
        seat.tap.breaks("POST", "/positions", before=ask)
    else:
        monkeypatch.setattr(seat.app.orders.broker, "send", send)
    assert reduce(seat, deal, "2", begun=begun.append).exit_code == 0
    problem = told[0].problem
    assert problem.message.startswith(f"The partial close of {deal} is still running.")
    assert (problem.next, told[0].data.state) == (
        f"capcli positions {deal}",
        S.SENDING if sent else S.CLAIMED,
    )
