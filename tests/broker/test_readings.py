"""One reader each for numbers, texts, currencies, times and flags, in every form seen or likely."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.broker import readings
from capcli.broker.readings import MaybeNumber, Number
from capcli.domain.market import Side


class Pair(msgspec.Struct, frozen=True):
    must: Number
    may: MaybeNumber = None


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b"1.10", "1.10"),
        (b"-0", "0"),
        (b"2.589885E7", "25898850"),
        (b"1.0E7", "10000000"),
        (b"-9.0E-4", "-0.00090"),
        (b"1e0", "1"),
        (b"0E7", "0"),
        (b'"100.0"', "100.0"),
        (b'" 1.5 "', "1.5"),
        (b'"-9.0E-4"', "-0.00090"),
        (b"12345678901234567890", "12345678901234567890"),
        (b"0.30000000000000004", "0.30000000000000004"),
    ],
)
def test_a_number_is_read_in_every_form_with_its_digits(raw: bytes, read: str) -> None:
    assert str(readings.decode(b'{"must":%s}' % raw, Pair).must) == read


@pytest.mark.parametrize("raw", [b"null", b'""', b'"NaN"', b'"-Infinity"', b'"inf"'])
def test_a_number_that_is_not_finite_is_absent(raw: bytes) -> None:
    assert readings.decode(b'{"must":1,"may":%s}' % raw, Pair).may is None
    with pytest.raises(msgspec.ValidationError, match="must"):
        readings.decode(b'{"must":%s}' % raw, Pair)


@pytest.mark.parametrize("raw", [b"NaN", b"Infinity", b" -Infinity "])
def test_a_bare_word_for_what_is_not_finite_is_absent_too(raw: bytes) -> None:
    assert readings.decode(b'{"must":1,"may":%s}' % raw, Pair) == Pair(Decimal(1))
    assert readings.decode(b'{"must":1,"more":[%s,2]}' % raw, Pair) == Pair(Decimal(1))
    with pytest.raises(msgspec.DecodeError):
        readings.decode(b'{"must":1,"may":%s' % raw, Pair)


@pytest.mark.parametrize(
    "raw",
    [
        b"true",
        b'"ten"',
        b'"1,5"',
        b"{}",
        b"[1]",
        b"1e999999999",
        b"1e31",
        b"1e-99",
        b"1" * 5000,
        b'"\\u0661"',
    ],
)
def test_what_is_no_number_that_can_be_worked_with_is_an_error_and_never_a_default(raw: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        readings.decode(b'{"must":1,"may":%s}' % raw, Pair)


@given(number=st.decimals(min_value=-(10**9), max_value=10**9, places=6), form=st.sampled_from(["f", "E"]))
def test_no_form_changes_a_number(number: Decimal, form: str) -> None:
    found = readings.number(f"{number:{form}}")

    assert found == number
    assert "E" not in f"{found:f}"


@pytest.mark.parametrize(("raw", "read"), [(2, 2), ("2.0", 2), ("3E2", 300), (None, None), ("NaN", None)])
def test_a_whole_number_may_be_written_with_decimals(raw: object, read: int | None) -> None:
    assert readings.whole(raw) == read


@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (readings.whole, "2.5"),
        (readings.moment, "soon"),
        (readings.moment, "0001-01-01T00:00:00"),
        (readings.moment, "9999-12-31T23:59:59.999"),
        (readings.moment, 10**20),
        (readings.millis, -1),
        (readings.flag, "perhaps"),
        (readings.flag, 1),
    ],
)
def test_what_is_neither_is_refused_with_its_value(read: Callable[[object], object], raw: object) -> None:
    with pytest.raises(ValueError, match=r"is n|neither"):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "2026-03-02T12:00:00",
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T14:00:00+02:00",
        1772452800000,
        "1.7724528E12",
    ],
)
def test_a_time_is_utc_in_every_form(raw: object) -> None:
    found = readings.moment(raw)

    assert (found, found and found.tzinfo) == (datetime(2026, 3, 2, 12, tzinfo=UTC), UTC)


def test_a_time_of_nothing_is_none() -> None:
    assert readings.moment(None) is readings.moment(0) is readings.millis("") is None


@pytest.mark.parametrize(("raw", "read"), [("a b", "a b"), (7, "7"), (10**25, str(10**25)), (None, None)])
def test_an_id_that_comes_as_a_number_is_its_digits(raw: object, read: str | None) -> None:
    assert readings.word(raw) == read


@pytest.mark.parametrize(
    ("raw", "read"), [("USDd", "USD"), ("EURd", "EUR"), ("EUR", "EUR"), ("usdd", "usdd"), (None, None)]
)
def test_the_letter_that_demo_appends_to_a_currency_is_dropped(raw: object, read: str | None) -> None:
    assert readings.currency(raw) == read


@pytest.mark.parametrize(("raw", "read"), [(True, True), ("false", False), (" True", True), (None, None)])
def test_a_yes_may_come_as_text(raw: object, read: bool | None) -> None:
    assert readings.flag(raw) is read


@pytest.mark.parametrize(
    ("raw", "read"), [("BUY", Side.BUY), ("SELL", Side.SELL), ("HEDGE", None), (1, None)]
)
def test_a_direction_is_one_of_two_or_none(raw: object, read: Side | None) -> None:
    assert readings.side(raw) is read
