"""A reset of the paper broker ends what the journal still held open there, and nothing else."""

import pytest
from msgspec.structs import replace

from capcli.domain.attempt import AttemptState, Evidence
from capcli.domain.order import Kind
from capcli.store.lock import FileAccountLock
from tests.reconcile.test_reconcile import held, lose, make_absent
from tests.support.seat import FIRST_ACCOUNT, Seat, refusal

S = AttemptState


def test_an_order_without_an_answer_blocks_no_longer(seat: Seat) -> None:
    attempt_id = lose(seat, landed=True)
    assert seat.app.paper.reset().settled == (attempt_id,)
    ended = held(seat, attempt_id)
    assert (ended.state, ended.evidence) == (S.NOT_SENT, Evidence.HUMAN)
    assert ended.preview_id
    told = seat.execute(ended.preview_id).data.sentence
    assert "The paper broker was reset, and what became of this order went with its book." in told
    assert seat.open(size="2").state is S.LANDED
    assert seat.app.paper.reset().settled == ()


def test_an_acknowledged_order_is_rejected(seat: Seat) -> None:
    seat.confirms_after(3600)
    done = seat.execute(seat.preview().preview_id, wait_s=0).data
    assert done.state is S.ACKED
    seat.app.paper.reset()
    assert held(seat, done.attempt_id).state is S.REJECTED


def test_an_order_that_was_presumed_not_placed_is_looked_for_no_more(seat: Seat) -> None:
    attempt_id = make_absent(seat)
    assert seat.app.paper.reset().settled == (attempt_id,)
    assert seat.app.reconciliations.reconcile().data.attempts == ()


@pytest.mark.parametrize("state", [S.CLAIMED, S.SENDING])
def test_what_a_killed_process_left_is_ended_on_this_host_only(seat: Seat, state: AttemptState) -> None:
    sent = held(seat, seat.open().attempt_id)
    for name, host in (("a_00000000here", "paper"), ("a_0000000there", "127.0.0.1:8330")):
        seat.app.journal.open_attempt(
            replace(sent, attempt_id=name, preview_id=None, kind=Kind.CLOSE, host=host, state=state)
        )
    assert seat.app.paper.reset().settled == ("a_00000000here",)
    assert held(seat, "a_00000000here").state is S.NOT_SENT
    assert held(seat, "a_0000000there").state is state


def test_nothing_is_reset_while_the_account_is_sending(seat: Seat) -> None:
    attempt_id = lose(seat, landed=True)
    with FileAccountLock(seat.app.folders.locks)("paper", "paper", FIRST_ACCOUNT):
        assert refusal(seat.app.paper.reset).code == "BUSY"
    assert held(seat, attempt_id).state is S.UNKNOWN
    assert len(seat.book()) == 1
