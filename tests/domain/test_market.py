"""Markets and quotes: who deals at which price, how wide a candle is, which rules an order needs."""

from datetime import timedelta
from decimal import Decimal

import pytest

from capcli.domain.market import Distance, OvernightFee, Resolution, RuleUnit, Side, is_epic

from .builders import RULES, a_market, a_quote

D = Decimal
MINUTES = {
    "MINUTE": 1,
    "MINUTE_5": 5,
    "MINUTE_15": 15,
    "MINUTE_30": 30,
    "HOUR": 60,
    "HOUR_4": 240,
    "DAY": 1440,
    "WEEK": 10080,
}


def test_a_candle_is_as_wide_as_its_name_says() -> None:
    assert {each.value: each.span for each in Resolution} == {
        name: timedelta(minutes=count) for name, count in MINUTES.items()
    }


def test_the_opposite_of_a_side_is_the_other_one() -> None:
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)


def test_a_buy_opens_at_the_offer_and_closes_at_the_bid() -> None:
    quote = a_quote("30.00", "30.02")
    assert (quote.entry(Side.BUY), quote.exit(Side.BUY)) == (D("30.02"), D("30.00"))
    assert (quote.entry(Side.SELL), quote.exit(Side.SELL)) == (D("30.00"), D("30.02"))
    assert (quote.spread, quote.mid) == (D("0.02"), D("30.01"))


def test_a_distance_is_a_share_of_the_price_or_its_own_value() -> None:
    assert Distance(D("2"), RuleUnit.PERCENTAGE).at(D("30")) == D("0.6")
    assert Distance(D("2"), RuleUnit.POINTS).at(D("30")) == D("2")


def test_each_side_has_its_own_overnight_rate() -> None:
    fee = OvernightFee(D("-0.02"), D("0.01"), None, None)
    assert (fee.rate(Side.BUY), fee.rate(Side.SELL)) == (D("-0.02"), D("0.01"))


def test_one_missing_rule_makes_an_order_impossible_to_check_and_is_named() -> None:
    assert RULES.missing() == ()
    for name in ("price_step", "min_size", "max_size", "size_step", "min_stop_distance", "max_stop_distance"):
        rules = a_market(rules={name: None}).rules
        assert rules.for_orders() is None
        assert rules.missing() == (name,)
    assert a_market(rules={"trailing_stops": None, "min_guaranteed_stop_distance": None}).rules.for_orders()


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("SILVER", True),
        ("US500.F-1_x", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        (".SILVER", False),
        ("SIL VER", False),
        ("SILVER\n", False),
        ("SILV\u00c9R", False),
    ],
)
def test_an_epic_has_its_form(text: str, *, ok: bool) -> None:
    assert is_epic(text) is ok
