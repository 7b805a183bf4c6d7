"""Wilder's average true range, by a table worked by hand."""

from datetime import timedelta
from decimal import Decimal

from capcli.domain.atr import average_true_range
from capcli.domain.market import Candle

from .builders import NOW

D = Decimal


def bars(*rows: tuple[str, str, str]) -> tuple[Candle, ...]:
    """Make bars of (high, low, close); the ask is far away, so that a use of it shows."""
    far = [D(999)] * 4
    return tuple(
        Candle(NOW + timedelta(hours=n), D(close), D(high), D(low), D(close), *far, volume=None)
        for n, (high, low, close) in enumerate(rows)
    )


def test_the_first_average_is_plain_and_the_next_moves_by_its_share() -> None:
    # True ranges: 2, 3 (a gap up: 15 - 12), 4 (a gap down: 14 - 10), 1.
    table = bars(
        ("11", "9", "10"), ("12", "10", "12"), ("15", "14", "14"), ("11", "10", "10"), ("11", "10", "11")
    )
    assert average_true_range(table[:3], 2) == D("2.5")
    assert average_true_range(table[:4], 2) == (D("2.5") + 4) / 2
    assert average_true_range(table, 2) == (D("3.25") + 1) / 2


def test_too_few_bars_have_no_average() -> None:
    table = bars(*[("11", "9", "10")] * 14)
    assert average_true_range(table, 14) is None
    assert average_true_range((*table, table[0]), 14) == 2
    assert average_true_range((), 14) is None


def test_an_average_of_three_keeps_two_thirds_of_what_it_was() -> None:
    # True ranges: 2, 3, 4 with the mean 3; then 6: (2 x 3 + 6) / 3.
    table = bars(
        ("11", "9", "10"), ("12", "10", "12"), ("15", "14", "14"), ("11", "10", "11"), ("17", "11", "12")
    )
    assert average_true_range(table[:4], 3) == 3
    assert average_true_range(table, 3) == 4
