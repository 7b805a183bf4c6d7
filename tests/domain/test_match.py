from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from capcli.domain.account import OrderType, Position, WorkingOrder
from capcli.domain.market import MarketStatus, Side
from capcli.domain.match import Lost, matching_orders, matching_positions
from capcli.domain.order import Trigger

from .builders import NOW, a_quote, an_order, level

D = Decimal
LOST = Lost(an_order("1.5", stop=level("24.5")), NOW, frozenset({"old", "order-of-old"}))
POSITION = Position(
    deal_id="new",
    epic="SILVER",
    name="Silver",
    type="COMMODITIES",
    side=Side.BUY,
    size=D("1.50"),
    level=D(30),
    quote=a_quote(),
    upl=D(0),
    currency="USD",
    leverage=None,
    contract_size=D(1),
    stop_level=D("24.5"),
    limit_level=None,
    trailing=False,
    stop_distance=None,
    guaranteed=False,
    working_order_id="order-of-new",
    opened_at=NOW + timedelta(seconds=1),
)
ORDER = WorkingOrder(
    deal_id="new",
    epic="SILVER",
    name="Silver",
    side=Side.BUY,
    type=OrderType.LIMIT,
    size=D("1.5"),
    level=D("27.0"),
    currency="USD",
    stop_level=None,
    limit_level=None,
    trailing=False,
    guaranteed=False,
    good_till=None,
    created_at=NOW,
    bid=None,
    offer=None,
    market_status=MarketStatus.TRADEABLE,
)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"stop_level": None}, True),
        ({"working_order_id": None}, True),
        ({"opened_at": NOW - timedelta(seconds=2)}, True),
        ({"opened_at": NOW - timedelta(seconds=3)}, False),
        ({"deal_id": "old"}, False),
        ({"working_order_id": "order-of-old"}, False),
        ({"epic": "GOLD"}, False),
        ({"side": Side.SELL}, False),
        ({"size": D("1.4")}, False),
    ],
)
def test_a_position_fits_a_lost_order(changes: dict[str, Any], *, fits: bool) -> None:
    row = replace(POSITION, **changes)
    assert matching_positions(LOST, (row,)) == ((row,) if fits else ())


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"level": D(28)}, False),
        ({"deal_id": "old"}, False),
        ({"created_at": NOW - timedelta(seconds=3)}, False),
        ({"side": Side.SELL}, False),
    ],
)
def test_a_waiting_order_fits_a_lost_one(changes: dict[str, Any], *, fits: bool) -> None:
    lost = replace(LOST, request=replace(LOST.request, trigger=Trigger(D(27))))
    row = replace(ORDER, **changes)
    assert matching_orders(lost, (row,)) == ((row,) if fits else ())


def test_every_deal_that_fits_is_named() -> None:
    twins = (POSITION, replace(POSITION, deal_id="newer"))
    assert matching_positions(LOST, twins) == twins
