"""Work on another account does not change which one is active, and a closed market's price has no age."""

import httpx
import pytest

from capcli.domain.attempt import AttemptState
from capcli.runtime import Options
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat


def test_executing_on_another_account_leaves_the_choice_as_it_was(seat: Seat) -> None:
    first = seat.app.broker.login().account_id
    seat.app.accounts.use(SECOND_ACCOUNT)
    preview = seat.preview()
    seat.app.accounts.use(first)

    reply = seat.execute(preview.preview_id)

    assert (reply.data.state, reply.account_id) == (AttemptState.LANDED, SECOND_ACCOUNT)
    assert seat.app.broker.session().account_id == first


def visiting(seats: Seats) -> tuple[Seat, str]:
    """A process that is at work on the second account, while the first one is chosen."""
    seat = seats()
    seat.app.accounts.use(FIRST_ACCOUNT)
    seat.app.broker.visit_account(SECOND_ACCOUNT)
    return seat, FIRST_ACCOUNT


def test_a_process_that_starts_during_work_on_another_account_is_on_the_chosen_one(seats: Seats) -> None:
    busy, chosen = visiting(seats)
    other = seats()

    assert other.app.portfolio.positions().account_id == chosen
    assert busy.app.broker.session().account_id == SECOND_ACCOUNT
    assert busy.tap.seen().count("POST /session") == 1, "its session was left alone"


def test_a_process_that_ran_during_work_on_another_account_goes_on_where_it_was(seats: Seats) -> None:
    first = seats()
    first.app.accounts.use(FIRST_ACCOUNT)
    running = seats()
    running.app.portfolio.positions()
    first.app.broker.visit_account(SECOND_ACCOUNT)

    assert running.app.portfolio.positions().account_id == FIRST_ACCOUNT
    assert first.app.broker.session().account_id == SECOND_ACCOUNT


def test_after_a_kill_during_work_on_another_account_one_login_leads_back(seats: Seats) -> None:
    _killed, chosen = visiting(seats)
    later = [seats() for _ in range(2)]

    assert [seat.app.portfolio.positions().account_id for seat in later] == [chosen] * 2
    assert [seat.tap.seen().count("POST /session") for seat in later] == [1, 0]


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

    settled = seat.app.reconciliations.reconcile(attempt_id)

    assert settled.exit_code == 0
    assert seat.app.broker.session().account_id == first


def test_a_command_for_another_account_without_a_session_leaves_later_logins_where_they_were(
    seats: Seats,
) -> None:
    for_once = seats(options=Options(account=SECOND_ACCOUNT))
    assert for_once.app.portfolio.positions().account_id == SECOND_ACCOUNT
    later = [seats() for _ in range(2)]

    assert [seat.app.portfolio.positions().account_id for seat in later] == [FIRST_ACCOUNT] * 2
    assert (
        seats(options=Options(account=SECOND_ACCOUNT)).app.portfolio.positions().account_id == SECOND_ACCOUNT
    )
    assert [seat.tap.seen().count("POST /session") for seat in later] == [1, 0]
