"""Who goes first: what changes something at the broker, with all of its reads, before what is looked at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from capcli.broker.limits import Pace, RequestKind
from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.market import Resolution
from capcli.domain.order import Trigger
from capcli.ports import Lane
from tests.support.seat import Seat, stop_at


@dataclass
class Gate:
    """Writes down the lane of every request of the process, from the outside of the broker client."""

    passed: list[Lane] = field(default_factory=list)

    def lanes(self, work: Callable[[], Any]) -> set[Lane]:
        self.passed.clear()
        work()
        return set(self.passed)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    found, real = Gate(), Pace.turn

    @contextmanager
    def turn(self: Pace, lane: Lane, kind: RequestKind = RequestKind.PLAIN) -> Iterator[None]:
        found.passed.append(lane)
        with real(self, lane, kind):
            yield

    monkeypatch.setattr(Pace, "turn", turn)
    return found


def test_orders_and_all_of_their_reads_go_first(seat: Seat, gate: Gate) -> None:
    preview_id = seat.preview().preview_id
    assert gate.lanes(lambda: seat.execute(preview_id)) == {Lane.ORDERS}
    assert len(gate.passed) >= 10


def test_amendments_and_closes_go_first(seat: Seat, gate: Gate) -> None:
    app, deal = seat.app, seat.open().deal_id or ""
    change = Change(stop=stop_at("20"))
    assert gate.lanes(lambda: app.amendments.amend(deal, change, confirmed=True)) == {Lane.ORDERS}
    assert gate.lanes(lambda: app.closings.close(deal, confirmed=True)) == {Lane.ORDERS}
    seat.open()
    assert gate.lanes(lambda: app.closings_of_all.close_all(confirmed=True)) == {Lane.ORDERS}


def test_partial_closes_go_first(seat: Seat, gate: Gate) -> None:
    deal = seat.open(size="3").deal_id or ""
    assert gate.lanes(lambda: seat.app.reductions.reduce(deal, Decimal(1), confirmed=True)) == {Lane.ORDERS}


def test_cancellations_go_first(seat: Seat, gate: Gate) -> None:
    deal = seat.open(trigger=Trigger(Decimal(20), OrderType.LIMIT)).deal_id or ""
    assert gate.lanes(lambda: seat.app.cancellations.cancel(deal, confirmed=True)) == {Lane.ORDERS}


def test_what_is_only_looked_at_goes_after_orders(seat: Seat, gate: Gate) -> None:
    assert gate.lanes(seat.preview) >= {Lane.READS}
    assert gate.lanes(seat.app.portfolio.positions) == {Lane.READS}


def test_a_download_says_that_it_is_one_and_shares_the_session(seat: Seat, gate: Gate) -> None:
    broker = seat.app.broker
    broker.login()
    bulk = broker.in_lane(Lane.BULK)

    assert gate.lanes(lambda: bulk.candles("GOLD", Resolution.HOUR, last=10)) == {Lane.BULK}
    assert gate.lanes(broker.positions) == {Lane.READS}
    assert seat.tap.seen().count("POST /session") == 1
