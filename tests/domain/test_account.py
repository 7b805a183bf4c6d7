"""Positions: what one is worth where its market has no price."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from capcli.domain.market import Side
from tests.domain.test_matching import POSITION

D = Decimal


@pytest.mark.parametrize(("side", "upl", "price"), [(Side.BUY, "-7", "29.53"), (Side.SELL, "4.5", "29.70")])
def test_without_a_price_a_position_counts_at_that_of_the_brokers_own_result(
    side: Side, upl: str, price: str
) -> None:
    # 1.5 with a contract size of 10, opened at 30.
    held = replace(POSITION, side=side, upl=D(upl), bid=None, offer=None)

    assert held.closing_price is None
    assert round(held.valued_at, 2) == round(held.mid, 2) == D(price)


def test_with_a_price_it_counts_at_the_one_it_closes_at() -> None:
    assert replace(POSITION, bid=D(29), offer=D(31)).valued_at == 29
    assert replace(POSITION, bid=D(29), offer=D(31), side=Side.SELL).valued_at == 31
