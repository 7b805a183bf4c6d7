"""What a confirmation and the book together tell of an order: its deals, its ending, its stop."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.domain.attempt import AttemptRecord, AttemptState, Ending, Evidence, Protection
from capcli.domain.market import Side
from capcli.domain.order import Kind, Trigger
from capcli.reconcile.reconciler import protection
from tests.domain.builders import an_order, distance
from tests.domain.test_matching import POSITION
from tests.reconcile.test_reconcile import (
    LOST,
    QUIET_S,
    by_hand,
    events,
    held,
    lose,
    make_absent,
    make_late,
    only,
    reconcile,
)
from tests.reconcile.test_resolve import lost_change
from tests.store.builders import a_close
from tests.support.seat import FIRST_ACCOUNT, Seat, stop_at
from tests.support.tap import says

D = Decimal
STOP = stop_at("24")
WAITS = Trigger(stop_at("26").value)


def kept(seat: Seat, **changes: Any) -> AttemptRecord:
    done = seat.open(**changes)
    found = seat.app.journal.attempt(done.attempt_id)
    assert found is not None
    assert (found.state, found.evidence) == (AttemptState.LANDED, Evidence.CONFIRM)
    return found


@pytest.mark.parametrize(
    ("changes", "ending", "protected"),
    [
        ({}, Ending.OPEN, Protection.NOT_ASKED),
        ({"stop": STOP}, Ending.OPEN, Protection.YES),
        ({"trigger": WAITS}, Ending.WAITING, Protection.NOT_ASKED),
        ({"trigger": WAITS, "stop": STOP}, Ending.WAITING, Protection.YES),
    ],
)
def test_what_an_order_opened_is_its_own(
    seat: Seat, changes: dict[str, Any], ending: Ending, protected: Protection
) -> None:
    found = kept(seat, **changes)
    ids = [row.deal_id for row in (*seat.app.broker.positions(), *seat.app.broker.orders())]
    assert (list(found.deal_ids), list(found.opened_deal_ids)) == (ids, ids)
    assert (found.ending, found.protected) == (ending, protected)
    orders = [row.working_order_id for row in seat.app.broker.positions()]
    assert [found.order_id] == (orders or ids)
    assert found.size == D("1.5")


def test_a_lost_amendment_of_an_order_that_is_gone_was_not_made(seat: Seat) -> None:
    attempt_id, order = lost_change(seat, Kind.AMEND)
    assert seat.app.broker.send("DELETE", f"/workingorders/{order}", None).status == 200
    reconcile(seat, attempt_id)
    found = held(seat, attempt_id)
    assert (found.state, found.note) == (AttemptState.REJECTED, "the deal is gone")


def test_a_lost_amendment_that_asked_for_no_stop_misses_none(seat: Seat) -> None:
    attempt_id, order = lost_change(seat, Kind.AMEND)
    assert seat.app.broker.send("PUT", f"/workingorders/{order}", b'{"level":27}').status == 200
    reconcile(seat, attempt_id)
    found = held(seat, attempt_id)
    assert (found.state, found.protected) == (AttemptState.LANDED, Protection.NOT_ASKED)


def test_what_an_order_reduced_was_opened_by_another(seat: Seat) -> None:
    deal = kept(seat, size="3").deal_ids
    found = kept(seat, size="1", side=Side.SELL)
    assert (found.deal_ids, found.opened_deal_ids, found.ending) == (deal, (), Ending.REDUCED)
    assert found.protected is Protection.NOT_ASKED


@pytest.mark.parametrize("trigger", [None, WAITS])
def test_a_confirmation_that_names_no_deal_is_completed_by_the_book(
    seat: Seat, trigger: Trigger | None
) -> None:
    def without_deals(request: Any) -> Any:
        answer = seat.tap._inner.handle_request(request)
        answer.read()
        return (
            says(answer.status_code, answer.json() | {"affectedDeals": []}) if answer.is_success else answer
        )

    seat.tap.breaks("GET", "/confirms/", before=without_deals, times=9)
    found = kept(seat, trigger=trigger, stop=STOP)
    ids = tuple(row.deal_id for row in (*seat.app.broker.positions(), *seat.app.broker.orders()))
    assert (found.deal_ids, found.opened_deal_ids, found.protected) == (ids, ids, Protection.YES)


@pytest.mark.parametrize(
    ("trigger", "ending", "protected"),
    [(WAITS, Ending.CANCELLED, Protection.NOT_ASKED), (None, Ending.OPEN, Protection.YES)],
)
def test_a_working_order_that_its_confirmation_calls_deleted_waits_no_more(
    seat: Seat, trigger: Trigger | None, ending: Ending, protected: Protection
) -> None:
    def deleted(request: Any) -> Any:
        answer = seat.tap._inner.handle_request(request)
        answer.read()
        return (
            says(answer.status_code, answer.json() | {"status": "DELETED"}) if answer.is_success else answer
        )

    seat.tap.breaks("GET", "/confirms/", before=deleted, times=9)
    found = kept(seat, trigger=trigger, stop=STOP)
    assert (found.ending, found.protected) == (ending, protected)


def test_an_order_that_closes_one_deal_and_opens_another_names_both(seat: Seat) -> None:
    (old,) = kept(seat, size="1").deal_ids
    found = kept(seat, size="3", side=Side.SELL)
    (new,) = seat.book()
    assert (found.deal_ids, found.opened_deal_ids) == ((new, old), (new,))


def test_a_confirmation_whose_deal_turns_out_to_be_another_size_is_not_believed(seat: Seat) -> None:
    def larger(request: Any) -> Any:
        body = seat.tap._inner.handle_request(request).json()
        for row in body["positions"]:
            row["position"]["size"] = 99
        return says(200, body)

    shown = seat.preview()
    seat.tap.breaks("POST", "/positions", after=lambda _: seat.tap.breaks("GET", "/positions", before=larger))
    reply = seat.execute(shown.preview_id)
    assert (reply.exit_code, reply.data.state) == (8, AttemptState.ACKED)
    assert held(seat, reply.data.attempt_id).answered_for == "it is about a size of 99, not 1.5"


def test_a_confirmation_about_the_deal_of_another_order_is_kept_with_that_order(seat: Seat) -> None:
    first = kept(seat, size="2")

    def about_the_first(request: Any) -> Any:
        answer = seat.tap._inner.handle_request(request)
        answer.read()
        deals = [{"dealId": first.deal_ids[0], "status": "OPENED"}]
        return says(answer.status_code, answer.json() | {"affectedDeals": deals})

    shown = seat.preview()
    seat.tap.breaks("GET", "/confirms/", before=about_the_first, times=99)
    reply = seat.execute(shown.preview_id)
    assert (reply.exit_code, reply.data.state) == (8, AttemptState.ACKED)
    assert held(seat, reply.data.attempt_id).answered_for == first.attempt_id


def test_a_deal_that_may_be_a_late_landing_and_then_is_not_there_is_no_second_alarm(seat: Seat) -> None:
    attempt_id = make_absent(seat)
    by_hand(seat)
    assert only(reconcile(seat)).candidates
    seat.tap.breaks("GET", "/positions", before=says(200, {"positions": []}), times=9)
    seat.tap.breaks("GET", "/history/activity", before=says(200, {"activities": []}), times=9)
    assert only(reconcile(seat)).candidates == ()
    assert events(seat, "possible_late_landing") == [attempt_id]


def test_a_cancellation_that_was_not_made_is_not_laid_to_a_later_one(seat: Seat) -> None:
    attempt_id, order = lost_change(seat, Kind.CANCEL)
    seat.time.tick(QUIET_S)
    seat.tap.breaks("DELETE", "/workingorders", before=LOST, times=2)
    assert seat.app.cancellations.cancel(order, confirmed=True).exit_code == 8
    assert only(reconcile(seat, attempt_id)).state is AttemptState.ABSENT
    assert held(seat, attempt_id).note == "the deal does not show it"


def test_a_deal_that_its_confirmation_does_not_name_is_looked_for_more_than_once(seat: Seat) -> None:
    def without_deals(request: Any) -> Any:
        answer = seat.tap._inner.handle_request(request)
        answer.read()
        if not answer.is_success:
            return answer
        seat.tap.breaks("GET", "/positions", before=says(200, {"positions": []}))
        return says(200, answer.json() | {"affectedDeals": []})

    seat.tap.breaks("GET", "/confirms/", before=without_deals, times=9)
    assert list(kept(seat, stop=STOP).deal_ids) == seat.book()


def test_an_order_without_a_stop_that_cannot_be_read_back_misses_none(seat: Seat) -> None:
    shown = seat.preview()
    hide = says(200, {"positions": []})
    seat.tap.breaks(
        "POST", "/positions", after=lambda _: seat.tap.breaks("GET", "/positions", before=hide, times=9)
    )
    reply = seat.execute(shown.preview_id)
    assert (reply.exit_code, reply.data.protected) == (0, Protection.NOT_ASKED)


def test_a_trailing_stop_whose_level_is_not_shown_is_there() -> None:
    order = an_order(stop=distance("1"), trailing=True)
    for trailing, protected in ((True, Protection.YES), (False, Protection.NO)):
        row = replace(POSITION, trailing=trailing, stop_level=None)
        assert protection(order, (row,)) == {"protected": protected, "stop_level": None}


def test_a_stop_that_nobody_asked_for_is_shown(seat: Seat) -> None:
    def with_stop(request: Any) -> Any:
        body = seat.tap._inner.handle_request(request).json()
        for row in body["positions"]:
            row["position"]["stopLevel"] = 24
        return says(200, body)

    seat.tap.breaks("GET", "/positions", before=with_stop, times=9)
    found = kept(seat)
    assert (found.protected, found.stop_level) == (Protection.NOT_ASKED, STOP.value)


def test_a_close_that_may_still_be_sent_is_left_to_its_own_process(seat: Seat) -> None:
    deal, context = seat.open().deal_id or "", seat.app.orders
    assert context.broker.send("DELETE", f"/positions/{deal}", None).status == 200
    seat.time.tick(2)
    facts = {"env": "paper", "host": context.broker.host, "account_id": FIRST_ACCOUNT, "deal_id": deal}
    at = context.clock()
    context.journal.open_attempt(
        a_close("a_1", state=AttemptState.SENDING, created_at=at, sent_at=at, broker_time_at_send=at, **facts)
    )
    reconciler = seat.app.executions._reconciler
    assert reconciler.settle(held(seat, "a_1")).state is AttemptState.SENDING
    seat.time.tick(QUIET_S)
    context.broker.session()
    settled = reconciler.settle(held(seat, "a_1"))
    assert (settled.state, settled.evidence) == (AttemptState.LANDED, Evidence.INFERRED)
    assert settled.deal_ids == (deal,)


@pytest.mark.parametrize("kind", [Kind.AMEND, Kind.CANCEL])
def test_a_change_whose_deal_cannot_be_read_stays_open_however_long_ago_it_was(
    seat: Seat, kind: Kind
) -> None:
    attempt_id, order = lost_change(seat, kind)
    seat.time.tick(QUIET_S)
    seat.tap.breaks("GET", "/workingorders", before=says(500, text=""), times=99)
    row = only(reconcile(seat, attempt_id))
    assert (row.state, row.candidates, row.next) == (
        AttemptState.UNKNOWN,
        (order,),
        f"capcli resolve {attempt_id}",
    )
    seat.tap.mend()
    row = only(reconcile(seat, attempt_id))
    assert (row.state, row.next) == (AttemptState.ABSENT, "capcli orders")
    assert held(seat, attempt_id).note == "the deal does not show it"


def test_an_account_that_cannot_be_reached_says_nothing_about_an_order(seat: Seat) -> None:
    attempt_id = lose(seat, landed=True)
    seat.tap.breaks("GET", "/session", before=says(500, text=""), times=99)
    reply = reconcile(seat, attempt_id)
    assert only(reply).state is AttemptState.UNKNOWN
    assert reply.problem.details == {"attempt_id": attempt_id, "state": "UNKNOWN", "deal_ids": []}


def test_a_late_landing_tells_since_when_it_was_presumed_absent(seat: Seat) -> None:
    attempt_id = make_late(seat)
    seen = held(seat, attempt_id).absent_seen_at
    reconcile(seat)
    (row,) = seat.app.journal._db.rows("SELECT detail FROM events WHERE kind = 'late_landing'")
    assert seen is not None
    assert row["detail"].count(f"{seen:%Y-%m-%dT%H:%M:%S}") == 1
