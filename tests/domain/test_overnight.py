"""What keeping a position over night costs, from the market's own rate."""

from decimal import Decimal

import pytest

from capcli.domain.market import Side
from capcli.domain.overnight import Overnight, overnight_fee

from .builders import MARKET, a_market, an_order

D = Decimal


# 1000 at the mid of 30.01, a dollar at 0.9 of the account's currency; 0.02 % are charged, 0.01 % credited.
@pytest.mark.parametrize(
    ("side", "rate", "amount"), [(Side.BUY, "-0.02", "-5.40"), (Side.SELL, "0.01", "2.70")]
)
def test_the_fee_is_the_rate_of_the_side_on_the_value(side: Side, rate: str, amount: str) -> None:
    found = overnight_fee(an_order("1000", side=side), MARKET, D("0.9"))
    assert found == Overnight(D(rate), D(amount))


def test_without_a_rate_no_fee_is_made_up() -> None:
    assert overnight_fee(an_order(), a_market(overnight=None), D(1)) is None
