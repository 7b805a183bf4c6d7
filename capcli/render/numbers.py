"""How numbers are written for people: money with cents and separators, prices with the market's decimals."""

from decimal import Decimal

from capcli.domain.money import cents, plain, short
from capcli.render.blocks import Cell, Tone

NOTHING = Cell("-", Tone.DIM)


def money(amount: Decimal, currency: str | None = None) -> str:
    """Write an amount as `9,995.39 USD`."""
    return f"{cents(amount) + 0:,.2f} {currency or ''}".rstrip()


def gain(amount: Decimal, currency: str | None = None) -> Cell:
    """Write a profit with its sign, green, or a loss, red."""
    rounded = cents(amount) + 0
    tone = Tone.GOOD if rounded > 0 else Tone.BAD if rounded < 0 else Tone.PLAIN
    return Cell(f"{rounded:+,.2f} {currency or ''}".rstrip(), tone)


def places(*numbers: Decimal | None) -> int:
    """Return the most decimals among prices of one market: the broker's JSON drops trailing zeros."""
    exponents = [int(number.as_tuple().exponent) for number in numbers if number is not None]
    return max((-exponent for exponent in exponents), default=0)


def price(number: Decimal, decimals: int) -> str:
    """Write a price with at least so many decimals, and never fewer than it has."""
    missing = max(decimals, 0) - max(places(number), 0)
    return plain(number) if missing <= 0 else f"{number:.{decimals}f}"


def price_cell(number: Decimal | None, decimals: int) -> Cell:
    return NOTHING if number is None else Cell(price(number, decimals))


def percent(number: Decimal) -> str:
    return f"{short(number)} %"


def change(number: Decimal | None) -> Cell:
    """Write a change in percent with its sign and colour."""
    if number is None:
        return NOTHING
    tone = Tone.GOOD if number > 0 else Tone.BAD if number < 0 else Tone.PLAIN
    return Cell(f"{number:+.2f} %", tone)
