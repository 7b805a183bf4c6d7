"""Work on another account does not change which one is active, and a closed market's price has no age."""

import httpx
import pytest

from capcli.domain.attempt import AttemptState
from tests.support.desk import SECOND_ACCOUNT, Seat
from tests.support.fixtures import Seats


def test_executing_on_another_account_leaves_the_choice_as_it_was(seat: Seat) -> None:
    first = seat.app.broker.login().account_id
    seat.app.accounts.use(SECOND_ACCOUNT)
    preview = seat.preview()
    seat.app.accounts.use(first)

    reply = seat.execute(preview.preview_id)

    assert (reply.data.state, reply.account_id) == (AttemptState.LANDED, SECOND_ACCOUNT)
    assert seat.app.broker.session().account_id == first


@pytest.mark.parametrize(("epic", "known"), [("SILVER", True), ("BWMN", False)])
def test_only_a_market_that_trades_has_a_price_of_known_age(seats: Seats, epic: str, known: bool) -> None:
    preview = seats().preview(epic, "1")

    assert (preview.price_age_s is not None) is known


def test_reconciling_another_account_leaves_the_choice_as_it_was(seat: Seat) -> None:
    first = seat.app.broker.login().account_id
    seat.app.accounts.use(SECOND_ACCOUNT)
    preview = seat.preview()
    seat.tap.breaks("POST", "/positions", after=httpx.ReadError("cut"))
    attempt_id = seat.execute(preview.preview_id).data.attempt_id
    seat.app.accounts.use(first)

    settled = seat.app.settlements.reconcile(attempt_id)

    assert settled.exit_code == 0
    assert seat.app.broker.session().account_id == first
