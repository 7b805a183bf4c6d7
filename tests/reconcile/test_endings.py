"""Who ended a deal, among several attempts: the last one before the end, or one whose answer proves it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence
from capcli.domain.order import Kind, Trigger
from capcli.reconcile.attribution import Attribution
from capcli.reconcile.lookup import OrderLookup
from tests.store.builders import a_close
from tests.support.seat import FIRST_ACCOUNT, Seat

S = AttemptState
AGO = timedelta(seconds=2)


class Held:
    """Closes of one deal in the journal of a seat, long enough ago that activity has come."""

    def __init__(self, seat: Seat) -> None:
        self.context = seat.app.orders
        self.context.broker.session()
        self.causes = Attribution(OrderLookup(self.context))
        self.now = self.context.clock()

    def close(self, number: int, ago: float, **facts: Any) -> AttemptRecord:
        at = self.now - timedelta(seconds=ago)
        attempt = a_close(
            f"a_{number:012d}",
            **(
                {
                    "env": "paper",
                    "host": self.context.broker.host,
                    "account_id": FIRST_ACCOUNT,
                    "deal_id": "D1",
                }
                | facts
            ),
            created_at=at,
            sent_at=at,
            broker_time_at_send=at,
        )
        self.context.journal.open_attempt(attempt)
        return attempt


@pytest.fixture
def held(seat: Seat) -> Held:
    return Held(seat)


def by(held: Held, attempt: AttemptRecord) -> str | None:
    ending = held.causes.of_end(attempt)
    return None if ending is None else ending.instead


def test_a_close_alone_is_what_closed(held: Held) -> None:
    assert by(held, held.close(1, 300, state=S.UNKNOWN)) == ""


def test_the_later_of_two_lost_closes_is_what_closed(held: Held) -> None:
    first, second = held.close(1, 300, state=S.UNKNOWN), held.close(2, 200, state=S.UNKNOWN)
    assert by(held, first) == "closed by a_000000000002 instead"
    assert by(held, second) == ""


@pytest.mark.parametrize(
    ("facts", "proven"),
    [
        ({"state": S.LANDED, "evidence": Evidence.CONFIRM}, True),
        ({"state": S.LANDED, "evidence": Evidence.INFERRED, "http_status": 200}, True),
        ({"state": S.LANDED, "evidence": Evidence.INFERRED}, False),
        ({"state": S.LANDED, "evidence": Evidence.INFERRED, "http_status": 404}, False),
        ({"state": S.UNKNOWN, "http_status": 200}, False),
        ({"state": S.REJECTED, "http_status": 200}, False),
    ],
)
def test_a_close_that_the_broker_answered_is_believed_before_a_later_one(
    held: Held, facts: dict[str, Any], *, proven: bool
) -> None:
    held.close(1, 400, **facts)
    later = held.close(2, 200, state=S.UNKNOWN)
    assert by(held, later) == ("closed by a_000000000001 instead" if proven else "")


@pytest.mark.parametrize("facts", [{"deal_id": "D2"}, {"kind": Kind.CANCEL}, {"account_id": "other"}])
def test_what_was_done_to_something_else_ends_nothing_here(held: Held, facts: dict[str, Any]) -> None:
    first = held.close(1, 300, state=S.UNKNOWN)
    held.close(2, 200, state=S.LANDED, evidence=Evidence.CONFIRM, **facts)
    assert by(held, first) == ""


def test_before_the_quiet_period_is_over_nothing_is_said_without_a_row(held: Held) -> None:
    assert by(held, held.close(1, 100, state=S.UNKNOWN)) is None


def test_the_close_that_was_sent_before_the_end_did_it_and_no_later_one(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    held = Held(seat)
    first = held.close(1, 0, state=S.UNKNOWN, deal_id=deal)
    seat.time.tick(5)
    assert held.context.broker.send("DELETE", f"/positions/{deal}", None).status == 200
    held.close(2, -10, state=S.UNKNOWN, deal_id=deal)
    seat.time.tick(200)
    held.context.broker.session()
    assert by(held, first) == ""


def test_that_an_order_was_placed_is_no_end_of_it(seat: Seat) -> None:
    order = seat.open(trigger=Trigger(Decimal(26))).deal_id or ""
    held = Held(seat)
    lost = held.close(1, 0, state=S.UNKNOWN, deal_id=order, kind=Kind.CANCEL)
    seat.time.tick(70)
    held.context.broker.session()
    assert [
        row.deal_id for row in held.context.broker.activity(lost.created_at - AGO, held.context.clock())
    ] == [order]
    assert by(held, lost) is None
