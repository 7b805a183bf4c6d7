"""Sums of bookings: realised P&L, costs and deposits, in total and by market, day or month."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from capcli.domain.account import Transaction
from capcli.domain.bookings import CLOSE, Column, column_of
from capcli.domain.fields import with_fields_of
from capcli.errors import UsageError

_NONE = Decimal(0)


class Totals(Struct, frozen=True):
    """Sums of bookings in the account's currency, charges below 0. `net` is the sum of all but `deposits`.

    `deposits` are money that comes and goes, withdrawals, transfers and reserves included. `closes` counts
    the closings booked, `wins` those with a P&L above 0 before fees and commissions.
    """

    realised_pl: Decimal
    overnight: Decimal
    commission: Decimal
    guaranteed_premium: Decimal
    other: Decimal
    net: Decimal
    deposits: Decimal
    closes: int
    wins: int


class Booked(Struct, frozen=True):
    """The sums of one market, day or month; the key is empty for bookings without a market."""

    key: str
    realised_pl: Decimal
    overnight: Decimal
    commission: Decimal
    guaranteed_premium: Decimal
    other: Decimal
    net: Decimal
    deposits: Decimal
    closes: int
    wins: int


_KEYS: Mapping[str, Callable[[Transaction], str]] = {
    "market": lambda row: row.epic or "",
    "day": lambda row: f"{row.at:%Y-%m-%d}",
    "month": lambda row: f"{row.at:%Y-%m}",
}


def totals(rows: Iterable[Transaction]) -> Totals:
    """Add up bookings of one currency."""
    sums = dict.fromkeys(Column, _NONE)
    closes, wins = 0, 0
    for row in rows:
        sums[column_of(row.type)] += row.amount
        closes += row.type == CLOSE
        wins += row.type == CLOSE and row.amount > 0
    net = sum(sums.values(), _NONE) - sums[Column.DEPOSITS]
    return Totals(**{each.value: amount for each, amount in sums.items()}, net=net, closes=closes, wins=wins)


def by_key(rows: Iterable[Transaction], by: str) -> tuple[Booked, ...]:
    """Add up bookings by market, day or month, sorted. Raises UsageError for another word."""
    key = _KEYS.get(by)
    if key is None:
        raise UsageError(f"A report is by {', '.join(_KEYS)}; not by {by[:20]!a}.")
    groups: dict[str, list[Transaction]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return tuple(with_fields_of(totals(groups[name]), Booked, key=name) for name in sorted(groups))
