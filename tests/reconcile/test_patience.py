"""How often a deal is looked at, and after which pauses, before it is called doubt."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from capcli.domain.order import Trigger
from tests.support.clock import Time
from tests.support.seat import Seat
from tests.support.tap import says


class Pauses(Time):
    """A clock that writes down what was slept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def seat(own_home: Path, pauses: Pauses) -> Iterator[Seat]:
    with closing(Seat(own_home, pauses)) as opened:
        yield opened


def between_looks(pauses: Pauses) -> list[float]:
    """Return what was slept without the pace of requests, whose waits are no tenths of a second."""
    return [one for one in pauses.slept if one in {0.0, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0}]


def test_a_position_that_stays_is_looked_at_four_times_and_its_confirmation_too(
    seat: Seat, pauses: Pauses
) -> None:
    deal = seat.open().deal_id or ""
    seat.tap.breaks("DELETE", "/positions", before=says(502, text=""))
    pauses.slept.clear()
    assert seat.app.closings.close(deal, confirmed=True).exit_code == 8
    assert between_looks(pauses) == [0.0, 0.3, 0.7, 1.5, 0.0, 0.2, 0.3, 0.5]


def test_an_order_that_is_gone_without_a_reason_is_looked_for_four_times(seat: Seat, pauses: Pauses) -> None:
    deal = seat.open(trigger=Trigger(Decimal(26))).deal_id or ""
    seat.tap.breaks("DELETE", "/workingorders", after=says(502, text=""))
    seat.tap.breaks("GET", "/history/activity", before=says(200, {"activities": []}), times=9)
    pauses.slept.clear()
    assert seat.app.cancellations.cancel(deal, confirmed=True).exit_code == 8
    assert between_looks(pauses) == [0.0, 0.3, 0.0, 0.5, 1.0, 2.0]
