"""A stop that the broker leaves out: set at once, or the position is closed; never open and unreported."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from capcli.domain.attempt import AttemptState, Ending, Protection
from capcli.domain.order import Trigger
from capcli.domain.stored_order import read_order
from capcli.paper.state import set_fault
from capcli.reconcile.outcomes import StopWork, execution_reply
from tests.support.seat import Seat, stop_at
from tests.support.tap import says

STOP = "24.5"


def faulty(seat: Seat, name: str, **more: Any) -> None:
    set_fault(seat.home / "paper.db", name, at=seat.time.now(), **more)


def sent(seat: Seat, *, ensure: bool = True, **changes: Any) -> Any:
    """Buy silver with a stop; return the reply."""
    preview_id = seat.preview(stop=stop_at(STOP), **changes).preview_id
    return seat.app.protected_executions.execute(preview_id, confirmed=True, ensure_stop=ensure)


def stops(seat: Seat) -> list[Decimal | None]:
    return [row.stop_level for row in seat.app.broker.positions()]


def test_a_stop_that_was_left_out_is_set_and_read_back(seat: Seat) -> None:
    faulty(seat, "drop-stop", times=1)

    reply = sent(seat)

    assert (reply.exit_code, reply.data.protected, stops(seat)) == (0, Protection.YES, [Decimal(STOP)])
    assert [(step.work, step.done) for step in reply.data.stop_steps] == [(StopWork.SET, True)]
    assert "stop 24.5 in place" in reply.data.sentence
    amend = seat.app.journal.attempt(reply.data.stop_steps[0].attempt_id)
    assert amend is not None
    assert amend.state is AttemptState.LANDED
    again = seat.execute(reply.data.preview_id)
    assert (again.exit_code, again.data.replayed, again.data.protected) == (0, True, Protection.YES)


def test_without_being_asked_for_it_the_position_is_reported_with_the_command(seat: Seat) -> None:
    faulty(seat, "drop-stop", times=1)

    reply = sent(seat, ensure=False)

    assert (reply.exit_code, reply.problem.code, stops(seat)) == (9, "NO_STOP", [None])
    deal_id = reply.data.deal_id
    assert reply.problem.next == f"capcli positions amend {deal_id} --stop 24.5 --confirm"
    assert reply.data.stop_steps == ()


def drops_it_twice(seat: Seat) -> None:
    faulty(seat, "drop-stop", on="all", times=2)


def refuses_the_amendment(seat: Seat) -> None:
    faulty(seat, "drop-stop", times=1)
    faulty(seat, "too-many", on="changes", times=1)


@pytest.mark.parametrize("fault", [drops_it_twice, refuses_the_amendment])
def test_a_stop_that_cannot_be_set_closes_the_position(fault: Any, seat: Seat) -> None:
    fault(seat)

    reply = sent(seat)

    assert (reply.exit_code, reply.problem.code, seat.book()) == (9, "NO_STOP_CLOSED", [])
    works = [(step.work, step.done) for step in reply.data.stop_steps]
    assert works == [(StopWork.SET, False), (StopWork.CLOSE, True)]
    assert "Its stop was missing, so it was closed" in reply.problem.message
    assert reply.problem.next.startswith("capcli preview SILVER")
    replay = seat.execute(reply.data.preview_id)
    assert (replay.exit_code, replay.problem.code) == (9, "NO_STOP_CLOSED")


def test_an_amendment_whose_answer_is_lost_counts_when_it_is_seen(seat: Seat) -> None:
    faulty(seat, "drop-stop", times=1)
    faulty(seat, "drop-after", on="changes", times=1)

    reply = sent(seat)

    assert (reply.exit_code, reply.data.protected, stops(seat)) == (0, Protection.YES, [Decimal(STOP)])


def test_what_can_neither_be_set_nor_closed_is_reported_with_both_steps(seat: Seat) -> None:
    faulty(seat, "drop-stop", times=1)
    faulty(seat, "too-many", on="changes", times=9)

    reply = sent(seat)

    assert (reply.exit_code, reply.problem.code, stops(seat)) == (9, "NO_STOP", [None])
    assert [step.done for step in reply.data.stop_steps] == [False, False]
    assert "Position is open WITHOUT its stop" in reply.problem.message
    assert reply.problem.message.endswith(reply.problem.next)


def test_a_stop_that_could_not_be_read_is_not_taken_for_missing(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview_id = seat.preview(stop=stop_at(STOP)).preview_id
    seat.tap.breaks("GET", "/positions", after=httpx.ReadError("gone"))

    reply = seat.app.protected_executions.execute(preview_id, confirmed=True, ensure_stop=True)

    assert reply.exit_code in {0, 9}
    if reply.exit_code == 9:
        assert reply.problem.code == "STOP_UNVERIFIED"


def test_a_part_of_the_size_gets_its_stop_as_well(seat: Seat) -> None:
    faulty(seat, "drop-stop", times=1)
    faulty(seat, "part-fill", value="50", times=1)

    reply = sent(seat, size="4")

    assert (reply.exit_code, reply.data.size, stops(seat)) == (0, Decimal(2), [Decimal(STOP)])


def test_of_a_netting_account_only_what_was_opened_gets_the_stop(seat: Seat) -> None:
    from capcli.domain.market import Side

    seat.open(size="1")
    faulty(seat, "drop-stop", times=1)
    preview = seat.preview(size="3", side=Side.SELL, stop=stop_at("33"))
    assert preview.executable, [check for check in preview.checks if not check.passed]

    reply = seat.app.protected_executions.execute(preview.preview_id, confirmed=True, ensure_stop=True)

    (left,) = seat.app.broker.positions()
    assert (left.side, left.size, left.stop_level) == (Side.SELL, Decimal(2), Decimal(33)), reply
    assert reply.exit_code == 0


def waiting(seat: Seat) -> Any:
    trigger = Trigger(Decimal(24))
    preview_id = seat.preview(trigger=trigger, stop=stop_at("23")).preview_id
    return seat.app.protected_executions.execute(preview_id, confirmed=True, ensure_stop=True)


def test_a_waiting_order_gets_the_stop_that_was_left_out(seat: Seat) -> None:
    faulty(seat, "drop-stop", times=1)

    reply = waiting(seat)

    (order,) = seat.app.broker.orders()
    assert (reply.exit_code, order.stop_level, reply.data.protected) == (0, Decimal(23), Protection.YES)


def test_a_waiting_order_without_its_stop_is_cancelled(seat: Seat) -> None:
    drops_it_twice(seat)

    reply = waiting(seat)

    assert (reply.exit_code, reply.problem.code, seat.app.broker.orders()) == (9, "NO_STOP_CLOSED", ())
    assert reply.data.stop_steps[-1].work is StopWork.CANCEL


def test_a_waiting_order_that_is_not_seen_is_not_taken_for_gone(seat: Seat) -> None:
    drops_it_twice(seat)

    def stale(_request: httpx.Request) -> httpx.Response | None:
        # Once the stop could not be set, the list leaves the order out.
        tried = any(line.startswith("PUT /workingorders") for line in seat.tap.seen())
        return says(200, {"workingOrders": []}) if tried else None

    seat.tap.breaks("GET", "/workingorders", before=stale, times=999)

    reply = waiting(seat)

    assert (reply.exit_code, reply.problem.code) == (9, "NO_STOP")
    assert [step.done for step in reply.data.stop_steps] == [False, False]
    seat.tap.mend()
    assert len(seat.app.broker.orders()) == 1


@pytest.mark.parametrize("ending", Ending)
def test_an_order_without_its_stop_is_reported_whatever_became_of_it(seat: Seat, ending: Ending) -> None:
    done = waiting(seat).data
    attempt, preview = seat.app.journal.attempt(done.attempt_id), seat.app.journal.preview(done.preview_id)
    assert attempt is not None
    assert preview is not None
    ended = replace(attempt, protected=Protection.NO, ending=ending)

    reply = execution_reply(ended, read_order(preview.document), replayed=False)

    assert reply.exit_code == 9


def test_the_setting_asks_for_it_on_every_order(seats: Any) -> None:
    seat = seats(CAP_ENSURE_STOP="true")
    faulty(seat, "drop-stop", times=1)

    assert (sent(seat, ensure=False).exit_code, stops(seat)) == (0, [Decimal(STOP)])
