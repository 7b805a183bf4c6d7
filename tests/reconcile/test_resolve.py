"""Resolve: a person decides where evidence does not, and never against it."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.attempt import AttemptState, Evidence, Protection
from capcli.domain.bracket import Change
from capcli.domain.order import Kind, Trigger
from tests.reconcile.test_reconcile import (
    GAP_S,
    LOST,
    QUIET_S,
    RESTING,
    activity,
    by_hand,
    events,
    held,
    lose,
    make_absent,
    make_late,
    moved_by_hand,
    reconcile,
)
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal
S = AttemptState


def resolve(seat: Seat, attempt_id: str, **said: Any) -> Any:
    return seat.app.resolutions.resolve(attempt_id, confirmed=said.pop("confirmed", True), **said)


def several(seats: Seats, **changes: Any) -> tuple[Seat, str]:
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=True, **changes)
    by_hand(hand)
    return seat, attempt_id


def test_without_a_verdict_it_shows_what_fits(seats: Seats) -> None:
    seat, attempt_id = several(seats)
    reply = resolve(seat, attempt_id, confirmed=False)
    assert (reply.exit_code, set(reply.data.candidates)) == (8, set(seat.book()))
    assert f"Say which: capcli resolve {attempt_id} --landed DEAL" in reply.data.sentence
    assert all(deal in reply.data.sentence for deal in seat.book())
    assert reply.data.next == "capcli positions"


def test_the_deal_that_a_person_names_is_the_order(seats: Seats) -> None:
    seat, attempt_id = several(seats, stop=stop_at("24.50"))
    ours = next(row.deal_id for row in seat.app.broker.positions() if row.stop_level)
    assert resolve(seat, attempt_id).data.candidates[0] == ours
    reply = resolve(seat, attempt_id, landed=ours)
    row = reply.data
    assert (reply.exit_code, row.state, row.evidence) == (0, S.LANDED, Evidence.HUMAN)
    assert (row.deal_ids, held(seat, attempt_id).protected) == ((ours,), Protection.YES)
    assert "a person named the deal" in row.sentence
    assert seat.open(size="2").state is S.LANDED


def test_a_deal_without_the_stop_that_was_asked_is_told(seats: Seats) -> None:
    seat, attempt_id = several(seats, stop=stop_at("24.50"))
    bare = next(row.deal_id for row in seat.app.broker.positions() if not row.stop_level)
    assert resolve(seat, attempt_id, landed=bare).exit_code == 9


def test_a_deal_that_does_not_fit_is_refused(seats: Seats) -> None:
    seat, attempt_id = several(seats)
    error = refusal(lambda: resolve(seat, attempt_id, landed="somebody-elses"))
    assert (error.code, int(error.exit_code)) == ("EVIDENCE_AGAINST", 5)
    assert set(error.details["candidates"]) == set(seat.book())
    assert "could not be read" not in error.message
    assert held(seat, attempt_id).state is S.UNKNOWN


def test_not_placed_is_refused_while_a_deal_fits(seats: Seats) -> None:
    seat, attempt_id = several(seats)
    assert refusal(lambda: resolve(seat, attempt_id, not_placed=True)).code == "EVIDENCE_AGAINST"
    assert held(seat, attempt_id).state is S.UNKNOWN


def test_an_order_without_a_trace_is_settled_by_a_person(seat: Seat) -> None:
    attempt_id = make_absent(seat)
    assert resolve(seat, attempt_id).exit_code == 8
    reply = resolve(seat, attempt_id, not_placed=True)
    assert (reply.exit_code, reply.data.state, reply.data.evidence) == (0, S.NOT_SENT, Evidence.HUMAN)
    assert reply.data.sentence == "It was not placed: a person settled that."
    assert reconcile(seat).data.attempts == ()


def test_a_day_later_a_person_still_can(seat: Seat, time: Time) -> None:
    attempt_id = make_absent(seat)
    time.tick(3 * 86_400)
    assert resolve(seat, attempt_id, not_placed=True).data.state is S.NOT_SENT


def late_trade(seats: Seats, *, absent: bool) -> tuple[Seat, str, str]:
    """Let somebody trade the same by hand, after the quiet period of an order that did not land."""
    seat, hand = seats(), seats()
    attempt_id = make_absent(seat) if absent else lose(seat, landed=False)
    seat.time.tick(QUIET_S)
    by_hand(hand)
    (deal,) = seat.book()
    return seat, attempt_id, deal


@pytest.mark.parametrize("absent", [True, False])
def test_a_possible_late_landing_is_what_a_person_says(seats: Seats, *, absent: bool) -> None:
    seat, attempt_id, deal = late_trade(seats, absent=absent)
    shown = resolve(seat, attempt_id, confirmed=False).data
    assert shown.candidates == (deal,)
    command = f"capcli resolve {attempt_id} --landed DEAL"
    assert f"Say which (--not-placed if you opened it yourself): {command}" in shown.sentence
    row = resolve(seat, attempt_id, landed=deal).data
    assert (row.state, row.evidence, row.deal_ids) == (S.LANDED, Evidence.HUMAN, (deal,))
    assert events(seat, "late_landing") == ([attempt_id] if absent else [])


def test_too_early_a_trade_by_hand_is_nobodys_word(seat: Seat) -> None:
    attempt_id = lose(seat, landed=False)
    seat.time.tick(40)
    by_hand(seat)
    error = refusal(lambda: resolve(seat, attempt_id, not_placed=True))
    assert (error.code, "too early" in error.message) == ("EVIDENCE_AGAINST", True)
    assert held(seat, attempt_id).state is S.UNKNOWN


@pytest.mark.parametrize("absent", [True, False])
def test_a_trade_by_hand_after_the_quiet_period_can_be_said_to_be_one(seats: Seats, *, absent: bool) -> None:
    seat, attempt_id, _ = late_trade(seats, absent=absent)
    row = resolve(seat, attempt_id, not_placed=True).data
    assert (row.state, row.evidence) == (S.NOT_SENT, Evidence.HUMAN)
    assert reconcile(seat).data.attempts == ()


def test_a_live_order_that_a_person_reduced_is_not_said_away(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=True, size="2")
    by_hand(hand, "SELL", "1")
    activity(seat, lambda _: [])
    seat.time.tick(QUIET_S + GAP_S)
    (deal,) = seat.book()
    error = refusal(lambda: resolve(seat, attempt_id, not_placed=True))
    assert (error.code, deal in error.message) == ("EVIDENCE_AGAINST", True)
    assert error.next == f"capcli resolve {attempt_id} --landed {deal}"
    row = resolve(seat, attempt_id, landed=deal).data
    assert (row.state, row.deal_ids) == (S.LANDED, (deal,))


def test_a_live_working_order_that_a_person_moved_can_be_named_and_not_said_away(seat: Seat) -> None:
    attempt_id = lose(seat, "/workingorders", landed=True, trigger=RESTING)
    deal = moved_by_hand(seat, "20.2")
    activity(seat, lambda _: [])
    seat.time.tick(QUIET_S + GAP_S)
    error = refusal(lambda: resolve(seat, attempt_id, not_placed=True))
    assert (error.code, deal in error.message) == ("EVIDENCE_AGAINST", True)
    assert resolve(seat, attempt_id, landed=deal).data.state is S.LANDED


def test_a_person_may_name_a_new_deal_of_another_size_whatever_its_rows_say(seats: Seats) -> None:
    seat, hand = seats(), seats()
    attempt_id = lose(seat, landed=False, size="2")
    by_hand(hand, "BUY", "1")
    (deal,) = seat.book()
    row = resolve(seat, attempt_id, landed=deal).data
    assert (row.state, row.evidence, row.deal_ids) == (S.LANDED, Evidence.HUMAN, (deal,))


@pytest.mark.parametrize("which", ["baseline", "owned", "other side"])
def test_a_deal_that_cannot_be_the_order_is_refused_by_any_name(seats: Seats, which: str) -> None:
    seat, hand = seats(), seats()
    if which == "baseline":
        by_hand(hand, "BUY", "1")
    attempt_id = make_absent(seat)
    if which == "owned":
        seat.open(size="2")
    if which == "other side":
        by_hand(hand, "SELL", "1")
    (deal,) = seat.book()
    error = refusal(lambda: resolve(seat, attempt_id, landed=deal))
    assert (error.code, held(seat, attempt_id).state) == ("EVIDENCE_AGAINST", S.ABSENT)


def test_an_order_that_landed_late_is_not_said_away(seat: Seat) -> None:
    attempt_id = make_late(seat)
    error = refusal(lambda: resolve(seat, attempt_id, not_placed=True))
    assert (error.code, held(seat, attempt_id).state) == ("EVIDENCE_AGAINST", S.LANDED)
    assert events(seat, "late_landing") == [attempt_id]


def test_it_is_too_early_before_the_quiet_period_is_over(seat: Seat) -> None:
    attempt_id = lose(seat, landed=False)
    error = refusal(lambda: resolve(seat, attempt_id, not_placed=True))
    assert (error.code, error.next) == ("EVIDENCE_AGAINST", f"capcli reconcile {attempt_id} --wait")


def test_an_account_that_cannot_be_read_supports_no_verdict(seat: Seat) -> None:
    attempt_id = make_absent(seat)
    seat.tap.breaks("GET", "/positions", before=says(500, text=""), times=99)
    assert refusal(lambda: resolve(seat, attempt_id, not_placed=True)).code == "EVIDENCE_AGAINST"
    assert held(seat, attempt_id).state is S.ABSENT


def test_what_landed_is_told_whatever_a_person_says(seat: Seat) -> None:
    attempt_id = lose(seat, landed=True)
    (deal,) = seat.book()
    reply = resolve(seat, attempt_id, landed=deal)
    assert (reply.data.state, reply.data.evidence) == (S.LANDED, Evidence.INFERRED)
    assert refusal(lambda: resolve(seat, attempt_id, landed="another")).code == "EVIDENCE_AGAINST"


@pytest.mark.parametrize("said", [{"landed": "d1"}, {"not_placed": True}])
def test_a_verdict_needs_a_confirmation(seat: Seat, said: dict[str, Any]) -> None:
    attempt_id = make_absent(seat)
    error = refusal(lambda: seat.app.resolutions.resolve(attempt_id, **said))
    words = "--not-placed" if "not_placed" in said else "--landed d1"
    assert (error.code, error.next) == ("NOT_CONFIRMED", f"capcli resolve {attempt_id} {words} --confirm")


def test_one_verdict_at_a_time(seat: Seat) -> None:
    error = refusal(lambda: resolve(seat, "a_000000000001", landed="d1", not_placed=True))
    assert int(error.exit_code) == 2


def test_an_acknowledged_order_that_left_no_trace_can_be_called_off(seat: Seat) -> None:
    seat.confirms_after(9999)
    attempt_id = seat.execute(seat.preview().preview_id).data.attempt_id
    (deal,) = seat.book()
    seat.app.orders.broker.send("DELETE", f"/positions/{deal}", None)
    seat.tap.breaks("GET", "/history/activity", before=says(200, {"activities": []}), times=99)
    assert refusal(lambda: resolve(seat, attempt_id, not_placed=True)).code == "EVIDENCE_AGAINST"
    seat.time.tick(QUIET_S + GAP_S)
    reply = resolve(seat, attempt_id, not_placed=True)
    assert (reply.data.state, reply.data.evidence, reply.exit_code) == (S.REJECTED, Evidence.HUMAN, 0)


def hang_a_close(seat: Seat) -> tuple[str, str]:
    """Leave a close whose process died in the middle; return its attempt and its deal."""
    deal = seat.open().deal_id or ""

    class Gone(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Gone

    real = seat.app.orders.broker._changes._send_now
    seat.app.orders.broker._changes._send_now = die  # type: ignore[method-assign]
    with pytest.raises(Gone):
        seat.app.closings.close(deal, confirmed=True)
    seat.app.orders.broker._changes._send_now = real  # type: ignore[method-assign]
    (attempt,) = seat.app.journal.unresolved("paper", "paper", seat.app.broker.account_id or "")
    return attempt.attempt_id, deal


def test_an_order_whose_process_died_in_the_send_is_what_a_person_says(
    seats: Seats, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, hand = seats(), seats()
    shown = seat.preview()
    broker = seat.app.orders.broker
    real = broker._changes._send_now

    def die(*args: Any, **options: Any) -> None:
        real(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(broker._changes, "_send_now", die)
    with pytest.raises(KeyboardInterrupt):
        seat.execute(shown.preview_id)
    by_hand(hand)
    (attempt,) = hand.app.journal.unresolved("paper", "paper", hand.app.broker.account_id or "")
    deal = hand.book()[0]
    row = resolve(hand, attempt.attempt_id, landed=deal).data
    assert (row.state_before, row.state, row.deal_ids) == (S.SENDING, S.LANDED, (deal,))


@pytest.mark.parametrize(("said", "state"), [("not_placed", S.ABSENT), ("landed", S.LANDED)])
def test_a_close_that_hangs_while_nothing_can_be_read_is_settled_by_a_person(
    seat: Seat, said: str, state: AttemptState
) -> None:
    attempt_id, deal = hang_a_close(seat)
    seat.tap.breaks("GET", f"/positions/{deal}", before=says(500, text=""), times=99)
    verdict: dict[str, Any] = {"landed": deal} if said == "landed" else {"not_placed": True}
    if said == "not_placed":
        assert refusal(lambda: resolve(seat, attempt_id, **verdict)).code == "EVIDENCE_AGAINST"
    seat.time.tick(QUIET_S)
    row = resolve(seat, attempt_id, **verdict).data
    assert (row.state, row.evidence, row.deal_ids) == (state, Evidence.HUMAN, (deal,))
    assert held(seat, attempt_id).deal_ids == ((deal,) if said == "landed" else ())


def test_a_close_is_about_its_own_deal(seat: Seat) -> None:
    attempt_id, deal = hang_a_close(seat)
    ways = f"If you know: --not-placed, or: capcli resolve {attempt_id} --landed {deal}"
    assert resolve(seat, attempt_id).data.sentence.endswith(ways)
    error = refusal(lambda: resolve(seat, attempt_id, landed="another"))
    assert error.details["candidates"] == [deal]


def test_an_acknowledged_order_waits_for_its_confirmation_and_lists_what_fits(seat: Seat) -> None:
    seat.confirms_after(3600)
    done = seat.execute(seat.preview().preview_id, wait_s=0).data
    assert done.state is S.ACKED
    row = seat.app.reconciliations.reconcile(done.attempt_id).data.attempts[0]
    assert row.sentence.endswith("The broker has not confirmed it yet.")
    assert row.next == f"capcli reconcile {done.attempt_id} --wait"
    shown = resolve(seat, done.attempt_id, confirmed=False).data
    assert list(shown.candidates) == seat.book()
    assert f"It may be {seat.book()[0]}. Say which" in shown.sentence


def test_a_look_that_fails_says_so(seat: Seat) -> None:
    attempt_id = lose(seat, landed=False)
    seat.tap.breaks("GET", "/positions", before=httpx.ReadTimeout("slow"), times=99)
    shown = resolve(seat, attempt_id, confirmed=False).data
    assert shown.sentence.endswith("The account could not be read, so no deals are listed.")
    assert shown.next == f"capcli resolve {attempt_id}"
    error = refusal(lambda: resolve(seat, attempt_id, landed="d1"))
    assert (error.details["candidates"], "could not be read; try again" in error.message) == ([], True)
    row = seat.app.reconciliations.reconcile(attempt_id).data.attempts[0]
    assert row.sentence.endswith("The account could not be read completely.")


def test_a_close_of_what_is_still_open_is_not_done_whatever_a_person_says(seat: Seat) -> None:
    attempt_id, deal = hang_a_close(seat)
    assert refusal(lambda: resolve(seat, attempt_id, landed=deal)).code == "EVIDENCE_AGAINST"
    assert seat.book() == [deal]


def lost_change(seat: Seat, kind: Kind) -> tuple[str, str]:
    """Lose a cancellation or an amendment of a working order, twice; return attempt and order."""
    order = seat.open(trigger=Trigger(D(26))).deal_id or ""
    method = "DELETE" if kind is Kind.CANCEL else "PUT"
    seat.tap.breaks(method, "/workingorders", before=LOST, times=2)
    if kind is Kind.CANCEL:
        seat.app.cancellations.cancel(order, confirmed=True)
    else:
        seat.app.order_amendments.amend(order, Change(level=D(27)), confirmed=True)
    (attempt,) = seat.app.journal.unresolved("paper", "paper", seat.app.broker.account_id or "")
    return attempt.attempt_id, order


def test_a_cancellation_of_an_order_that_still_waits_was_not_made_whatever_a_person_says(seat: Seat) -> None:
    attempt_id, order = lost_change(seat, Kind.CANCEL)
    body = b'{"epic":"SILVER","direction":"BUY","size":1,"level":20,"type":"LIMIT"}'
    assert seat.app.broker.send("POST", "/workingorders", body).status == 200
    error = refusal(lambda: resolve(seat, attempt_id, landed=order))
    assert (error.code, error.details["candidates"]) == ("EVIDENCE_AGAINST", [order])
    assert f"{order} is still there" in error.message


def test_an_amendment_leaves_its_order_waiting_and_is_what_a_person_says(seat: Seat) -> None:
    attempt_id, order = lost_change(seat, Kind.AMEND)
    row = resolve(seat, attempt_id, landed=order).data
    assert (row.state, row.evidence) == (S.LANDED, Evidence.HUMAN)


def test_an_order_is_not_said_away_at_the_first_look_without_a_trace(seat: Seat) -> None:
    attempt_id = lose(seat, landed=False)
    seat.time.tick(QUIET_S)
    assert refusal(lambda: resolve(seat, attempt_id, not_placed=True)).code == "EVIDENCE_AGAINST"
    assert held(seat, attempt_id).state is S.UNKNOWN
