"""What a confirmation and the book together tell of an order: its deals, its ending, its stop."""

from typing import Any

import pytest

from capcli.domain.attempt import AttemptRecord, AttemptState, Ending, Evidence, Protection
from capcli.domain.market import Side
from capcli.domain.order import Trigger
from tests.support.desk import Seat, stop_at
from tests.support.tap import says

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
