"""What a deal shows after a change: what cannot be read is no sight of anything."""

from decimal import Decimal

import httpx
import pytest

from capcli.domain.bracket import Bracket, Target
from capcli.reconcile.readback import (
    ReadBack,
    amended_read_back,
    filled_as,
    is_open,
    on_account,
    order_read_back,
)
from tests.reconcile.test_reconcile import RESTING
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, stop_at
from tests.support.tap import says

D = Decimal
NO_EXITS = Bracket(None, None)
BARE = Target(NO_EXITS)
BROKEN = [httpx.ReadTimeout("no answer"), says(500, text=""), says(200, text='{"posi')]


def waiting(seat: Seat) -> str:
    seat.execute(seat.preview(trigger=RESTING).preview_id)
    (order,) = seat.app.broker.orders()
    return order.deal_id


@pytest.mark.parametrize("broken", BROKEN)
def test_what_cannot_be_read_is_no_sight(seat: Seat, broken: httpx.Response) -> None:
    deal, order = seat.open().deal_id or "", waiting(seat)
    broker = seat.app.orders.broker
    seat.tap.breaks("GET", f"/positions/{deal}", before=broken, times=9)
    seat.tap.breaks("GET", "/positions", before=broken, times=9)
    seat.tap.breaks("GET", "/workingorders", before=broken, times=9)
    assert amended_read_back(broker, deal, FIRST_ACCOUNT, BARE) is ReadBack.UNREADABLE
    assert order_read_back(broker, order, FIRST_ACCOUNT) is ReadBack.UNREADABLE
    assert amended_read_back(broker, order, FIRST_ACCOUNT, Target(NO_EXITS, D(24))) is ReadBack.UNREADABLE
    assert filled_as(broker, order) is None


def test_a_deal_is_seen_as_it_is(seat: Seat) -> None:
    deal, order = seat.open(stop=stop_at("24.50")).deal_id or "", waiting(seat)
    broker = seat.app.orders.broker
    (row,) = broker.orders()
    (position,) = broker.positions()
    asked = Bracket(position.stop_level, None)
    assert amended_read_back(broker, deal, FIRST_ACCOUNT, Target(asked)) is ReadBack.DONE
    assert amended_read_back(broker, deal, FIRST_ACCOUNT, BARE) is ReadBack.NOT_YET
    assert amended_read_back(broker, "D0", FIRST_ACCOUNT, BARE) is ReadBack.GONE
    assert order_read_back(broker, order, FIRST_ACCOUNT) is ReadBack.NOT_YET
    assert order_read_back(broker, "D0", FIRST_ACCOUNT) is ReadBack.GONE
    now = Target(NO_EXITS, row.level, row.good_till)
    assert amended_read_back(broker, order, FIRST_ACCOUNT, now) is ReadBack.DONE
    assert amended_read_back(broker, order, FIRST_ACCOUNT, Target(asked, row.level)) is ReadBack.NOT_YET
    assert amended_read_back(broker, "D0", FIRST_ACCOUNT, now) is ReadBack.GONE


def test_a_position_whose_row_makes_no_sense_is_open(seat: Seat) -> None:
    deal, broker = seat.open().deal_id or "", seat.app.orders.broker
    assert is_open(broker, deal, FIRST_ACCOUNT)
    assert is_open(broker, "D0", FIRST_ACCOUNT) is False
    assert is_open(broker, "D0", SECOND_ACCOUNT) is None
    seat.tap.breaks(
        "GET", f"/positions/{deal}", before=says(200, {"position": {"dealId": deal}, "market": {}})
    )
    assert is_open(broker, deal, FIRST_ACCOUNT) is True
    seat.tap.breaks("GET", f"/positions/{deal}", before=says(500, text=""), times=9)
    assert is_open(broker, deal, FIRST_ACCOUNT) is None


def test_what_is_not_on_another_account_is_not_gone(seat: Seat) -> None:
    broker = seat.app.orders.broker
    assert on_account(broker, FIRST_ACCOUNT)
    assert not on_account(broker, SECOND_ACCOUNT)
    seat.tap.breaks("GET", "/session", before=says(500, text=""), times=9)
    assert not on_account(broker, FIRST_ACCOUNT)
    seat.tap.mend()
    assert amended_read_back(broker, "D0", SECOND_ACCOUNT, BARE) is ReadBack.UNREADABLE
    assert order_read_back(broker, "D0", SECOND_ACCOUNT) is ReadBack.UNREADABLE
    assert amended_read_back(broker, "D0", SECOND_ACCOUNT, Target(NO_EXITS, D(24))) is ReadBack.UNREADABLE


def test_an_order_that_may_be_the_unreadable_one_is_not_gone(seat: Seat) -> None:
    broker = seat.app.orders.broker
    nameless = says(200, {"workingOrders": [{"workingOrderData": {"epic": "SILVER"}}]})
    seat.tap.breaks("GET", "/workingorders", before=nameless, times=9)
    assert order_read_back(broker, "D0", FIRST_ACCOUNT) is ReadBack.UNREADABLE


def test_a_filled_order_is_seen_in_the_position_that_came_from_it(seat: Seat) -> None:
    deal = seat.open().deal_id
    broker = seat.app.orders.broker
    (position,) = broker.positions()
    found = filled_as(broker, position.working_order_id or "")
    assert found is not None
    assert found.deal_id == deal
    assert filled_as(broker, "D0") is None
