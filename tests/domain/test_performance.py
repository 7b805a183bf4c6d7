"""Statistics of bookings: what a trade is, what its figures are, and that no booking is lost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from capcli.domain.account import Transaction
from capcli.domain.market import Side
from capcli.domain.performance import KEYS, TradeOpening, ledger, lines, total

D = Decimal
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def booked(
    hour: float, amount: str, deal: str | None = None, kind: str = "TRADE", epic: str = "GOLD"
) -> Transaction:
    at = START + timedelta(hours=hour)
    return Transaction(at, kind, epic, "", D(amount), "USD", "1", "PROCESSED", deal)


ROWS = (
    booked(0, "1000", kind="DEPOSIT"),
    booked(1, "30", "A"),
    booked(2, "10", "A"),
    booked(3, "-2.50", kind="SWAP"),
    booked(4, "-25", "B", epic="SILVER"),
    booked(4, "-1.25", "B", "TRADE_COMMISSION", "SILVER"),
    booked(5, "-15", "C"),
    booked(6, "0", "D"),
    booked(7, "-5", "E"),
    booked(8, "20"),
    booked(9, "4", "F", "TRADE_CORRECTION"),
)
OPENINGS = {
    "A": TradeOpening(Side.BUY, START, D(20), "dip", "why", "me"),
    "B": TradeOpening(Side.SELL, START + timedelta(hours=3), D(50)),
}


def test_several_closes_of_a_deal_are_one_trade_and_a_close_without_a_deal_is_one() -> None:
    trades = ledger(reversed(ROWS), OPENINGS).trades
    assert [(one.deal_id, one.closes, one.pl, one.costs) for one in trades] == [
        ("A", 2, D(40), D(0)),
        ("B", 1, D(-25), D("-1.25")),
        ("C", 1, D(-15), D(0)),
        ("D", 1, D(0), D(0)),
        ("E", 1, D(-5), D(0)),
        (None, 1, D(20), D(0)),
    ]
    first = trades[0]
    assert (first.r, first.side, first.tag, first.note, first.client) == (D(2), Side.BUY, "dip", "why", "me")
    assert first.closed_at == START + timedelta(hours=2)
    assert [one.r for one in trades[1:]] == [D("-0.52"), None, None, None, None]


def test_the_figures_of_all_trades() -> None:
    found = total(ledger(ROWS, OPENINGS))
    assert (found.trades, found.wins, found.losses) == (6, 2, 3)
    assert found.win_rate_pct == D("33.33")
    assert (found.pl, found.costs, found.net) == (D(19), D("-3.75"), D("15.25"))
    assert (found.average_win, found.average_loss) == (D(30), D("-15.42"))
    assert found.expectancy == D("2.54")
    assert found.profit_factor == D("1.30")
    assert (found.average_r, found.r_known) == (D("0.74"), 2)
    assert found.longest_losing_run == 2
    assert found.max_drawdown == D("48.75")


@pytest.mark.parametrize("by", KEYS)
def test_lines_hold_every_trade_and_every_booking_once(by: str) -> None:
    book = ledger(ROWS, OPENINGS)
    found, whole = lines(book, by), total(book)
    for name in ("trades", "wins", "losses", "pl", "costs", "net", "r_known"):
        assert sum(getattr(line, name) for line in found) == getattr(whole, name), name


def test_lines_by_hour_are_of_the_opening_and_what_names_no_deal_stands_last() -> None:
    found = lines(ledger(ROWS, OPENINGS), "hour")
    assert [line.key for line in found] == ["09:00", "12:00", "", None]
    assert (found[-1].trades, found[-1].costs, found[-1].pl) == (0, D("-2.50"), D(4))


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("market", ["GOLD", "SILVER"]),
        ("tag", ["dip", "", None]),
        ("side", ["BUY", "SELL", "", None]),
        ("client", ["me", "", None]),
    ],
)
def test_lines_are_named_by_what_they_are_of(by: str, keys: list[str | None]) -> None:
    assert [line.key for line in lines(ledger(ROWS, OPENINGS), by)] == keys


def test_a_trade_belongs_to_the_market_of_its_last_close() -> None:
    book = ledger([booked(1, "30", "A"), booked(2, "10", "A", epic="SILVER")], {})
    assert [(line.key, line.trades, line.pl) for line in lines(book, "market")] == [
        ("GOLD", 0, D(30)),
        ("SILVER", 1, D(10)),
    ]


def test_without_a_loss_there_is_no_profit_factor_and_without_trades_no_rate() -> None:
    assert total(ledger(ROWS[:3], {})).profit_factor is None
    empty = total(ledger((), {}))
    assert (empty.trades, empty.win_rate_pct, empty.expectancy, empty.max_drawdown) == (0, None, None, D(0))


def test_what_was_booked_at_one_instant_counts_at_once() -> None:
    found = total(ledger([booked(1, "10", "A"), booked(2, "-8", "B"), booked(2, "9", "C")], {}))
    assert found.max_drawdown == 0
