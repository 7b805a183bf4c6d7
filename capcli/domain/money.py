"""Decimal numbers from text and back, without ever passing through a float."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

from msgspec import Struct

# Wide enough that no intermediate result of order figures is rounded.
EXACT = Context(prec=50)
SIGNIFICANT_DIGITS = 15
CENT = Decimal("0.01")
# An inverted rate has endless digits: beyond these they must not decide the rounding.
_NOISE = Decimal("0.000001")
# For percentages often below 0.01, such as the result of a position.
FINE = Decimal("0.0001")

_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


class NotANumber(ValueError):
    """Text that is not a plain decimal number; the message says why."""


class Money(Struct, frozen=True):
    """An amount and the currency it is in."""

    amount: Decimal
    currency: str


def parse_decimal(text: str) -> Decimal:
    """Read a plain decimal number such as `1.5`, keeping its digits.

    Raises NotANumber for nan, infinity, exponents and separators, and for more than 15 significant digits,
    digits before the point or places after it: what every reader of JSON numbers keeps.
    """
    cleaned = text.strip()
    if not _PLAIN.fullmatch(cleaned) or not cleaned.isascii():
        raise NotANumber(f"{text!r} is not a plain number; write digits with a point, such as 1.5")
    number = Decimal(cleaned)
    places = -int(number.as_tuple().exponent)
    if max(significant_digits(number), number.adjusted() + 1, places) > SIGNIFICANT_DIGITS:
        raise NotANumber(f"{text!r} has more than {SIGNIFICANT_DIGITS} significant digits or places")
    return number


def significant_digits(number: Decimal) -> int:
    """Count the digits that matter: leading and trailing zeros do not."""
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits)


def plain(number: Decimal) -> str:
    """Write a number with all its digits and no exponent."""
    return f"{number:f}"


def short(number: Decimal) -> str:
    """Write a number without trailing zeros and without an exponent."""
    text = plain(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def on_grid(number: Decimal, step: Decimal) -> bool:
    """Whether a number is a whole multiple of the step."""
    return EXACT.remainder(number, step) == 0


def floor_to(number: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of the step that is not above the number."""
    return EXACT.multiply(EXACT.divide(number, step).to_integral_value(ROUND_FLOOR), step)


def ceil_to(number: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of the step that is not below the number."""
    return EXACT.multiply(EXACT.divide(number, step).to_integral_value(ROUND_CEILING), step)


def cents(amount: Decimal) -> Decimal:
    """Round an amount of money to 0.01, half to even, as the books are kept."""
    return amount.quantize(_NOISE, ROUND_HALF_EVEN, EXACT).quantize(CENT, ROUND_HALF_EVEN, EXACT)


def percent_of(part: Decimal, whole: Decimal, step: Decimal = CENT) -> Decimal:
    """Return `part` as a percentage of `whole`, rounded to the step; 0 of nothing is 0."""
    if whole == 0:
        return Decimal(0).quantize(step)
    return EXACT.divide(part * 100, whole).quantize(step, ROUND_HALF_EVEN, EXACT)
