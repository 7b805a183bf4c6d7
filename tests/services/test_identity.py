"""An answer is believed because it is about what was asked, never because it parses."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.domain.attempt import AttemptState, Evidence
from tests.services.test_settling import held, lose, only, reconcile
from tests.support.clock import Time
from tests.support.desk import Seat, refusal
from tests.support.fixtures import Seats

S = AttemptState


class Mixed:
    """Answers each POST with the body of the POST before it, once it is switched on."""

    def __init__(self, seat: Seat) -> None:
        self._inner = seat.tap._inner
        self._last: bytes | None = None
        self.on = False
        seat.tap._inner = self

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if request.method != "POST" or not request.url.path.endswith(("/positions", "/workingorders")):
            return answer
        answer.read()
        before, self._last = self._last, answer.content
        return answer if before is None or not self.on else httpx.Response(200, content=before)

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("epic", ["SILVER", "GOLD"])
def test_a_post_answered_with_an_earlier_reference_is_not_told_as_landed(seat: Seat, epic: str) -> None:
    mixed = Mixed(seat)
    first = seat.open("GOLD")
    seat.time.tick(2)
    mixed.on = True
    done = seat.execute(seat.preview(epic).preview_id, again=True)
    assert (done.data.state, done.exit_code) == (S.UNKNOWN, 8)
    assert not set(done.data.deal_ids) & set(first.deal_ids)
    assert first.attempt_id in done.data.sentence
    row = only(reconcile(seat))
    assert row.state is S.LANDED
    assert not set(row.deal_ids) & set(first.deal_ids)


def test_two_attempts_never_own_one_deal(seat: Seat) -> None:
    mixed = Mixed(seat)
    seat.open()
    seat.time.tick(2)
    mixed.on = True
    seat.execute(seat.preview().preview_id, again=True)
    seat.time.tick(2)
    reconcile(seat)
    owned = [deal for one in seat.app.journal.attempts("paper", limit=9) for deal in one.deal_ids]
    assert sorted(owned) == sorted(set(owned)) == sorted(seat.book())


@pytest.fixture
def elsewhere(seat: Seat, time: Time, tmp_path: Path) -> Any:
    """Another computer on the same account: a state folder of its own."""
    other = Seat(tmp_path / "elsewhere", time, number=7, paper=seat.home / "paper.db")
    yield other
    other.close()


def test_the_equal_order_of_another_computer_is_a_candidate_and_no_verdict(
    seat: Seat, elsewhere: Seat
) -> None:
    attempt_id = lose(seat, landed=False)
    seat.time.tick(3)
    theirs = elsewhere.open()
    seat.time.tick(1)
    reply = reconcile(seat)
    row = only(reply)
    assert (row.state, reply.exit_code, row.candidates) == (S.UNKNOWN, 8, theirs.deal_ids)
    assert row.next == f"capcli resolve {attempt_id}"
    assert held(seat, attempt_id).candidates == theirs.deal_ids


def test_an_inferred_landing_is_an_alarm_when_a_second_equal_deal_appears(
    seat: Seat, elsewhere: Seat
) -> None:
    elsewhere.book()
    attempt_id = lose(seat, landed=False)
    body = b'{"epic":"SILVER","direction":"BUY","size":1.5}'
    assert elsewhere.app.broker.send("POST", "/positions", body).status == 200
    row, (first,) = only(reconcile(seat)), seat.book()
    assert (row.state, row.evidence, row.deal_ids) == (S.LANDED, Evidence.INFERRED, (first,))
    assert not reconcile(seat).data.attempts
    seat.time.tick(60)
    second = elsewhere.open()
    seat.time.tick(1)
    shown = seat.preview(size="2")
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, error.details["attempt_id"]) == ("LATE_LANDING", attempt_id)
    assert error.details["deal_ids"] == list(second.deal_ids)
    assert held(seat, attempt_id).candidates == second.deal_ids
    assert seat.execute(shown.preview_id).exit_code == 0


@pytest.mark.parametrize("minutes", [0, 10])
def test_a_preview_made_while_the_clock_was_ahead_is_not_executed(
    seats: Seats, time: Time, minutes: int
) -> None:
    ahead = timedelta(hours=5)
    seat = seats(clock=lambda: time.now() + ahead)
    shown = seat.preview()
    ahead = timedelta()
    time.tick(60 * minutes)
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, int(error.exit_code)) == ("PREVIEW_EXPIRED", 5)
    assert "Nothing was sent." in error.message
    assert error.next == "capcli preview SILVER --size 1.5"
    assert not seat.tap.orders()


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_wrong_all_the_time_keeps_nobody_from_trading(
    seats: Seats, time: Time, hours: int
) -> None:
    seat = seats(clock=lambda: time.now() + timedelta(hours=hours))
    assert seat.execute(seat.preview().preview_id).exit_code == 0
