"""Reconcile: what becomes of a lost order, by what the broker shows. Names in brackets are the matrix's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from capcli.domain.account import OrderType
from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.order import Trigger
from capcli.reconcile.reconcile import Reconciliations, Settled
from capcli.runtime import Options
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal
S = AttemptState
LOST = httpx.ReadTimeout("no answer")
QUIET_S, GAP_S = 121, 31


def lose(seat: Seat, path: str = "/positions", *, landed: bool, later_s: float = 2, **changes: Any) -> str:
    """Execute an order whose answer is lost, with or without the broker having it; return its attempt.

    The clock goes on by `later_s` seconds: a deal of that time is the order's own only up to two seconds.
    """
    seat.time.tick(2)
    shown = seat.preview(**changes)
    seat.tap.breaks("POST", path, **{"after" if landed else "before": LOST})
    done = seat.execute(shown.preview_id, again=True).data
    assert done.state is S.UNKNOWN
    seat.time.tick(later_s)
    return done.attempt_id


def reconcile(seat: Seat, attempt_id: str | None = None) -> Any:
    return seat.app.reconciliations.reconcile(attempt_id)


def only(reply: Any) -> Settled:
    (row,) = reply.data.attempts
    return row


def held(seat: Seat, attempt_id: str) -> AttemptRecord:
    found = seat.app.journal.attempt(attempt_id)
    assert found is not None
    return found


def events(seat: Seat, kind: str) -> list[str]:
    rows = seat.app.journal._db.rows("SELECT attempt_id FROM events WHERE kind = ?", (kind,))
    return [row["attempt_id"] for row in rows]


def by_hand(seat: Seat, side: str = "BUY", size: str = "1.5") -> None:
    body = f'{{"epic":"SILVER","direction":"{side}","size":{size}}}'.encode()
    seat.time.tick(1)
    assert seat.app.broker.send("POST", "/positions", body).status == 200
    seat.time.tick(1)


def test_nothing_to_settle_is_a_success_without_rows(seat: Seat) -> None:
    reply = reconcile(seat)
    assert (reply.exit_code, reply.data.attempts, reply.data.undecided) == (0, (), 0)


def test_an_order_that_landed_is_inferred(seat: Seat) -> None:
    attempt_id = lose(seat, landed=True, stop=stop_at("24.50"))
    reply = reconcile(seat, attempt_id)
    row = only(reply)
    assert (reply.exit_code, row.state_before, row.state) == (0, S.UNKNOWN, S.LANDED)
    assert (held(seat, attempt_id).protected, held(seat, attempt_id).size) == (Protection.YES, D("1.5"))
    assert (row.evidence, list(row.deal_ids)) == (
        Evidence.INFERRED,
        seat.book(),
    )
    assert len(seat.tap.orders()) == 1
    assert (events(seat, "late_landing"), reconcile(seat).data.attempts) == ([], ())


def test_an_order_that_landed_without_its_stop_is_told_at_once(seat: Seat) -> None:
    lose(seat, landed=True, stop=stop_at("24.50"))

    def without_stop(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        for row in body["positions"]:
            row["position"].pop("stopLevel", None)
        return httpx.Response(200, json=body)

    seat.tap.breaks("GET", "/positions", before=without_stop, times=9)
    reply = reconcile(seat)
    assert (reply.exit_code, reply.problem.code, only(reply).state) == (9, "NO_STOP", S.LANDED)
    assert reply.problem.details["deal_ids"] == list(only(reply).deal_ids) == seat.book()


def test_an_order_without_a_trace_is_absent_after_two_clean_looks_and_not_before(seat: Seat) -> None:
    attempt_id = lose(seat, landed=False)
    reply = reconcile(seat)
    assert (reply.exit_code, only(reply).state, reply.data.undecided) == (8, S.UNKNOWN, 1)
    assert held(seat, attempt_id).absent_seen_at is None
    seat.time.tick(QUIET_S)
    assert only(reconcile(seat)).state is S.UNKNOWN
    first = held(seat, attempt_id).absent_seen_at
    assert first is not None
    seat.time.tick(20)
    assert only(reconcile(seat)).state is S.UNKNOWN
    assert held(seat, attempt_id).absent_seen_at == first
    seat.time.tick(11)
    row = only(reconcile(seat))
    assert (row.state, row.exit_code, row.next) == (S.ABSENT, 8, f"capcli resolve {attempt_id}")
    assert reply.problem.code == "MAY_BE_LIVE"
    assert row.sentence.startswith("No trace of it after 1")
    assert "Presumed not placed; you will be told if it appears." in row.sentence


@pytest.mark.parametrize("path", ["/positions", "/workingorders", "/history/activity"])
@pytest.mark.parametrize("broken", [says(500, text=""), says(200, text='{"positions": [{"pos')])
def test_a_look_that_fails_concludes_nothing_and_forgets_nothing(
    seat: Seat, path: str, broken: httpx.Response
) -> None:
    attempt_id = lose(seat, landed=False)
    seat.time.tick(QUIET_S)
    reconcile(seat)
    first = held(seat, attempt_id).absent_seen_at
    seat.time.tick(GAP_S)
    seat.tap.breaks("GET", path, before=broken, times=9)
    assert only(reconcile(seat)).state is S.UNKNOWN
    assert held(seat, attempt_id).absent_seen_at == first
    seat.tap.mend()
    assert only(reconcile(seat)).state is S.ABSENT


def test_an_absent_order_blocks_nothing(seat: Seat) -> None:
    make_absent(seat)
    assert seat.open(size="2").state is S.LANDED


def make_absent(seat: Seat, **changes: Any) -> str:
    attempt_id = lose(seat, landed=False, **changes)
    for pause in (QUIET_S, GAP_S):
        seat.time.tick(pause)
        reconcile(seat)
    assert held(seat, attempt_id).state is S.ABSENT
    return attempt_id


def make_late(seat: Seat) -> str:
    """Let an order be placed in time and shown by nothing until it is presumed absent."""
    attempt_id = lose(seat, landed=True)
    seat.tap.breaks("GET", "/positions", before=says(200, {"positions": []}), times=99)
    activity(seat, lambda _: [])
    for pause in (QUIET_S, GAP_S):
        seat.time.tick(pause)
        reconcile(seat)
    assert held(seat, attempt_id).state is S.ABSENT
    seat.tap.mend()
    return attempt_id


def test_a_late_landing_is_an_alarm_of_reconcile(seat: Seat) -> None:  # E10
    attempt_id = make_late(seat)
    row = only(reconcile(seat))
    assert (row.state, row.exit_code, list(row.deal_ids)) == (S.LANDED, 0, seat.book())
    assert row.sentence.endswith("It was presumed not placed, and landed late.")
    assert events(seat, "late_landing") == [attempt_id]


def test_a_late_landing_stops_the_next_order_once(seat: Seat) -> None:
    attempt_id = make_late(seat)
    shown = seat.preview(size="2")
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, int(error.exit_code)) == ("LATE_LANDING", 10)
    assert error.details["attempt_id"] == attempt_id
    assert len(seat.tap.orders()) == 1
    seat.time.tick(1)
    assert seat.execute(shown.preview_id).exit_code == 0


def test_a_late_landing_is_told_by_its_own_preview(seat: Seat) -> None:
    attempt_id = make_late(seat)
    preview_id = held(seat, attempt_id).preview_id or ""
    reply = seat.execute(preview_id)
    assert (reply.data.state, reply.exit_code, reply.data.replayed) == (S.LANDED, 0, True)


def test_a_hand_trade_long_after_the_send_is_no_late_landing_but_may_be_one(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = make_absent(seat)
    by_hand(hand)
    reply = reconcile(seat)
    row, (deal,) = only(reply), seat.book()
    assert (row.state, reply.exit_code, row.candidates) == (S.ABSENT, 8, (deal,))
    assert f"; {deal} may be a late landing of it. Presumed not placed; a person has to say." in row.sentence
    assert row.next == f"capcli resolve {attempt_id}"
    assert events(seat, "possible_late_landing") == [attempt_id]
    only(reconcile(seat))
    assert events(seat, "possible_late_landing") == [attempt_id], "it is told once in the journal"
    told = seat.execute(held(seat, attempt_id).preview_id or "").data
    assert (told.state, told.sentence.count(deal)) == (S.ABSENT, 1)


def test_a_possible_late_landing_stops_the_next_order_once(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = make_absent(seat)
    by_hand(hand)
    shown = seat.preview(size="2")
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, int(error.exit_code)) == ("LATE_LANDING", 10)
    assert (error.details["attempt_id"], error.details["deal_ids"]) == (attempt_id, seat.book())
    assert (error.next, len(seat.tap.orders())) == (f"capcli resolve {attempt_id}", 1)
    seat.time.tick(1)
    assert seat.execute(shown.preview_id).exit_code == 0


def test_a_hand_trade_after_the_quiet_period_leaves_an_open_attempt_to_a_person(seats: Seats) -> None:
    seat, hand = seats(), seats()
    lose(seat, landed=False)
    seat.time.tick(QUIET_S)
    by_hand(hand)
    reply = seat.app.reconciliations.wait()
    row = only(reply)
    assert (row.state, reply.exit_code, list(row.candidates)) == (S.UNKNOWN, 8, seat.book())
    assert "Opened late, so it may be a manual trade or one from another computer: " in row.sentence


def test_two_orders_alike_that_left_no_deal_end_the_waiting_and_take_a_person(seats: Seats) -> None:
    seat, hand = seats(), seats()
    (long,) = seat.open(size="2").deal_ids
    attempt_id = lose(seat, landed=True, later_s=0, side=Side.SELL, size="1")
    by_hand(hand, "SELL", "1")
    assert seat.book() == []

    reply = seat.app.reconciliations.wait()

    row = only(reply)
    assert (row.state, reply.exit_code, row.next) == (S.UNKNOWN, 8, f"capcli resolve {attempt_id}")
    assert row.sentence.endswith(f" It may be {long}. An order like it reduced {long}, open before the send.")


def test_of_two_lost_orders_alike_the_one_that_landed_is_told_so_whichever_is_named(seat: Seat) -> None:
    first = make_absent(seat)
    second = lose(seat, landed=True)
    row = only(reconcile(seat, first))
    assert (row.state, row.candidates, row.deal_ids) == (S.ABSENT, (), ())
    replayed = seat.execute(held(seat, first).preview_id or "").data
    assert replayed.state is S.ABSENT
    row = only(reconcile(seat, second))
    assert (row.state, list(row.deal_ids)) == (S.LANDED, seat.book())
    assert [one.state for one in reconcile(seat).data.attempts] == [S.ABSENT]
    assert not events(seat, "late_landing")


def test_an_order_that_was_found_is_no_rival_of_one_that_is_lost(seat: Seat) -> None:
    first = lose(seat, landed=True)
    assert only(reconcile(seat)).state is S.LANDED
    second = lose(seat, landed=True)
    with seat.app.journal._db.transaction() as connection:
        connection.execute(
            """UPDATE attempts SET (broker_time_at_send, last_byte_at) =
            (SELECT broker_time_at_send, last_byte_at FROM attempts WHERE id = ?) WHERE id = ?""",
            (second, first),
        )
    assert only(reconcile(seat, second)).state is S.LANDED


def test_a_deal_that_two_lost_orders_sent_at_the_same_time_may_be_decides_nothing(seat: Seat) -> None:
    first = lose(seat, landed=False)
    for pause in (QUIET_S, GAP_S):
        seat.time.tick(pause)
        reconcile(seat)
    second = lose(seat, landed=True)
    # As two machines would: their windows lie on each other.
    db = seat.app.journal._db
    with db.transaction() as connection:
        connection.execute(
            """UPDATE attempts SET (broker_time_at_send, last_byte_at) =
            (SELECT broker_time_at_send, last_byte_at FROM attempts WHERE id = ?) WHERE id = ?""",
            (second, first),
        )
    for named, other in ((first, second), (second, first)):
        row = only(reconcile(seat, named))
        assert (row.deal_ids, list(row.candidates)) == ((), seat.book())
        assert row.state is held(seat, named).state is not S.LANDED
        assert row.state is S.ABSENT or f"That also fits {other}." in row.sentence


def test_an_order_that_a_person_reduced_is_found_as_it_was_opened(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=True, size="2", stop=stop_at("24.50"))
    by_hand(hand, "SELL", "1")
    reply = reconcile(seat)
    row = only(reply)
    assert (reply.exit_code, row.state, list(row.deal_ids)) == (0, S.LANDED, seat.book())
    assert row.sentence.startswith("Bought 2 SILVER at ")
    assert held(seat, attempt_id).protected is Protection.YES


def test_an_order_that_a_person_reduced_is_never_absent_while_its_rows_are_late(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=True, size="2")
    by_hand(hand, "SELL", "1")
    activity(seat, lambda _: [])
    for pause in (QUIET_S, GAP_S, GAP_S):
        seat.time.tick(pause)
        row = only(reconcile(seat))
        assert (row.state, list(row.candidates)) == (S.UNKNOWN, seat.book())
    assert row.next == f"capcli resolve {attempt_id}"


def test_an_order_that_only_its_own_row_shows_is_told_as_that(seat: Seat) -> None:
    lose(seat, landed=True)
    seat.tap.breaks("GET", "/positions", before=says(200, {"positions": []}), times=99)
    activity(seat, lambda rows: [row for row in rows if row["type"] == "WORKING_ORDER"])
    row = only(reconcile(seat))
    assert (row.state, row.candidates) == (S.UNKNOWN, ())
    assert "The activity shows an order like it (" in row.sentence
    assert row.next == f"capcli reconcile {row.attempt_id} --wait"
    seat.time.tick(QUIET_S)
    assert only(reconcile(seat)).next == f"capcli resolve {row.attempt_id}"


def lose_an_order_and_a_close(seat: Seat) -> tuple[str, str]:
    """Leave an order that landed and a close that was not made, both without an answer."""
    deal = seat.open().deal_id or ""
    placed = lose(seat, landed=True, size="2")
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=2)
    return placed, seat.app.closings.close(deal, confirmed=True).data.attempt_id


def test_what_is_settled_hides_nothing_that_may_be_live(seat: Seat) -> None:
    placed, closing = lose_an_order_and_a_close(seat)
    reply = reconcile(seat)
    found = {row.attempt_id: row.state for row in reply.data.attempts}
    assert (list(found), found[placed], found[closing]) == ([placed, closing], S.LANDED, S.UNKNOWN)
    assert (reply.exit_code, reply.problem.details["attempt_id"]) == (8, closing)


def test_waiting_tells_of_what_its_first_look_settled_too(seat: Seat) -> None:
    placed, closing = lose_an_order_and_a_close(seat)
    found = seat.app.reconciliations.wait().data.attempts
    assert {row.attempt_id: row.state for row in found} == {placed: S.LANDED, closing: S.ABSENT}


def test_an_equal_order_without_a_deal_is_named_beside_the_deal_that_fits(seat: Seat) -> None:
    lose(seat, landed=True)

    def with_another(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        orders = [row for row in rows if (row["type"], row["source"]) == ("WORKING_ORDER", "USER")]
        return [*({**row, "dealId": "another"} for row in orders), *rows]

    activity(seat, with_another)
    row = only(reconcile(seat))
    assert (row.state, list(row.candidates)) == (S.UNKNOWN, seat.book())
    assert "The activity shows an order like it (another) and no deal of it yet." in row.sentence


def moved_by_hand(seat: Seat, level: str) -> str:
    (order,) = seat.app.broker.orders()
    body = f'{{"level":{level}}}'.encode()
    assert seat.app.broker.send("PUT", f"/workingorders/{order.deal_id}", body).status == 200
    seat.time.tick(1)
    return order.deal_id


def test_a_working_order_that_a_person_moved_is_found_as_it_was_made(seat: Seat) -> None:
    lose(seat, "/workingorders", landed=True, trigger=RESTING)
    deal = moved_by_hand(seat, "20.2")
    reply = reconcile(seat)
    row = only(reply)
    assert (reply.exit_code, row.state, row.deal_ids) == (0, S.LANDED, (deal,))
    assert row.sentence.startswith("LIMIT order to BUY 1.5 SILVER at 20 is waiting, now at 20.2.")
    assert row.next == f"capcli orders {deal}"


def test_a_working_order_that_a_person_moved_is_never_absent_while_its_rows_are_late(seat: Seat) -> None:
    lose(seat, "/workingorders", landed=True, trigger=RESTING)
    deal = moved_by_hand(seat, "20.2")
    activity(seat, lambda _: [])
    for pause in (QUIET_S, GAP_S, GAP_S):
        seat.time.tick(pause)
        row = only(reconcile(seat))
        assert (row.state, row.candidates) == (S.UNKNOWN, (deal,))


def test_a_hand_trade_of_another_size_is_nothing_of_ours_once_its_rows_say_so(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=False, size="2")
    by_hand(hand, "BUY", "1")
    for pause in (QUIET_S, GAP_S):
        seat.time.tick(pause)
        reconcile(seat)
    assert held(seat, attempt_id).state is S.ABSENT


def test_after_a_day_nobody_looks_any_more(seats: Seats, time: Time) -> None:
    seat, hand = seats(), seats()
    attempt_id = make_absent(seat)
    time.tick(timedelta(hours=24).total_seconds())
    by_hand(hand)
    assert reconcile(seat).data.attempts == ()
    assert held(seat, attempt_id).state is S.ABSENT


def test_several_that_fit_are_listed_and_decide_nothing(seats: Seats) -> None:  # E1
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=True)
    by_hand(hand)
    reply = reconcile(seat)
    row = only(reply)
    assert (row.state, reply.exit_code, set(row.candidates)) == (S.UNKNOWN, 8, set(seat.book()))
    assert set(reply.problem.details["deal_ids"]) == set(seat.book())
    assert row.next == f"capcli resolve {attempt_id}"


def test_what_landed_and_was_closed_again_is_found_in_the_activity(seat: Seat) -> None:  # E3
    lose(seat, landed=True, stop=stop_at("24.50"))
    (deal,) = seat.book()
    seat.app.broker.send("DELETE", f"/positions/{deal}", None)
    seat.time.tick(2)
    reply = reconcile(seat)
    row = only(reply)
    assert (reply.exit_code, row.state, row.deal_ids) == (0, S.LANDED, (deal,))
    assert row.sentence.startswith("Bought 1.5 SILVER at ")
    assert "It is closed already." in row.sentence
    assert row.next == "capcli positions"


def activity(seat: Seat, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Let the activity be what a test makes of it."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        return httpx.Response(200, json={"activities": change(body["activities"])})

    seat.tap.breaks("GET", "/history/activity", before=answer, times=99)


def test_rows_that_come_late_cause_no_early_verdict(seat: Seat) -> None:  # E4
    attempt_id = lose(seat, landed=True)
    (deal,) = seat.book()
    seat.app.broker.send("DELETE", f"/positions/{deal}", None)
    activity(seat, lambda _: [])
    seat.time.tick(60)
    assert only(reconcile(seat)).state is S.UNKNOWN
    seat.tap.mend()
    assert only(reconcile(seat, attempt_id)).state is S.LANDED


def test_a_row_without_its_price_is_no_verdict_and_no_absence(seat: Seat) -> None:
    attempt_id = lose(seat, landed=True)
    (deal,) = seat.book()
    seat.app.broker.send("DELETE", f"/positions/{deal}", None)

    def unpriced(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            row["details"]["level"] = 0
        return rows

    activity(seat, unpriced)
    for pause in (2, QUIET_S, GAP_S):
        seat.time.tick(pause)
        assert only(reconcile(seat)).state is S.UNKNOWN
    assert held(seat, attempt_id).absent_seen_at is None
    seat.tap.mend()
    assert only(reconcile(seat)).state is S.LANDED


def test_a_refusal_that_only_the_activity_tells_is_a_refusal(seat: Seat) -> None:  # E12
    attempt_id = lose(seat, landed=False)
    row = {
        "date": "2026-03-02T13:00:05",
        "dateUTC": seat.time.now().strftime("%Y-%m-%dT%H:%M:%S"),
        "epic": "SILVER",
        "dealId": "refused-1",
        "source": "SYSTEM",
        "type": "WORKING_ORDER",
        "status": "REJECTED",
        "details": {"size": 1.5, "direction": "BUY", "level": 0},
    }
    activity(seat, lambda rows: [row, *rows])
    reply = reconcile(seat)
    found = only(reply)
    assert (reply.exit_code, found.state, found.sentence) == (
        0,
        S.REJECTED,
        "The broker rejected it: its activity gives no reason. Nothing was opened.",
    )
    assert seat.execute(held(seat, attempt_id).preview_id or "").exit_code == 6


def test_an_order_that_reduced_opposite_deals_is_found_by_what_they_lost(seats: Seats) -> None:  # E7
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "1")
    by_hand(hand, "SELL", "1")
    attempt_id = lose(seat, landed=True)
    row = only(reconcile(seat))
    assert (row.state, row.exit_code, len(row.deal_ids)) == (S.LANDED, 0, 2)
    assert row.sentence.startswith("Bought 1.5 SILVER at ")
    assert "It closed 1.5 (about -0.0" in row.sentence
    assert "USD) and opened nothing. The answer was lost; what the account shows" in row.sentence
    assert held(seat, attempt_id).order_id


def test_what_was_left_after_netting_is_read_back_with_its_stop(seats: Seats) -> None:
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "1")
    lose(seat, landed=True, stop=stop_at("24.50"))
    row = only(reconcile(seat))
    assert (row.state, row.deal_ids[0]) == (S.LANDED, seat.book()[0])
    assert held(seat, row.attempt_id).protected is Protection.YES


def test_an_opposite_deal_that_was_closed_by_hand_is_no_trace_of_an_order(seats: Seats) -> None:
    seat, hand = seats(), seats()
    by_hand(hand, "SELL", "1.5")
    (deal,) = seat.book()
    lose(seat, landed=False)
    hand.app.broker.send("DELETE", f"/positions/{deal}", None)
    seat.time.tick(QUIET_S)
    row = only(reconcile(seat))
    assert (row.state, row.candidates) == (S.UNKNOWN, (deal,))


RESTING = Trigger(D("20"), OrderType.LIMIT)


def test_a_lost_working_order_that_waits_is_found(seat: Seat) -> None:
    lose(seat, "/workingorders", landed=True, trigger=RESTING)
    row = only(reconcile(seat))
    assert (row.state, row.sentence.split(" is waiting")[0]) == (
        S.LANDED,
        "LIMIT order to BUY 1.5 SILVER at 20",
    )


def test_a_lost_working_order_that_was_cancelled_is_found_in_the_activity(seat: Seat) -> None:
    lose(seat, "/workingorders", landed=True, trigger=RESTING)
    (order,) = seat.app.broker.orders()
    seat.app.broker.send("DELETE", f"/workingorders/{order.deal_id}", None)
    seat.time.tick(2)
    row = only(reconcile(seat))
    assert (row.state, row.deal_ids, row.exit_code) == (S.LANDED, (order.deal_id,), 0)
    assert "at 20: it is cancelled already." in row.sentence


def near(seat: Seat) -> Trigger:
    """Return a working order that fills within minutes."""
    quote = seat.app.broker.market("SILVER").quote
    return Trigger(quote.offer - D("0.01"), OrderType.LIMIT)


def test_a_lost_working_order_that_was_filled_names_its_position(seat: Seat) -> None:  # E9
    attempt_id = lose(seat, "/workingorders", landed=True, trigger=near(seat))
    for _ in range(200):
        seat.time.tick(30)
        if seat.app.broker.positions():
            break
    (deal,) = seat.book()
    row = only(reconcile(seat, attempt_id))
    assert (row.state, row.deal_ids, row.next) == (S.LANDED, (deal,), f"capcli positions {deal}")
    assert "it was filled" in row.sentence


def test_an_acknowledged_order_is_never_absent(seat: Seat) -> None:
    seat.confirms_after(9999)
    shown = seat.preview()
    assert seat.execute(shown.preview_id).data.state is S.ACKED
    (deal,) = seat.book()
    seat.app.broker.send("DELETE", f"/positions/{deal}", None)
    activity(seat, lambda _: [])
    for pause in (2, QUIET_S, GAP_S, GAP_S):
        seat.time.tick(pause)
        assert only(reconcile(seat)).state is S.ACKED
    seat.tap.mend()
    assert only(reconcile(seat)).state is S.LANDED


@pytest.mark.parametrize("state", [S.CLAIMED, S.SENDING])
def test_what_a_dead_process_left_is_settled(seats: Seats, monkeypatch: Any, state: AttemptState) -> None:
    seat, other = seats(), seats()
    shown = seat.preview()

    def die(*_: object, **__: object) -> None:
        raise Crash

    place = (
        (seat.app.journal, "move") if state is S.CLAIMED else (seat.app.orders.broker._changes, "_send_now")
    )
    monkeypatch.setattr(place[0], place[1], die)
    with pytest.raises(Crash):
        seat.execute(shown.preview_id)
    row = only(reconcile(other))
    assert row.state_before is state
    assert (row.state, row.exit_code) == ((S.NOT_SENT, 0) if state is S.CLAIMED else (S.UNKNOWN, 8))


class Crash(BaseException):
    """The process dies here."""


def test_two_reconciles_settle_once(seats: Seats) -> None:  # D7
    seat, other = seats(), seats()
    attempt_id = lose(seat, landed=True)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: only(reconcile(one, attempt_id)).state, (seat, other)))
    assert done == [S.LANDED, S.LANDED]
    moves = seat.app.journal._db.rows(
        "SELECT seq FROM events WHERE attempt_id = ? AND to_state = 'LANDED'", (attempt_id,)
    )
    assert len(moves) == 1


def test_a_sender_whose_claim_was_settled_sends_nothing(seats: Seats, monkeypatch: Any) -> None:  # D6
    seat, other = seats(), seats()
    shown = seat.preview()
    real, told = seat.app.journal.move, []

    def waits(attempt_id: str, *states: Any, **facts: Any) -> bool:
        if not told:
            told.append(None)
            for lock in (seat.home / "locks").iterdir():
                lock.unlink()
            told.append(only(reconcile(other, attempt_id)))
        return real(attempt_id, *states, **facts)

    monkeypatch.setattr(seat.app.journal, "move", waits)
    reply = seat.execute(shown.preview_id)
    assert told[1].state is S.NOT_SENT
    assert (reply.data.state, reply.exit_code) == (S.NOT_SENT, 7)
    assert not seat.tap.orders()


def test_reconcile_waits_for_a_sender_and_says_so(seats: Seats) -> None:
    seat, other = seats(), seats()
    shown, told = seat.preview(), []
    seat.tap.breaks("POST", "/positions", before=lambda _: told.append(refusal(lambda: reconcile(other))))
    seat.execute(shown.preview_id)
    assert told[0].code == "BUSY"


def test_waiting_ends_with_the_verdict_and_keeps_the_first_state(seat: Seat, time: Time) -> None:
    attempt_id = lose(seat, landed=False)
    before = time.now()
    reply = seat.app.reconciliations.wait(attempt_id)
    row = only(reply)
    assert (row.state_before, row.state, reply.exit_code) == (S.UNKNOWN, S.ABSENT, 8)
    assert timedelta(seconds=140) <= time.now() - before <= timedelta(seconds=200)


def test_others_proceed_while_somebody_waits(seats: Seats, monkeypatch: Any, time: Time) -> None:
    seat, other = seats(), seats()
    deal = seat.open(size="2").deal_id
    lose(seat, landed=False)
    real, closed = time.sleep, []

    def between(seconds: float) -> None:
        real(seconds)
        if not closed and seconds == 5:
            closed.append(None)
            closed[0] = other.app.closings.close(deal, confirmed=True).exit_code

    Reconciliations(replace(seat.app.orders, sleep=between)).wait()
    assert closed == [0]


def test_waiting_ends_where_only_a_person_can_decide(seats: Seats) -> None:
    seat, hand = seats(), seats()
    lose(seat, landed=True)
    by_hand(hand)
    reply = seat.app.reconciliations.wait()
    assert (only(reply).state, reply.exit_code) == (S.UNKNOWN, 8)
    assert f"It may be any of {', '.join(only(reply).candidates)}." in only(reply).sentence


def until(seat: Seat, moment: Callable[[], object]) -> Reconciliations:
    """Return what lets something happen while `wait` waits for the first time."""
    real, happened = seat.time.sleep, []

    def sleep(seconds: float) -> None:
        real(seconds)
        if not happened:
            happened.append(moment())

    return Reconciliations(replace(seat.app.orders, sleep=sleep))


def test_waiting_goes_on_while_another_process_is_sending(seats: Seats) -> None:
    seat, other = seats(), seats()
    lose(seat, landed=True)
    sending = other.app.orders.lock("paper", "paper", FIRST_ACCOUNT)
    sending.__enter__()
    waiting = until(seat, lambda: sending.__exit__(None, None, None))
    assert only(waiting.wait()).state is S.LANDED


def test_waiting_goes_on_where_the_account_cannot_be_read_yet(seat: Seat) -> None:
    lose(seat, landed=True)
    seat.tap.breaks("GET", "/positions", before=says(500, text=""), times=99)
    waiting = until(seat, seat.tap.mend)
    assert only(waiting.wait()).state is S.LANDED


def test_waiting_goes_on_where_a_close_cannot_be_read_yet(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=2)
    seat.app.closings.close(deal, confirmed=True)
    seat.time.tick(QUIET_S)
    seat.tap.breaks("GET", f"/positions/{deal}", before=says(500, text=""), times=99)
    waiting = until(seat, seat.tap.mend)
    assert only(waiting.wait()).state is S.ABSENT


def test_waiting_goes_on_for_an_order_whose_answer_was_about_another(seat: Seat) -> None:
    first = seat.open(size="2")
    seat.time.tick(2)
    shown = seat.preview()
    seat.tap.breaks("POST", "/positions", before=says(200, {"dealReference": first.deal_reference}))
    lost = seat.execute(shown.preview_id).data
    assert held(seat, lost.attempt_id).answered_for == first.attempt_id
    assert only(seat.app.reconciliations.wait()).state is S.ABSENT


def test_waiting_ends_where_several_refusals_fit(seat: Seat) -> None:
    lose(seat, landed=False)
    at = (seat.time.now() - timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S")

    def refused(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        details = {"size": 1.5, "direction": "BUY", "level": 0}
        row = {"type": "WORKING_ORDER", "status": "REJECTED", "source": "SYSTEM", "epic": "SILVER"}
        row |= {"dateUTC": at, "date": at, "details": details}
        return [*rows, *({**row, "dealId": name} for name in ("d-8", "d-9"))]

    activity(seat, refused)
    row = only(seat.app.reconciliations.wait())
    assert (row.state, row.exit_code) == (S.UNKNOWN, 8)
    assert "Its activity shows 2 refusals that fit." in row.sentence


def test_an_acknowledged_order_that_nothing_shows_is_not_called_absent(seat: Seat) -> None:
    seat.confirms_after(9999)
    done = seat.execute(seat.preview().preview_id, wait_s=0).data
    seat.tap.breaks("GET", "/positions", before=says(200, {"positions": []}), times=9)
    activity(seat, lambda _: [])
    seat.time.tick(QUIET_S)
    row = only(reconcile(seat))
    assert row.sentence.endswith("The broker acknowledged it, so that is no proof.")
    assert row.next == f"capcli resolve {done.attempt_id}"


def test_an_attempt_of_another_account_is_refused(seats: Seats) -> None:
    attempt_id = lose(seats(), landed=False)
    other = seats(options=Options(account=SECOND_ACCOUNT))
    error = refusal(lambda: reconcile(other, attempt_id))
    assert (error.code, error.next) == (
        "ATTEMPT_ELSEWHERE",
        f"capcli reconcile {attempt_id} --account {FIRST_ACCOUNT}",
    )
    assert not other.tap.requests


def test_a_wait_that_is_interrupted_leaves_the_attempt_as_it_is(seat: Seat) -> None:
    attempt_id = lose(seat, landed=False)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Reconciliations(replace(seat.app.orders, sleep=interrupt)).wait()
    assert held(seat, attempt_id).state is S.UNKNOWN


@pytest.mark.parametrize("text", ["a_1", "p_000000000001", ""])
def test_what_is_no_attempt_id_is_a_usage_error(seat: Seat, text: str) -> None:
    assert int(refusal(lambda: reconcile(seat, text)).exit_code) == 2


def test_an_unknown_attempt_is_refused(seat: Seat) -> None:
    error = refusal(lambda: reconcile(seat, "a_999999999999"))
    assert (error.code, int(error.exit_code)) == ("ATTEMPT_UNKNOWN", 5)


def test_an_attempt_of_another_environment_is_refused(seats: Seats) -> None:
    seat = seats()
    other = seats(CAP_ENV="demo", CAP_API_KEY="k", CAP_IDENTIFIER="i", CAP_API_PASSWORD="p")
    attempt_id = lose(seat, landed=False)
    error = refusal(lambda: reconcile(other, attempt_id))
    assert (error.code, error.next) == ("ATTEMPT_ELSEWHERE", f"capcli reconcile {attempt_id} --env paper")
    assert not other.tap.requests


@pytest.mark.parametrize("closed", [True, False])
def test_a_close_that_hangs_is_settled_by_the_book(seat: Seat, closed: bool) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", **{"after" if closed else "before": LOST}, times=2)
    hidden = [False]

    def hide(_: httpx.Request) -> httpx.Response | None:
        if hidden[0]:
            return says(500, text="")
        hidden[0] = True
        return None

    seat.tap.breaks("GET", f"/positions/{deal}", before=hide, times=99)
    problem = seat.app.closings.close(deal or "", confirmed=True).problem
    assert problem is not None
    assert problem.code == "CLOSE_UNKNOWN"
    seat.tap.mend()
    seat.time.tick(QUIET_S)
    row = only(reconcile(seat))
    assert (row.state, row.exit_code) == (S.LANDED if closed else S.ABSENT, 0)
    ended = "is done." if closed else "was not made (the position is still open)."
    assert (row.sentence, row.deal_ids) == (f"The close of {deal} {ended}", (deal,))


@pytest.mark.parametrize("made", [True, False])
def test_an_amendment_that_hangs_is_settled_by_the_position(seat: Seat, made: bool) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id or ""
    seat.time.tick(2)
    seat.tap.breaks("PUT", "/positions", **{"after" if made else "before": LOST}, times=2)

    def hide(_: httpx.Request) -> httpx.Response | None:
        return says(500, text="") if "PUT /positions" in " ".join(seat.tap.seen()) else None

    seat.tap.breaks("GET", f"/positions/{deal}", before=hide, times=99)
    change = Change(stop=stop_at("25"))
    reply = seat.app.amendments.amend(deal, change, confirmed=True)
    assert reply.exit_code == 8
    row = only(reconcile(seat))
    assert (row.state, row.exit_code, row.next) == (S.UNKNOWN, 8, f"capcli resolve {row.attempt_id}")
    seat.tap.mend()
    seat.time.tick(QUIET_S)
    row = only(reconcile(seat))
    assert (row.state, row.exit_code, row.deal_ids) == (S.LANDED if made else S.ABSENT, 0, (deal,))
    assert row.evidence == (Evidence.INFERRED if made else Evidence.NONE)
    assert held(seat, row.attempt_id).deal_ids == ((deal,) if made else ())
    assert row.next == "capcli positions"
    assert row.sentence.startswith(f"The amendment of {deal} ")


def test_the_numbers_of_a_twin_count_not_its_digits(seat: Seat) -> None:
    seat.open(size="1.5")
    twin = seat.preview(size="1.50")
    assert refusal(lambda: seat.execute(twin.preview_id)).code == "DUPLICATE"


def test_the_side_of_a_twin_counts(seat: Seat) -> None:
    seat.open()
    assert seat.execute(seat.preview(side=Side.SELL).preview_id).exit_code == 0


def test_a_trace_after_the_first_clean_look_begins_the_count_again(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=False)
    seat.time.tick(QUIET_S)
    reconcile(seat)
    assert held(seat, attempt_id).absent_seen_at is not None
    by_hand(hand)
    by_hand(hand)
    assert only(reconcile(seat)).state is S.UNKNOWN
    assert held(seat, attempt_id).absent_seen_at is None
    written = seat.app.journal._db.rows("SELECT max(seq) FROM events")[0][0]
    assert only(reconcile(seat)).state is S.UNKNOWN
    assert seat.app.journal._db.rows("SELECT max(seq) FROM events")[0][0] == written, "nothing new was seen"


def test_the_deal_of_another_attempt_is_no_candidate(seat: Seat) -> None:
    lose(seat, landed=True)
    (first,) = only(reconcile(seat)).deal_ids
    lose(seat, landed=True)
    (second,) = only(reconcile(seat)).deal_ids
    assert first != second
