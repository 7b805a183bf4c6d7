"""What a mandate lets a client send alone, and what it does not."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from capcli.domain.mandate import MandateState
from tests.support.desk import Seat
from tests.support.fixtures import Seats
from tests.support.mandate import HUMAN, grant, order


@pytest.fixture
def person(seats: Seats) -> Seat:
    return seats(**HUMAN)


@pytest.fixture
def client(seats: Seats, person: Seat) -> Callable[..., Seat]:
    """Make the client that a mandate was granted to."""

    def made(**terms: Any) -> Seat:
        return seats(**HUMAN, CAP_MANDATE_FILE=grant(person, **terms).file)

    return made


def state(seat: Seat) -> MandateState:
    return seat.app.mandates.list().data.mandates[0].state


def test_an_order_within_it_is_sent_without_a_person_and_counted(client: Callable[..., Seat]) -> None:
    bot = client()
    sent = order(bot, size="1.5")
    assert sent.exit_code == 0, sent
    assert "Sent under the mandate night: order 1 of 3" in sent.data.warnings[0]
    (row,) = bot.app.mandates.list().data.mandates
    assert (row.orders_used, row.state) == (1, MandateState.ACTIVE)
    (position,) = bot.app.broker.positions()
    at_stop = (position.level - Decimal("24.50")) * Decimal("1.5")
    assert row.charged is not None
    assert at_stop <= row.charged < at_stop + Decimal("0.01")
    assert bot.app.mandates._tools.journal().mandates.names([sent.data.attempt_id]) == {
        sent.data.attempt_id: "night"
    }
