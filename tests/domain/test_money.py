from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.domain.money import (
    EXACT,
    NotANumber,
    ceil_to,
    cents,
    floor_to,
    on_grid,
    parse_decimal,
    percent_of,
    plain,
    short,
)

D = Decimal
numbers = st.decimals(min_value=-(10**9), max_value=10**9, places=6, allow_nan=False)
steps = st.sampled_from([D("0.001"), D("0.05"), D("0.1"), D("0.0003"), D(1), D(7), D(100)])


WORDS = ["nan", "NaN", "inf", "-Infinity", "1e5", "1e999", "1_000", "1,5", "0x10", ".", "+", "--1"]
LOOKALIKES = ["", " ", "1 000", "1\n2", "1.5\u00a0x", "\u0661\u0662", "\uff11"]


@pytest.mark.parametrize("text", [*WORDS, *LOOKALIKES])
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        parse_decimal(text)


@pytest.mark.parametrize("text", ["1" * 16, "0." + "0" * 15 + "1", "1" + "0" * 15, "1.2345678901234567"])
def test_numbers_that_a_json_reader_might_round_are_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        parse_decimal(text)


def test_a_size_of_a_hundred_zeros_is_refused_not_a_crash() -> None:
    with pytest.raises(NotANumber):
        parse_decimal("1" + "0" * 100)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("123456789012345", "123456789012345"),
        ("0.123456789012345", "0.123456789012345"),
        ("1.50", "1.50"),
        (" 7 ", "7"),
        (".5", "0.5"),
        ("1.", "1"),
        ("-2.0", "-2.0"),
        ("+3", "3"),
    ],
)
def test_plain_numbers_keep_their_digits(text: str, kept: str) -> None:
    assert plain(parse_decimal(text)) == kept


@given(numbers)
def test_what_is_written_plainly_reads_back(number: Decimal) -> None:
    assert D(plain(number)) == D(short(number)) == number
    assert "E" not in plain(number).upper()


@given(numbers)
def test_short_has_no_needless_zeros(number: Decimal) -> None:
    text = short(number)
    assert "." not in text or text[-1] not in "0."


@given(numbers, steps)
def test_the_grid_neighbours_enclose_the_number(number: Decimal, step: Decimal) -> None:
    down, up = floor_to(number, step), ceil_to(number, step)
    assert down <= number <= up
    assert on_grid(down, step)
    assert on_grid(up, step)
    assert up - down == (0 if on_grid(number, step) else step)


def test_a_quotient_of_thirty_digits_is_not_rounded_on_the_way() -> None:
    number, step = D("999999999999999"), D("0.000000000000007")
    with localcontext(EXACT):
        assert number - step < floor_to(number, step) <= number <= ceil_to(number, step) < number + step


@given(numbers)
def test_cents_are_nearest_and_half_goes_to_even(number: Decimal) -> None:
    rounded = cents(number)
    assert abs(rounded - number) <= D("0.005")
    assert rounded.as_tuple().exponent == -2


@pytest.mark.parametrize(("exact", "booked"), [("0.005", "0.00"), ("0.015", "0.02"), ("-0.025", "-0.02")])
def test_half_a_cent_goes_to_the_even_one(exact: str, booked: str) -> None:
    assert cents(D(exact)) == D(booked)


def test_percent_of_nothing_is_nothing() -> None:
    assert percent_of(D(5), D(0)) == D("0.00")
    assert percent_of(D(1), D(3)) == D("33.33")


@pytest.mark.parametrize(
    ("part", "whole", "share"), [("2", "3", "66.67"), ("1", "800", "0.12"), ("3", "800", "0.38")]
)
def test_a_share_is_rounded_to_the_nearest_and_half_to_even(part: str, whole: str, share: str) -> None:
    assert percent_of(D(part), D(whole)) == D(share)


def test_fifty_digits_are_exact() -> None:
    nines = 10**25 - 1
    assert EXACT.multiply(D(nines), D(nines)) == nines**2
