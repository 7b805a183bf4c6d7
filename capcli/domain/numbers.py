"""Formats numbers for people: prices, money, results, percentages and rates. The only place."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Protocol

from capcli.domain.money import CENT, cents, plain, short

_RATE = Context(prec=9)
_SMALL, _TWO_DIGITS = Decimal("0.1"), Context(prec=2)


def price(number: Decimal, decimals: int = 0) -> str:
    """Format a price with at least this many decimals, and never fewer than it has."""
    missing = max(decimals, 0) - max(places(number), 0)
    return plain(number) if missing <= 0 else f"{number:.{decimals}f}"


def places(*numbers: Decimal | None) -> int:
    """Return the most decimals among prices of one market: the broker's JSON drops trailing zeros."""
    exponents = [int(number.as_tuple().exponent) for number in numbers if number is not None]
    return max((-exponent for exponent in exponents), default=0)


def money(amount: Decimal, currency: str | None = None) -> str:
    """Write an amount as `9,995.39 USD`; a negative one that rounds to nothing keeps its sign."""
    return f"{cents(amount):,.2f} {currency or ''}".rstrip()


def result(amount: Decimal, currency: str | None = None) -> str:
    """Write a gain or a loss as `+12.30 USD`, with the sign of the amount before it was rounded."""
    sign = "+" if amount > 0 else "-" if amount < 0 else ""
    return f"{sign}{abs(cents(amount)):,.2f} {currency or ''}".rstrip()


def percent(number: Decimal) -> str:
    """Write a percentage with two decimals at most, one below 0.1 with two digits: `18.65 %`, `0.0052 %`."""
    if abs(number) < _SMALL:
        return f"{short(_TWO_DIGITS.plus(number))} %"
    return f"{short(number.quantize(CENT, ROUND_HALF_EVEN))} %"


def change(number: Decimal) -> str:
    """Write a change in percent with its sign, one below 0.1 with two digits: `+0.50 %`, `-0.0052 %`."""
    if abs(number) >= _SMALL or not number:
        return f"{result(number)} %"
    return f"{'+' if number > 0 else ''}{percent(number)}"


class Gained(Protocol):
    """The result of a close: in its own currency, in the account's, and in percent of its value."""

    @property
    def pl(self) -> Decimal | None: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def pl_account(self) -> Decimal | None: ...
    @property
    def account_currency(self) -> str | None: ...
    @property
    def pl_pct(self) -> Decimal | None: ...
    @property
    def pl_estimated(self) -> bool: ...


def gained(row: Gained) -> str:
    """Format a result as `about -5.40 USD (-5.00 EUR), -0.031 %`; empty if unknown."""
    own = "" if row.pl is None else result(row.pl, row.currency)
    percentage = "" if row.pl_pct is None else f", {change(row.pl_pct)}"
    if row.pl_account is None:
        return f"{own}{percentage}"
    about = "about " if row.pl_estimated else ""
    beside = "" if not own or row.account_currency == row.currency else f" ({own})"
    return f"{about}{result(row.pl_account, row.account_currency)}{beside}{percentage}"


def rate(number: Decimal) -> str:
    """Write an exchange rate with nine digits: enough that sums come out to the cent, few enough to read."""
    return short(_RATE.plus(number))


def counted(number: int, word: str) -> str:
    """Write a count with its word: `1 check`, `2 checks`."""
    return f"{number} {word}{'s' * (number != 1)}"
