"""Which orders of the day are not ours: one of ours whose answer was lost is known by an equal row."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from msgspec.structs import replace

from capcli.domain.account import Activity
from capcli.domain.attempt import AttemptRecord
from capcli.domain.bracket import Change
from capcli.domain.order import Kind, Trigger
from capcli.trading.amend_preview import Dropped
from capcli.trading.open_risk import foreign_orders
from tests.support.seat import Seat


@pytest.fixture
def lost(seat: Seat) -> AttemptRecord:
    """An order of ours that the broker has and whose answer never came."""
    shown = seat.preview(size="1.5")
    seat.tap.breaks("POST", "/positions", after=httpx.ReadTimeout("no answer"))
    seat.execute(shown.preview_id)
    (attempt,) = seat.app.journal.attempts("paper", limit=9)
    assert (attempt.order_id, attempt.deal_ids) == (None, ())
    return attempt


def its_row(seat: Seat, attempt: AttemptRecord) -> Activity:
    assert attempt.sent_at is not None
    rows = seat.app.broker.activity(attempt.sent_at - timedelta(minutes=1), None)
    return next(row for row in rows if (row.type, row.source) == ("WORKING_ORDER", "USER"))


# The Date header is cut to seconds, and so is the activity.
@pytest.mark.parametrize(("early_s", "foreign"), [("0", 0), ("1.9", 0), ("2", 0), ("2.1", 1), ("-60", 0)])
def test_a_lost_order_is_ours_up_to_two_seconds_before_its_send(
    seat: Seat, lost: AttemptRecord, early_s: str, foreign: int
) -> None:
    sent = lost.broker_time_at_send or lost.sent_at
    assert sent is not None
    row = replace(its_row(seat, lost), at=sent - timedelta(seconds=float(early_s)))
    assert len(foreign_orders([row], [lost], seat.app.journal)) == foreign


@pytest.mark.parametrize("change", [{"epic": "GOLD"}, {"size": Decimal(2)}, {"side": None}])
def test_an_unequal_row_is_somebody_elses(seat: Seat, lost: AttemptRecord, change: dict[str, object]) -> None:
    row = replace(its_row(seat, lost), **change)  # type: ignore[arg-type]
    assert list(foreign_orders([row], [lost], seat.app.journal)) == [row.deal_id]


def test_a_lost_change_of_an_order_takes_no_row(seat: Seat, lost: AttemptRecord) -> None:
    row = its_row(seat, lost)
    waiting = seat.open(trigger=Trigger(Decimal("20.5"))).deal_id or ""
    shown = seat.app.order_updates.preview(waiting, Change(level=Decimal("20.25")), Dropped()).data
    amendment = replace(lost, kind=Kind.WORKING_UPDATE, preview_id=shown.preview_id)
    assert list(foreign_orders([row], [amendment], seat.app.journal)) == [row.deal_id]


def test_one_lost_order_takes_one_row_of_two(seat: Seat, lost: AttemptRecord) -> None:
    row = its_row(seat, lost)
    rows = [row, replace(row, deal_id="by-hand")]
    assert len(foreign_orders(rows, [lost], seat.app.journal)) == 1
