"""Numbers as people read them: nothing that a figure has is lost, and no sign."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from capcli.domain.numbers import change, counted, gained, money, percent, places, price, rate, result

D = Decimal


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        ("1", 0, "1"),
        ("1.5", 0, "1.5"),
        ("1.5", 1, "1.5"),
        ("1.5", 3, "1.500"),
        ("1", 1, "1.0"),
        ("1.2345", 2, "1.2345"),
        ("1E+2", 0, "100"),
        ("1E+2", 2, "100.00"),
        ("1E+2", -2, "100"),
    ],
)
def test_a_price_has_at_least_the_decimals_of_its_market(number: str, decimals: int, text: str) -> None:
    assert price(D(number), decimals) == text


def test_the_most_decimals_of_several_prices_count() -> None:
    assert places() == 0
    assert places(None, D("1.25"), D("1.5"), None) == 2
    assert places(D("1E+2")) == -2


@pytest.mark.parametrize(
    ("amount", "told"),
    [("12.3", "+12.30 USD"), ("-1234.5", "-1,234.50 USD"), ("0", "0.00 USD"), ("-0.001", "-0.00 USD")],
)
def test_a_result_has_the_sign_of_what_it_was(amount: str, told: str) -> None:
    assert result(D(amount), "USD") == told


def test_money_has_cents_and_separators() -> None:
    assert money(D("9995.391"), "USD") == "9,995.39 USD"
    assert money(D("-1")) == "-1.00"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("18.654", "18.65 %"),
        ("-5.126", "-5.13 %"),
        ("1.055", "1.06 %"),
        ("0.1", "0.1 %"),
        ("0.0996", "0.1 %"),
        ("0.00516", "0.0052 %"),
        ("-0.00516", "-0.0052 %"),
        ("2.125", "2.12 %"),
    ],
)
def test_a_percentage_has_two_decimals_or_two_digits(number: str, text: str) -> None:
    assert percent(D(number)) == text


def test_a_rate_has_nine_digits() -> None:
    assert rate(D(1) / 3) == "0.333333333"
    assert rate(D("1.10")) == "1.1"


def test_one_is_no_plural() -> None:
    assert [counted(number, "check") for number in (0, 1, 2)] == ["0 checks", "1 check", "2 checks"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0.00 %"),
        ("0.5", "+0.50 %"),
        ("-12.345", "-12.34 %"),
        ("0.1", "+0.10 %"),
        ("-0.1", "-0.10 %"),
        ("0.00516", "+0.0052 %"),
        ("-0.00516", "-0.0052 %"),
    ],
)
def test_a_change_has_its_sign(number: str, text: str) -> None:
    assert change(D(number)) == text


@dataclass(frozen=True)
class Closed:
    pl: Decimal | None
    currency: str | None
    pl_account: Decimal | None
    account_currency: str | None = "USD"
    pl_pct: Decimal | None = None
    pl_estimated: bool = False


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Closed(D(-5), "USD", D(-5)), "-5.00 USD"),
        (Closed(D(-5), "EUR", D("-5.4")), "-5.40 USD (-5.00 EUR)"),
        (Closed(None, None, D("-5.4")), "-5.40 USD"),
        (Closed(None, None, None), ""),
        (Closed(D(-5), "EUR", None, pl_pct=D("-0.5")), "-5.00 EUR, -0.50 %"),
        (
            Closed(D(-5), "EUR", D("-5.4"), pl_pct=D("-0.031"), pl_estimated=True),
            "about -5.40 USD (-5.00 EUR), -0.031 %",
        ),
    ],
)
def test_a_gain_is_told_in_account_currency_and_in_its_own_where_that_is_another(
    row: Closed, text: str
) -> None:
    assert gained(row) == text
