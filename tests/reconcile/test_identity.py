"""An answer is believed because it is about what was asked, never because it parses."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.domain.account import OrderType
from capcli.domain.attempt import AttemptState, Evidence
from capcli.domain.order import Trigger
from tests.reconcile.test_reconcile import RESTING, activity, held, lose, only, reconcile
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import Seat, refusal

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
    assert first.attempt_id in held(seat, done.data.attempt_id).note
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
    attempt_id = lose(seat, landed=False, later_s=0)
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
    assert f"was taken for {first}, and {second.deal_id} is another deal like it" in error.message
    assert held(seat, attempt_id).candidates == second.deal_ids
    assert seat.execute(shown.preview_id).exit_code == 0


def second_deal(seat: Seat, elsewhere: Seat) -> tuple[str, str, str]:
    """Take another computer's deal for a lost order, and let an equal one appear later."""
    elsewhere.book()
    attempt_id = lose(seat, landed=False, later_s=0)
    body = b'{"epic":"SILVER","direction":"BUY","size":1.5}'
    assert elsewhere.app.broker.send("POST", "/positions", body).status == 200
    assert only(reconcile(seat)).state is S.LANDED
    (first,) = seat.book()
    seat.time.tick(60)
    return attempt_id, first, elsewhere.open().deal_ids[0]


def test_what_a_found_working_order_was_filled_as_is_no_second_deal(seat: Seat) -> None:
    near = seat.app.broker.market("SILVER").quote.offer - Decimal("0.05")
    attempt_id = lose(seat, "/workingorders", landed=True, trigger=Trigger(near, OrderType.LIMIT))
    assert only(reconcile(seat)).state is S.LANDED
    for _ in range(500):
        seat.time.tick(60)
        if not seat.app.broker.orders():
            break
    assert len(seat.book()) == 1
    row = only(reconcile(seat, attempt_id))
    assert (row.state, row.exit_code, row.candidates) == (S.LANDED, 0, ())


def test_a_second_deal_is_told_where_no_deal_names_an_order(seat: Seat, elsewhere: Seat) -> None:
    def without_orders(request: httpx.Request) -> httpx.Response:
        answer = seat.tap._inner.handle_request(request)
        body = answer.json()
        for row in body.get("positions", ()):
            row["position"]["workingOrderId"] = None
        return httpx.Response(answer.status_code, json=body)

    seat.tap.breaks("GET", "/positions", before=without_orders, times=99)
    _, _, second = second_deal(seat, elsewhere)
    assert only(reconcile(seat)).candidates == (second,)


def test_a_deal_of_another_size_whose_row_is_late_is_no_second_deal(seat: Seat, elsewhere: Seat) -> None:
    elsewhere.book()
    attempt_id = lose(seat, landed=True, later_s=2)
    body = b'{"epic":"SILVER","direction":"BUY","size":1}'
    assert elsewhere.app.broker.send("POST", "/positions", body).status == 200
    seat.time.tick(5)
    assert only(reconcile(seat)).state is S.LANDED
    activity(seat, lambda _: [])
    row = only(reconcile(seat, attempt_id))
    assert (row.state, row.exit_code, row.candidates) == (S.LANDED, 0, ())


def test_an_order_that_landed_is_not_offered_as_never_placed(seat: Seat, elsewhere: Seat) -> None:
    attempt_id, first, second = second_deal(seat, elsewhere)
    reconcile(seat)

    def without_the_first(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        rows = [row for row in body["positions"] if row["position"]["dealId"] != first]
        return httpx.Response(200, json=body | {"positions": rows})

    seat.tap.breaks("GET", "/positions", before=without_the_first, times=9)
    activity(seat, lambda rows: [row for row in rows if row["dealId"] == second])
    asked = seat.app.resolutions.resolve(attempt_id).data
    assert asked.candidates == (second,)
    assert asked.sentence.endswith(f"Say which: capcli resolve {attempt_id} --landed DEAL")


@pytest.mark.parametrize("which", [0, 1])
def test_a_person_says_which_of_two_equal_deals_is_the_orders(
    seat: Seat, elsewhere: Seat, which: int
) -> None:
    attempt_id, *deals = second_deal(seat, elsewhere)
    reply = reconcile(seat)
    row = only(reply)
    assert (row.state, reply.exit_code, row.candidates) == (S.LANDED, 8, (deals[1],))
    assert row.next == f"capcli resolve {attempt_id}"
    seat.app.resolutions.resolve(attempt_id, landed=deals[which], confirmed=True)
    settled = held(seat, attempt_id)
    assert (settled.evidence, settled.deal_ids, settled.candidates) == (Evidence.HUMAN, (deals[which],), ())
    assert settled.opened_deal_ids == (deals[which],)
    assert not reconcile(seat).data.attempts


def test_waiting_ends_where_only_a_person_can_decide(seat: Seat, elsewhere: Seat) -> None:
    attempt_id = lose(seat, landed=False)
    seat.time.tick(3)
    theirs = elsewhere.open()
    reply = seat.app.reconciliations.wait()
    row = only(reply)
    assert (row.state, reply.exit_code, row.next) == (S.UNKNOWN, 8, f"capcli resolve {attempt_id}")
    seat.app.resolutions.resolve(attempt_id, not_placed=True, confirmed=True)
    assert held(seat, attempt_id).state is S.NOT_SENT
    assert theirs.deal_ids == tuple(seat.book())


def test_the_equal_working_order_of_another_computer_is_a_candidate(seat: Seat, elsewhere: Seat) -> None:
    attempt_id = lose(seat, "/workingorders", landed=False, trigger=RESTING)
    seat.time.tick(3)
    theirs = elsewhere.open(trigger=RESTING)
    row = only(reconcile(seat))
    assert (row.state, row.candidates, row.deal_ids) == (S.UNKNOWN, theirs.deal_ids, ())
    assert row.next == f"capcli resolve {attempt_id}"


def test_a_refusal_of_another_computers_order_is_not_taken_for_ours(seat: Seat) -> None:
    lose(seat, landed=False)
    seat.time.tick(5)
    late = seat.time.now().strftime("%Y-%m-%dT%H:%M:%S")

    def refused(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        details = {"size": 1.5, "direction": "BUY", "level": 0}
        row = {"type": "WORKING_ORDER", "status": "REJECTED", "source": "SYSTEM", "epic": "SILVER"}
        return [*rows, {**row, "dateUTC": late, "date": late, "dealId": "d-9", "details": details}]

    activity(seat, refused)
    assert only(reconcile(seat)).state is S.UNKNOWN


def test_a_confirmation_of_another_reference_is_not_believed(seat: Seat) -> None:
    first = seat.open()
    seat.time.tick(2)
    mixed = f"/api/v1/confirms/{first.deal_reference}"

    def other(request: httpx.Request) -> httpx.Response:
        asked = httpx.Request("GET", request.url.copy_with(path=mixed), headers=request.headers)
        return seat.tap._inner.handle_request(asked)

    seat.tap.breaks("GET", "/confirms", before=other, times=99)
    done = seat.execute(seat.preview().preview_id, again=True, wait_s=1)
    assert (done.data.state, done.exit_code, done.data.deal_ids) == (S.ACKED, 8, ())
    assert first.attempt_id in done.data.sentence
    row = only(reconcile(seat))
    assert (row.state, row.evidence) == (S.LANDED, Evidence.INFERRED)
    assert not set(row.deal_ids) & set(first.deal_ids)
    asked = seat.app.confirms.get(done.data.deal_reference or "")
    assert asked.data.state == "PENDING"


def test_a_deal_that_another_attempt_took_a_moment_ago_is_no_landing(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = seat.open()
    attempt_id = lose(seat, landed=True)
    journal = seat.app.journal
    real = type(journal).move

    def overtaken(self: Any, name: str, old: Any, new: Any, **facts: Any) -> bool:
        # As if the other process had committed after this one looked at who owns what.
        if new is S.LANDED:
            facts["opened_deal_ids"] = first.deal_ids
        return real(self, name, old, new, **facts)

    monkeypatch.setattr(type(journal), "move", overtaken)
    row = only(reconcile(seat))
    assert (row.state, row.candidates, row.deal_ids) == (S.UNKNOWN, first.deal_ids, ())
    assert held(seat, attempt_id).answered_for == first.attempt_id
    monkeypatch.undo()
    assert only(reconcile(seat)).state is S.LANDED


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
