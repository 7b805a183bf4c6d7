"""Hand-made OHLC files of SILVER: a trend, weekend gaps and a crash within one bar."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

BOTH = "time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close,volume"
PLAIN = "time,open,high,low,close,volume"
TREND_START = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
FRIDAY_START = datetime(2026, 3, 6, 18, tzinfo=UTC)
MONDAY_OPEN = datetime(2026, 3, 9, 1, tzinfo=UTC)
CRASH_START = datetime(2026, 3, 3, 10, tzinfo=UTC)
CRASH_BAR = CRASH_START + timedelta(minutes=30)

Row = tuple[datetime, *tuple[Decimal, ...]]


def trend(path: Path) -> list[Row]:
    """Three hours of minutes upwards, with a spread that is wider in some bars."""
    rows, price = [], Decimal("30.000")
    for i in range(180):
        close = price + Decimal("0.007") - Decimal("0.011") * (i % 3 == 2)
        high, low = max(price, close) + Decimal("0.004"), min(price, close) - Decimal("0.003")
        wide = Decimal("0.020") + Decimal("0.015") * (i % 5 == 0)
        bids = (price, high, low, close)
        offers = (price + wide, high + wide + Decimal("0.001"), low + Decimal("0.020"), close + wide)
        rows.append((TREND_START + timedelta(minutes=i), *bids, *offers, Decimal(40 + i % 7)))
        price = close
    return _written(path, BOTH, rows)


def weekend(path: Path) -> list[Row]:
    """Hours to Friday night at 30.9; on Monday they go on at 29.5, a dollar and a half below."""
    rows = [_plain(FRIDAY_START + timedelta(hours=i), "31.0", "31.2", "30.8", "30.9") for i in range(4)]
    rows += [_plain(MONDAY_OPEN + timedelta(hours=i), "29.5", "29.9", "29.2", "29.6") for i in range(6)]
    return _written(path, PLAIN, rows)


def crash(path: Path) -> list[Row]:
    """An hour of quiet minutes around 32; the thirtieth falls to 25 and comes back."""
    rows = [
        _plain(CRASH_START + timedelta(minutes=i), "32.00", "32.05", "25.00" if i == 30 else "31.95", "32.01")
        for i in range(60)
    ]
    return _written(path, PLAIN, rows)


def _plain(start: datetime, *prices: str) -> Row:
    return (start, *map(Decimal, prices), Decimal(60))


def _written(path: Path, header: str, rows: list[Row]) -> list[Row]:
    lines = [",".join((f"{row[0]:%Y-%m-%dT%H:%M:%SZ}", *map(str, row[1:]))) for row in rows]
    path.write_text("\n".join((header, *lines, "")))
    return rows
