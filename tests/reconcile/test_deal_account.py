"""A deal id that is open on another account of the login."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from capcli.domain.bracket import Change
from capcli.domain.order import ExitForm, ExitOrder, Trigger
from capcli.errors import DealUnknown
from capcli.runtime import Options
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal

D = Decimal
CHANGE = Change(stop=ExitOrder(ExitForm.LEVEL, D("24")))
Act = Callable[[Seat, str], Any]
ON_POSITIONS: dict[str, Act] = {
    "capcli positions {}": lambda seat, deal: seat.app.portfolio.positions(deal),
    "capcli close {}": lambda seat, deal: seat.app.closings.close(deal, confirmed=True),
    "capcli close {} --size 1": lambda seat, deal: seat.app.reductions.reduce(deal, D(1), confirmed=True),
}
AMENDS: Act = lambda seat, deal: seat.app.amendments.amend(deal, CHANGE, confirmed=True)  # noqa: E731
ON_ORDERS: dict[str, Act] = {
    "capcli orders {}": lambda seat, deal: seat.app.portfolio.orders(deal),
    "capcli orders cancel {}": lambda seat, deal: seat.app.cancellations.cancel(deal, confirmed=True),
}
AMENDS_ORDER: Act = lambda seat, deal: seat.app.order_amendments.amend(  # noqa: E731
    deal, Change(level=D("26")), confirmed=True
)


@pytest.fixture
def other(seats: Seats) -> Seat:
    return seats(options=Options(account=SECOND_ACCOUNT))


def found_elsewhere(error: Any, command: str, deal: str) -> None:
    assert isinstance(error, DealUnknown)
    assert f"{deal} was opened on account {FIRST_ACCOUNT}" in error.message
    assert f"Only account {SECOND_ACCOUNT} was searched" in error.message
    assert error.next == f"{command.format(deal)} --account {FIRST_ACCOUNT}"
    assert error.details["opened_on"] == FIRST_ACCOUNT


@pytest.mark.parametrize(("command", "act"), [*ON_POSITIONS.items(), ("capcli positions {}", AMENDS)])
def test_a_position_of_another_account_is_named_with_its_account(
    seat: Seat, other: Seat, command: str, act: Act
) -> None:
    deal = str(seat.open(size="5").deal_id)
    found_elsewhere(refusal(lambda: act(other, deal)), command, deal)
    assert seat.book() == [deal]


@pytest.mark.parametrize(("command", "act"), [*ON_ORDERS.items(), ("capcli orders {}", AMENDS_ORDER)])
def test_an_order_of_another_account_is_named_with_its_account(
    seat: Seat, other: Seat, command: str, act: Act
) -> None:
    deal = str(seat.open(trigger=Trigger(D("27"))).deal_id)
    found_elsewhere(refusal(lambda: act(other, deal)), command, deal)


def test_the_command_that_is_offered_works(seats: Seats, seat: Seat, other: Seat) -> None:
    deal = str(seat.open().deal_id)
    error = refusal(lambda: other.app.closings.close(deal, confirmed=True))
    named = seats(options=Options(account=error.details["opened_on"]))
    assert named.app.closings.close(deal, confirmed=True).exit_code == 0
    assert seat.book() == []


def test_of_a_deal_that_nobody_knows_the_account_that_was_searched_is_named(seat: Seat) -> None:
    for act in (*ON_POSITIONS.values(), *ON_ORDERS.values()):
        error = refusal(lambda act=act: act(seat, "no-such-deal"))
        assert f"Only account {FIRST_ACCOUNT} was searched." in error.message
        assert "opened_on" not in error.details


def test_a_deal_that_was_closed_here_is_not_sent_to_another_account(seat: Seat) -> None:
    deal = str(seat.open().deal_id)
    seat.app.closings.close(deal, confirmed=True)
    error = refusal(lambda: seat.app.portfolio.positions(deal))
    assert error.next == "capcli positions"


def test_a_journal_that_cannot_be_read_hides_no_absence(seat: Seat, other: Seat) -> None:
    deal = str(seat.open().deal_id)
    for file in seat.home.glob("journal.db*"):
        file.write_bytes(b"no journal")
    error = refusal(lambda: other.app.portfolio.positions(deal))
    assert isinstance(error, DealUnknown)
    assert f"Only account {SECOND_ACCOUNT} was searched." in error.message
