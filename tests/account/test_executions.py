"""History of executions: the journal of this computer, without a request."""

from decimal import Decimal

import httpx
import pytest

from capcli.domain.account import OrderType
from capcli.domain.attempt import AttemptState, Evidence
from capcli.domain.market import Side
from capcli.domain.order import Kind, Trigger
from tests.support.clock import Time
from tests.support.seat import Seat, refusal, stop_at


def test_what_was_asked_sent_answered_and_became_is_told_newest_first(seat: Seat, time: Time) -> None:
    opened = seat.open(stop=stop_at("24.50"))
    time.tick(2)
    seat.tap.breaks("POST", "/workingorders", before=httpx.ReadTimeout("no answer"))
    seat.execute(seat.preview(side=Side.SELL, trigger=Trigger(Decimal(44), OrderType.LIMIT)).preview_id)
    time.tick(2)
    seat.app.closings.close(opened.deal_id or "", confirmed=True)
    before = len(seat.tap.requests)
    close, order, market = seat.app.executions_log.latest().data.executions
    assert len(seat.tap.requests) == before
    assert (close.kind, close.state, close.deal_ids) == (Kind.CLOSE, AttemptState.LANDED, (opened.deal_id,))
    assert (close.epic, close.side, close.size) == ("SILVER", Side.BUY, Decimal("1.5"))
    assert (order.kind, order.state, order.entry, order.side) == (
        Kind.WORKING,
        AttemptState.UNKNOWN,
        Decimal(44),
        Side.SELL,
    )
    assert (market.size, market.stop_level) == (Decimal("1.5"), Decimal("24.50"))
    assert (market.evidence, market.http_status, market.path) == (Evidence.CONFIRM, 200, "/positions")
    assert market.sent_at is not None
    assert market.changed_at >= market.sent_at >= market.created_at


def test_only_as_many_as_are_asked_for(seat: Seat, time: Time) -> None:
    for size in ("1", "2", "3"):
        seat.open(size=size)
        time.tick(2)
    found = seat.app.executions_log.latest(2).data.executions
    assert [row.size for row in found] == [Decimal(3), Decimal(2)]


def test_an_empty_journal_has_no_executions(seat: Seat) -> None:
    assert seat.app.executions_log.latest().data.executions == ()


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_count_out_of_range_is_a_usage_error(seat: Seat, count: int) -> None:
    assert int(refusal(lambda: seat.app.executions_log.latest(count)).exit_code) == 2
