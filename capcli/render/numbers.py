"""Numbers as table cells: formatted by the domain, coloured here."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from capcli.domain import numbers
from capcli.domain.numbers import money, percent, places, price, result
from capcli.render.blocks import NOTHING, Cell, Content, Tone

T = TypeVar("T")

__all__ = ["change", "gain", "gained", "known", "money", "percent", "places", "price", "price_cell"]


def known(value: T | None, written: Callable[[T], Content]) -> Content:
    """Format a value; None stays None."""
    return None if value is None else written(value)


def gain(amount: Decimal, currency: str | None = None) -> Cell:
    """Write a profit with its sign, green, or a loss, red."""
    return Cell(result(amount, currency), _tone(amount))


def gained(row: numbers.Gained) -> Cell:
    """Format a result in account currency, in its own currency if different, and in percent."""
    amount = row.pl if row.pl_account is None else row.pl_account
    return NOTHING if amount is None else Cell(numbers.gained(row), _tone(amount))


def price_cell(number: Decimal | None, decimals: int) -> Cell:
    return NOTHING if number is None else Cell(price(number, decimals))


def change(number: Decimal | None) -> Cell:
    """Write a change in percent with its sign and colour."""
    return NOTHING if number is None else Cell(numbers.change(number), _tone(number))


def _tone(number: Decimal) -> Tone:
    return Tone.GOOD if number > 0 else Tone.BAD if number < 0 else Tone.PLAIN
