"""Every word of the broker's bookings ends in a column, and the columns add up."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from capcli.account.booking_totals import by_key, totals
from capcli.domain.account import Transaction
from capcli.domain.bookings import realised
from capcli.paper.transactions import TYPES

D = Decimal


def booked(kind: str, amount: str, *, epic: str | None = None, day: int = 2, month: int = 3) -> Transaction:
    at = datetime(2026, month, day, 23, 59, 59, tzinfo=UTC)
    return Transaction(at, kind, epic, "", D(amount), "USD", "1", "PROCESSED", None)


def test_no_booking_is_lost_whatever_it_is_called() -> None:
    rows = [booked(kind, "1.01") for kind in (*sorted(TYPES), "SOMETHING_NEW")]
    sums = totals(rows)
    assert sums.net + sums.deposits == D("1.01") * len(rows)


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("TRADE", "realised_pl"),
        ("SWAP", "overnight"),
        ("TRADE_COMMISSION", "commission"),
        ("TRADE_COMMISSION_GSL", "guaranteed_premium"),
        ("REBATE", "other"),
        ("RESERVE", "deposits"),
        ("VOID", "deposits"),
        ("CREDIT_FACILITY", "deposits"),
        ("DEPOSIT", "deposits"),
        ("WITHDRAWAL", "deposits"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_a_booking_stands_in_its_column(kind: str, column: str) -> None:
    assert getattr(totals([booked(kind, "-2.50")]), column) == D("-2.50")


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_report_s_net_and_the_daily_loss_count_the_same_words(kind: str) -> None:
    rows = [booked(kind, "-2.50")]
    assert totals(rows).net == realised(rows)


def test_an_unknown_credit_makes_up_for_no_loss() -> None:
    rows = [booked("TRADE", "-5"), booked("SOMETHING_NEW", "4")]
    assert realised(rows) == D(-5)


def test_wins_are_closes_above_nothing() -> None:
    sums = totals([booked("TRADE", amount) for amount in ("3", "0", "-1")] + [booked("SWAP", "5")])
    assert (sums.closes, sums.wins) == (3, 1)


def test_days_and_months_are_utc_and_in_order() -> None:
    rows = [booked("TRADE", "1", day=9), booked("TRADE", "2", day=2), booked("TRADE", "4", month=4)]
    assert [row.key for row in by_key(rows, "day")] == ["2026-03-02", "2026-03-09", "2026-04-02"]
    assert [(row.key, row.net) for row in by_key(rows, "month")] == [("2026-03", D(3)), ("2026-04", D(4))]
