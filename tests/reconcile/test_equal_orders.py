"""A lost order that took from opposite deals, while somebody's equal order opened one in the same second.

The deal of that size is the other one's, and nothing but what the opposite deals lost tells of ours.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.account.preferences import Wanted
from capcli.domain.attempt import AttemptState
from capcli.domain.market import Side
from tests.reconcile.test_reconcile import (
    GAP_S,
    QUIET_S,
    activity,
    by_hand,
    events,
    held,
    lose,
    make_absent,
    only,
    reconcile,
)
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import Seat, stop_at

S = AttemptState
EQUAL = b'{"epic":"SILVER","direction":"BUY","size":1.5}'


def deals(seat: Seat, side: Side) -> list[str]:
    return [row.deal_id for row in seat.app.broker.positions() if row.side is side]


def without_order_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["type"] != "WORKING_ORDER"]


def no_rows(_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return []


# What of the short is there before: less than the order's size, exactly that, more of it, in several deals.
SHORTS = [("0.2",), ("1.5",), ("0.5", "1"), ("0.5", "0.7")]


@pytest.mark.parametrize("shown", [None, without_order_rows, no_rows])
@pytest.mark.parametrize("shorts", SHORTS)
def test_an_equal_deal_beside_what_opposite_deals_lost_is_no_verdict(
    seats: Seats, shorts: tuple[str, ...], shown: Any
) -> None:
    seat, hand = seats(), seats()
    for size in shorts:
        by_hand(hand, "SELL", size)
    there = deals(seat, Side.SELL)
    attempt_id = lose(seat, landed=True, later_s=0, stop=stop_at("18"))
    by_hand(hand)
    if shown is not None:
        activity(seat, shown)

    row = only(reconcile(seat))

    assert (row.state, row.exit_code, row.next) == (S.UNKNOWN, 8, f"capcli resolve {attempt_id}")
    assert set(row.candidates) == {*there, *seat.book()}
    assert f"An order like it reduced {', '.join(sorted(there))}, open before the send." in row.sentence


@pytest.mark.parametrize("shorts", SHORTS)
def test_that_all_of_it_is_closed_again_changes_nothing(seats: Seats, shorts: tuple[str, ...]) -> None:
    seat, hand = seats(), seats()
    for size in shorts:
        by_hand(hand, "SELL", size)
    lose(seat, landed=True, later_s=0)
    by_hand(hand)
    for deal in seat.book():
        hand.app.broker.send("DELETE", f"/positions/{deal}", None)
    for pause in (2, QUIET_S, GAP_S):
        seat.time.tick(pause)
        assert only(reconcile(seat)).state is S.UNKNOWN


def test_a_person_says_which_it_was(seats: Seats) -> None:
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "0.2")
    (short,) = seat.book()
    attempt_id = lose(seat, landed=True, later_s=0)
    (rest,) = seat.book()
    by_hand(hand)

    row = seat.app.resolutions.resolve(attempt_id, landed=rest, confirmed=True).data

    assert (row.state, row.deal_ids) == (S.LANDED, (rest, short))
    assert held(seat, attempt_id).opened_deal_ids == (rest,)


def test_a_part_of_an_opposite_deal_is_the_trace_of_an_order_as_well(seats: Seats) -> None:
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "4")
    (short,) = seat.book()
    lose(seat, landed=True, later_s=0)
    by_hand(hand)
    row = only(reconcile(seat))
    assert (row.state, row.candidates) == (S.UNKNOWN, (short,))
    seat.time.tick(QUIET_S)
    for _ in range(2):
        seat.time.tick(GAP_S)
        assert only(reconcile(seat)).state is S.UNKNOWN


def test_an_opposite_trade_right_before_the_send_can_be_what_the_order_met(
    seat: Seat, tmp_path: Path, time: Time
) -> None:
    """It is in no baseline: only the rows tell of it."""
    hand = Seat(tmp_path / "elsewhere", time, number=7, paper=seat.home / "paper.db")

    def opposite(_: httpx.Request) -> None:
        by_hand(hand, "SELL")

    seat.time.tick(2)
    shown = seat.preview()
    seat.tap.breaks("POST", "/positions", before=opposite, after=httpx.ReadTimeout("no answer"))
    attempt_id = seat.execute(shown.preview_id).data.attempt_id
    assert seat.book() == []
    by_hand(hand)
    hand.close()
    (equal,) = seat.book()
    seat.time.tick(2)
    activity(seat, without_order_rows)

    row = only(reconcile(seat))

    assert (row.state, row.candidates[0], len(row.candidates)) == (S.UNKNOWN, equal, 2)
    short = row.candidates[1]
    seat.app.resolutions.resolve(attempt_id, landed=short, confirmed=True)
    assert (held(seat, attempt_id).deal_ids, held(seat, attempt_id).opened_deal_ids) == ((short,), ())


def test_an_equal_order_that_was_filled_in_part_is_no_verdict_about_the_deal_of_the_whole_size(
    seats: Seats,
) -> None:
    """As a broker would show it that lists the order with the size that was asked for."""
    seat, hand = seats(), seats()
    lose(seat, landed=False, later_s=0)
    by_hand(hand, size="1")
    by_hand(hand)

    def asked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            if row["type"] == "WORKING_ORDER":
                row["details"]["size"] = 1.5
        return rows

    activity(seat, asked)
    row = only(reconcile(seat))
    assert (row.state, set(row.candidates)) == (S.UNKNOWN, set(seat.book()))


def test_an_order_of_another_size_explains_what_an_opposite_deal_lost(seats: Seats) -> None:
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "2")
    lose(seat, landed=False, later_s=0)
    for body in (EQUAL.replace(b"1.5", b"2"), EQUAL):
        seat.time.tick(0.2)
        assert hand.app.broker.send("POST", "/positions", body).status == 200
    seat.time.tick(2)
    row = only(reconcile(seat))
    assert (row.state, list(row.deal_ids)) == (S.LANDED, seat.book())


def test_where_the_account_hedges_a_closed_opposite_deal_is_no_trace(seats: Seats) -> None:
    seat, hand = seats(), seats()
    seat.app.account_changes.prefer(Wanted(hedging=True), confirmed=True)
    by_hand(hand, "SELL")
    (short,) = seat.book()
    lose(seat, landed=True, later_s=0)
    hand.app.broker.send("DELETE", f"/positions/{short}", None)
    seat.time.tick(1)
    row = only(reconcile(seat))
    assert (row.state, list(row.deal_ids)) == (S.LANDED, seat.book())


def test_a_working_order_that_was_filled_then_may_have_taken_it_instead(seats: Seats) -> None:
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "4")
    (short,) = seat.book()
    lose(seat, landed=False, later_s=0)
    by_hand(hand)
    seat.time.tick(2)

    def filled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        made = next(row for row in rows if row["type"] == "WORKING_ORDER" and row["source"] == "USER")
        return [{**made, "status": "EXECUTED"}, *rows]

    activity(seat, filled)
    row = only(reconcile(seat))
    assert (row.state, row.candidates) == (S.UNKNOWN, (short,))


def test_an_equal_order_that_comes_to_light_later_is_an_alarm(seats: Seats) -> None:
    """The list was old when the verdict was made: the opposite deal stood in it as before."""
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "1.5")
    (short,) = seat.book()
    attempt_id = lose(seat, landed=True, later_s=0)
    by_hand(hand)
    (equal,) = seat.book()

    def stale(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        (row,) = body["positions"]
        was = {**row, "position": {**row["position"], "dealId": short, "direction": "SELL"}}
        was["position"]["createdDateUTC"] = "2026-03-02T00:00:00.000"
        return httpx.Response(200, json={"positions": [was, row]})

    seat.tap.breaks("GET", "/positions", before=stale, times=9)
    activity(seat, no_rows)
    assert only(reconcile(seat)).deal_ids == (equal,)
    seat.tap.mend()
    seat.time.tick(60)
    row = only(reconcile(seat))
    assert row.state is S.LANDED
    assert row.candidates
    assert events(seat, "second_deal") == [attempt_id]


def test_what_another_order_took_first_is_not_told_as_closed(seat: Seat, tmp_path: Path, time: Time) -> None:
    hand = Seat(tmp_path / "elsewhere", time, number=7, paper=seat.home / "paper.db")
    by_hand(hand, "SELL")
    seat.time.tick(2)
    shown = seat.preview()
    assert shown.effect is not None
    assert (shown.effect.closes, shown.effect.opens) == (Decimal("1.5"), 0)

    def first(_: httpx.Request) -> None:
        by_hand(hand)

    seat.tap.breaks("POST", "/positions", before=first)
    done = seat.execute(shown.preview_id).data
    hand.close()
    (opened,) = seat.book()
    assert (done.deal_ids, done.sentence) == ((opened,), f"Bought 1.5 SILVER at {done.level}.")


def test_what_opposite_deals_lose_long_after_the_window_is_no_late_landing(seats: Seats) -> None:
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "4")
    make_absent(seat)
    seat.open()
    seat.time.tick(2)
    assert only(reconcile(seat)).candidates == ()
    assert not events(seat, "possible_late_landing")
