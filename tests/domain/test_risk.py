"""The size that a risk allows, by plain arithmetic: never more loss than asked, never a step wasted."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.domain.market import Side
from capcli.domain.money import Money
from capcli.domain.order import ExitForm, ExitOrder
from capcli.domain.risk import ONE_UNIT, Risk, Sized, sized
from capcli.domain.sizing import figures

from .builders import ACCOUNT, MARKET, RULES, a_market, a_quote, an_order, distance, level

D = Decimal


def size_of(
    risk: str,
    stop: ExitOrder,
    *,
    side: Side = Side.BUY,
    rate: str = "1",
    equity: str = "10000",
    **sizes: Decimal,
) -> Sized | None:
    owner = replace(ACCOUNT, equity=D(equity))
    unit = an_order("1", side=side, stop=stop)
    rules = replace(RULES, **sizes).for_orders()
    assert rules is not None
    return sized(Risk(D(risk)), unit, figures(unit, MARKET, owner, D(rate)), rules)


def test_a_buy_worked_by_hand() -> None:
    # 1 % of 10,000 is 100; a unit loses 30.02 - 29.00 = 1.02; 98.03 units, 98.0 in steps of 0.1.
    found = size_of("1", level("29.00"))
    assert found
    assert (found.size, found.least_pct) == (D("98.0"), None)
    assert (found.sizing.budget, found.sizing.loss_per_unit) == (D("100.00"), D("1.02"))
    assert found.sizing.arithmetic == (
        "1 % of 10,000 USD equity = 100.00 USD; one unit loses 1.02 USD at the stop = (30.02 - 29.00), "
        "spread included; 100.00 / 1.02 = 98.039215, rounded down to steps of 0.1: 98."
    )


def test_a_distance_counts_from_where_the_position_closes_so_the_spread_is_lost_besides() -> None:
    found = size_of("1", distance("1"))
    assert found
    assert found.sizing.loss_per_unit == D("1.02")


def test_a_sale_and_another_currency() -> None:
    found = size_of("0.5", level("31.00"), side=Side.SELL, rate="0.9")
    assert found
    assert (found.sizing.loss_per_unit, found.size) == (D("0.900"), D("55.5"))
    assert "(31.00 - 30.00) x 0.9" in found.sizing.arithmetic


def test_what_is_below_the_minimum_says_the_least_risk_that_is_not() -> None:
    found = size_of("0.001", level("29.00"))
    assert found
    # 0.1 units lose 0.102, which is 0.11 when it is rounded up to cents: 0.0011 %, or 0.01 in hundredths.
    assert (found.size, found.least_pct) == (D(0), D("0.01"))


def test_a_minimum_between_two_steps_is_the_step_above_it() -> None:
    # At least 2.5 in steps of 1 is 3, which loses 3 x 1.02 = 3.06: 0.04 % in hundredths, rounded up.
    sizes = {"min_size": D("2.5"), "size_step": D(1)}
    below, enough = (size_of(risk, level("29.00"), **sizes) for risk in ("0.026", "0.0306"))
    assert below
    assert enough
    assert (below.size, below.least_pct) == (D(2), D("0.04"))
    assert (enough.size, enough.least_pct) == (D(3), None)


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_no_equity_pays_for_no_size(equity: str) -> None:
    found = size_of("1", level("29.00"), equity=equity)
    assert found
    assert (found.size, found.least_pct) == (D(0), D(0))


@pytest.mark.parametrize(("side", "stop"), [(Side.BUY, "30.02"), (Side.BUY, "31"), (Side.SELL, "30")])
def test_a_stop_that_limits_no_loss_gives_no_size(side: Side, stop: str) -> None:
    assert size_of("1", level(stop), side=side) is None


@given(
    price=st.decimals(min_value="0.5", max_value="99999", places=3),
    spread=st.decimals(min_value="0.001", max_value="5", places=3),
    away=st.decimals(min_value="0.001", max_value="5000", places=3),
    side=st.sampled_from(Side),
    risk=st.decimals(min_value="0.01", max_value="100", places=2),
    equity=st.decimals(min_value="1", max_value="1000000", places=2),
    rate=st.decimals(min_value="0.0001", max_value="200", places=6),
    step=st.sampled_from(["0.001", "0.1", "1", "100"]),
)
def test_the_loss_stays_within_the_risk_and_one_step_more_would_not(
    price: Decimal,
    spread: Decimal,
    away: Decimal,
    side: Side,
    risk: Decimal,
    equity: Decimal,
    rate: Decimal,
    step: str,
) -> None:
    assume(side is Side.SELL or price > away)
    market = a_market(
        quote=a_quote(str(price), str(price + spread)), rules={"size_step": D(step), "min_size": D(step)}
    )
    owner = replace(ACCOUNT, equity=equity)
    unit = an_order("1", side=side, stop=ExitOrder(ExitForm.DISTANCE, away))
    rules = market.rules.for_orders()
    assert rules is not None
    found = sized(Risk(risk), unit, figures(unit, market, owner, rate), rules)
    assert found is not None
    budget, lost = equity * risk / 100, (away + spread) * rate
    assert found.size * lost <= budget
    # What is rounded against the user is cents of the budget, and the twelfth digit of a loss.
    assert (found.size + D(step)) * lost * D("1.0000001") + D("0.02") > budget
    assert found.size % D(step) == 0
    assert ONE_UNIT == 1
    if found.least_pct is not None:
        assert equity * found.least_pct / 100 >= D(step) * lost * D("0.999999")
    else:
        whole = figures(replace(unit, size=found.size), market, owner, rate)
        assert whole.stop is not None
        assert whole.stop.amount <= budget


def test_without_a_stop_there_is_no_size() -> None:
    unit, rules = an_order("1"), RULES.for_orders()
    assert rules is not None
    assert sized(D(1), unit, figures(unit, MARKET, ACCOUNT, D(1)), rules) is None


def test_a_risk_as_a_share_of_the_equity() -> None:
    assert Risk(D("1.5")).share_of(D(0)) == D("1.5")
    assert Risk().share_of(D(100)) == D(0)
    dollar = Risk(amount=Money(D(1), "USD"))
    assert [dollar.share_of(D(equity)) for equity in ("200", "0.5", "0", "-1")] == [D("0.5"), D(200), 0, 0]


def test_the_loss_of_a_unit_keeps_twelve_digits_rounded_up() -> None:
    # 1 and the spread of 0.02, at the rate: 0.12592592479224.
    found = size_of("1", distance("1"), rate="0.123456789012")
    assert found is not None
    assert found.sizing.loss_per_unit == D("0.125925924793")
