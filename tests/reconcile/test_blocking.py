"""What keeps new risk off an account is named by what it is, with the command that settles it."""

import pytest

from capcli.domain.attempt import AttemptState
from capcli.domain.order import Kind
from capcli.reconcile.blocking import refuse_while_unresolved
from tests.store.builders import a_close
from tests.support.seat import FIRST_ACCOUNT, Seat, refusal


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.CLOSE, "The close of D1 of 12:00:00Z (a_1) is not settled."),
        (Kind.AMEND, "The amendment of D1 of 12:00:00Z (a_1) is not settled."),
        (Kind.WORKING_UPDATE, "The amendment of D1 of 12:00:00Z (a_1) is not settled."),
        (Kind.CANCEL, "The cancellation of D1 of 12:00:00Z (a_1) is not settled."),
        (Kind.MARKET, "Attempt a_1 of 12:00:00Z is unresolved: that order may be live."),
    ],
)
def test_what_is_not_settled_is_named(seat: Seat, kind: Kind, words: str) -> None:
    context = seat.app.orders
    facts = {"env": "paper", "host": context.broker.host, "account_id": FIRST_ACCOUNT, "deal_id": "D1"}
    now = context.clock()
    context.journal.open_attempt(
        a_close("a_1", kind=kind, state=AttemptState.SENDING, created_at=now, sent_at=now, **facts)
    )
    reconciler = seat.app.executions._reconciler
    error = refusal(lambda: refuse_while_unresolved(context, reconciler, FIRST_ACCOUNT, "the larger stop"))
    assert error.message == (
        f"{words} The larger stop, which is new risk. Nothing new was sent. Closing positions is still"
        f" possible."
    )
    assert error.next == "capcli reconcile a_1"
