"""A deal that is gone, or shows what was asked, proves nothing by itself: who did it decides."""

from typing import Any

import httpx
import pytest

from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.bracket import Change
from capcli.domain.order import Kind
from tests.reconcile.test_reconcile import GAP_S, QUIET_S, RESTING, activity, held, reconcile
from tests.support.seat import Seat, stop_at
from tests.support.tap import says

S = AttemptState
LOST = httpx.ReadTimeout("no answer")


def attempts(seat: Seat, kind: Kind) -> list[AttemptRecord]:
    """Return the attempts of a kind, as they were sent."""
    found = [one for one in seat.app.journal.attempts("paper", limit=50) if one.kind is kind]
    return sorted(found, key=lambda one: one.created_at)


def close(seat: Seat, deal: str) -> Any:
    seat.time.tick(2)
    return seat.app.closings.close(deal, confirmed=True)


def lose_a_close(seat: Seat, deal: str, broken: Any = LOST) -> AttemptRecord:
    """Close a position whose close never reaches the broker; return the attempt."""
    seat.tap.breaks("DELETE", "/positions", before=broken, times=2)
    assert close(seat, deal).problem.code == "CLOSE_UNKNOWN"
    seat.tap.mend()
    return attempts(seat, Kind.CLOSE)[-1]


def gone(seat: Seat, deal: str) -> None:
    """Let somebody else close a position."""
    seat.time.tick(2)
    assert seat.app.broker.send("DELETE", f"/positions/{deal}", None).status == 200
    seat.time.tick(2)


def test_closes_that_never_arrived_are_not_told_as_done(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    lost = [lose_a_close(seat, deal), lose_a_close(seat, deal, says(503, text="later"))]
    done = close(seat, deal).data.attempt_id
    rows = reconcile(seat).data.attempts
    assert [row.attempt_id for row in rows] == [one.attempt_id for one in lost]
    for row in rows:
        assert (row.state, row.exit_code, row.evidence) == (S.REJECTED, 0, Evidence.INFERRED)
        assert row.sentence == f"The close of {deal} was not made (closed by {done} instead)."
    assert [one.state for one in attempts(seat, Kind.CLOSE)] == [S.REJECTED, S.REJECTED, S.LANDED]
    assert reconcile(seat).data.attempts == ()


@pytest.mark.parametrize(
    ("source", "cause"),
    [("SL", "its stop"), ("TP", "its limit"), ("CLOSE_OUT", "the broker's margin close-out")],
)
def test_a_position_that_ended_by_itself_was_not_closed_by_a_lost_close(
    seat: Seat, source: str, cause: str
) -> None:
    deal = seat.open().deal_id or ""
    lose_a_close(seat, deal)
    gone(seat, deal)
    activity(seat, lambda rows: [row | {"source": source} for row in rows])
    (row,) = reconcile(seat).data.attempts
    assert (row.state, row.exit_code) == (S.REJECTED, 0)
    assert row.sentence == f"The close of {deal} was not made (the position was closed by {cause})."


def test_the_last_of_several_lost_closes_is_the_one_that_closed(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    first = lose_a_close(seat, deal)
    seat.tap.breaks("DELETE", "/positions", after=LOST, times=2)
    sent = len(seat.tap.seen("DELETE"))

    def blind(_: httpx.Request) -> httpx.Response | None:
        return says(500, text="") if len(seat.tap.seen("DELETE")) > sent else None

    seat.tap.breaks("GET", f"/positions/{deal}", before=blind, times=99)
    assert close(seat, deal).problem.code == "CLOSE_UNKNOWN"
    seat.tap.mend()
    second = attempts(seat, Kind.CLOSE)[-1]
    seat.time.tick(2)
    for named in (first, second):
        reconcile(seat, named.attempt_id)
    assert (held(seat, first.attempt_id).state, held(seat, second.attempt_id).state) == (S.REJECTED, S.LANDED)
    assert second.attempt_id in held(seat, first.attempt_id).note


def test_a_close_that_came_too_late_closed_nothing_itself(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    first = lose_a_close(seat, deal)
    seat.tap.breaks("DELETE", "/positions", before=lambda _: gone(seat, deal))
    late = close(seat, deal).data
    assert "had been closed already" in late.sentence
    (row,) = reconcile(seat).data.attempts
    assert (row.attempt_id, row.state) == (first.attempt_id, S.LANDED)


@pytest.mark.parametrize("broken", [says(500, text=""), says(200, text='{"activ')])
def test_what_ended_a_position_is_not_guessed_while_the_activity_cannot_be_read(
    seat: Seat, broken: httpx.Response
) -> None:
    deal = seat.open().deal_id or ""
    lose_a_close(seat, deal)
    gone(seat, deal)
    seat.time.tick(QUIET_S)
    seat.tap.breaks("GET", "/history/activity", before=broken, times=9)
    (row,) = reconcile(seat).data.attempts
    assert row.state is S.UNKNOWN


def test_a_cause_whose_row_is_late_is_waited_for_until_the_quiet_period_is_over(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    seat.time.tick(GAP_S)
    lose_a_close(seat, deal)
    gone(seat, deal)
    activity(seat, lambda _: [])
    assert reconcile(seat).data.attempts[0].state is S.UNKNOWN
    seat.time.tick(QUIET_S)
    assert reconcile(seat).data.attempts[0].state is S.LANDED


def lose_an_amendment(seat: Seat, deal: str, stop: str) -> AttemptRecord:
    seat.tap.breaks("PUT", "/positions", before=LOST, times=2)
    assert amend(seat, deal, stop).exit_code == 8
    seat.tap.mend()
    return attempts(seat, Kind.AMEND)[-1]


def amend(seat: Seat, deal: str, stop: str) -> Any:
    seat.time.tick(2)
    return seat.app.amendments.amend(deal, Change(stop=stop_at(stop)), confirmed=True)


def test_an_amendment_that_never_arrived_is_not_told_as_done_by_a_later_one_alike(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id or ""
    first = lose_an_amendment(seat, deal, "25")
    second = amend(seat, deal, "25").data
    assert second.state is S.LANDED
    (row,) = reconcile(seat).data.attempts
    assert (row.attempt_id, row.state, row.exit_code) == (first.attempt_id, S.REJECTED, 0)
    why = f"a later one, {second.attempt_id}, made the same change"
    assert row.sentence == f"The amendment of {deal} is not in force ({why})."


def test_an_amendment_that_a_later_one_replaced_is_not_said_never_to_have_been_made(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id or ""
    lose_an_amendment(seat, deal, "25")
    second = amend(seat, deal, "26").data
    seat.time.tick(QUIET_S)
    (row,) = reconcile(seat).data.attempts
    assert row.state is S.ABSENT
    assert (
        row.sentence == f"The amendment of {deal} is not in force "
        f"(a later one, {second.attempt_id}, changed the deal)."
    )


def test_an_amendment_alone_that_the_deal_shows_is_done(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id or ""
    first = lose_an_amendment(seat, deal, "25")
    body = b'{"stopLevel":25}'
    assert seat.app.broker.send("PUT", f"/positions/{deal}", body).status == 200
    (row,) = reconcile(seat).data.attempts
    assert (row.state, held(seat, first.attempt_id).protected) == (S.LANDED, Protection.YES)


def lose_a_cancellation(seat: Seat) -> tuple[str, AttemptRecord]:
    seat.execute(seat.preview(trigger=RESTING).preview_id)
    (order,) = seat.app.broker.orders()
    seat.tap.breaks("DELETE", "/workingorders", before=LOST, times=2)
    assert seat.app.cancellations.cancel(order.deal_id, confirmed=True).exit_code == 8
    seat.tap.mend()
    seat.time.tick(2)
    return order.deal_id, attempts(seat, Kind.CANCEL)[-1]


def test_a_cancellation_that_never_arrived_is_not_told_as_done_by_a_later_one(seat: Seat) -> None:
    deal, first = lose_a_cancellation(seat)
    second = seat.app.cancellations.cancel(deal, confirmed=True).data
    assert second.state is S.LANDED
    (row,) = reconcile(seat).data.attempts
    assert (row.attempt_id, row.state) == (first.attempt_id, S.REJECTED)
    assert (
        row.sentence == f"The cancellation of {deal} was not made (cancelled by {second.attempt_id} instead)."
    )


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("EXPIRED", "the order expired first"),
        ("EXECUTED", "the order was filled first"),
        ("REJECTED", "the broker dropped the order instead of filling it"),
    ],
)
def test_an_order_that_ended_by_itself_was_not_cancelled(seat: Seat, status: str, why: str) -> None:
    deal, _ = lose_a_cancellation(seat)
    assert seat.app.broker.send("DELETE", f"/workingorders/{deal}", None).status == 200
    seat.time.tick(2)
    ended = lambda row: row | {"status": status} if row["status"] == "CANCELLED" else row  # noqa: E731
    activity(seat, lambda rows: [ended(row) for row in rows])
    (row,) = reconcile(seat).data.attempts
    assert (row.state, row.sentence) == (S.REJECTED, f"The cancellation of {deal} was not made ({why}).")
