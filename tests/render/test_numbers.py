"""How numbers are written for people."""

from decimal import Decimal

import pytest

from capcli.render.blocks import Tone
from capcli.render.numbers import change, gain, money, percent, places, price


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("10000", "10,000.00 USD"),
        ("9995.385", "9,995.38 USD"),
        ("-0.001", "-0.00 USD"),
        ("1234567.8", "1,234,567.80 USD"),
    ],
)
def test_money_has_cents_and_separators(amount, text):
    assert money(Decimal(amount), "USD") == text


@pytest.mark.parametrize(
    ("amount", "text", "tone"),
    [
        ("1.5", "+1.50 USD", Tone.GOOD),
        ("-0.04", "-0.04 USD", Tone.BAD),
        ("-0.0029", "-0.00 USD", Tone.BAD),
        ("0", "0.00 USD", Tone.PLAIN),
    ],
)
def test_a_result_has_its_sign_and_its_colour(amount, text, tone):
    cell = gain(Decimal(amount), "USD")
    assert (cell.text, cell.tone) == (text, tone)


def test_prices_get_the_decimals_of_their_market_and_lose_none():
    assert price(Decimal("30.7"), 3) == "30.700"
    assert price(Decimal("1.123456"), 5) == "1.123456"
    assert price(Decimal("1E+2"), 0) == "100"
    assert places(Decimal("30.749"), Decimal("30.7"), None) == 3
    assert places(None) == 0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("18.648", "18.65 %"),
        ("18.59", "18.59 %"),
        ("0.0112", "0.011 %"),
        ("-0.0052", "-0.0052 %"),
        ("5", "5 %"),
    ],
)
def test_a_percentage_has_two_decimals_or_two_digits(number, text):
    assert percent(Decimal(number)) == text


def test_a_change_that_was_not_sent_is_a_dash():
    assert change(None).text == "-"
    assert change(Decimal("-1.3611")).text == "-1.36 %"
