"""Charts as text: snapshots at 80 and 200 columns and in ASCII, tones, and what has no room."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from capcli.domain.market import Candle
from capcli.render import plain, terminal
from capcli.render.blocks import Chart, Terminal

SNAPSHOTS = Path(__file__).parent / "snapshots"
START = datetime(2026, 3, 2, 22, tzinfo=UTC)


def candle(at: datetime, first: int, last: int, volume: Decimal | None) -> Candle:
    bid_open, bid_close = Decimal(first) / 100, Decimal(last) / 100
    high, low = max(bid_open, bid_close) + Decimal("0.11"), min(bid_open, bid_close) - Decimal("0.07")
    ask = Decimal("0.3")
    return Candle(
        at, bid_open, high, low, bid_close, bid_open + ask, high + ask, low + ask, bid_close + ask, volume
    )


def candles(count: int, step: timedelta = timedelta(hours=1)) -> tuple[Candle, ...]:
    """Return a jagged walk that is the same on every machine."""
    levels = [2640_00]
    for place in range(count):
        levels.append(levels[-1] + (place * 7919 % 61 - 29))
    return tuple(
        candle(START + step * place, levels[place], levels[place + 1], Decimal(place * 37 % 90 + 10))
        for place in range(count)
    )


CASES = {
    "80": (candles(50), Terminal(terminal=True, width=80)),
    "200": (candles(180, timedelta(days=1)), Terminal(terminal=True, width=200)),
    "merged": (candles(200), Terminal()),
    "ascii": (candles(50), Terminal(unicode=False)),
    "narrowest": (candles(3), Terminal(columns=40)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_chart_looks_as_in_its_snapshot(name: str) -> None:
    drawn, look = CASES[name]
    paint = terminal if look.terminal else plain
    text = paint.paint([Chart(drawn)], look)
    file = SNAPSHOTS / f"chart-{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(text, encoding="utf-8", newline="\n")
    assert text == file.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= (look.width or look.columns)
    assert look.unicode or text.isascii()


def test_colour_tells_rising_from_falling_where_there_is_colour() -> None:
    text = terminal.paint([Chart(candles(50))], Terminal(terminal=True, colour=True, width=80))
    assert "\x1b[32m" in text
    assert "\x1b[31m" in text
    assert "░" not in text


def test_letters_tell_them_apart_where_there_is_none() -> None:
    text = plain.paint([Chart(candles(50))], Terminal())
    assert "\x1b" not in text
    assert "█ closed higher  ░ closed lower" in text


def test_a_window_too_narrow_is_told() -> None:
    text = terminal.paint([Chart(candles(5))], Terminal(terminal=True, width=39))
    assert text == "A chart needs 40 columns; here are 39.\n"


def test_a_market_that_stood_still_and_sent_no_volume_is_drawn() -> None:
    still = Candle(START, *[Decimal("1.5")] * 8, None)
    text = plain.paint([Chart((still, still))], Terminal())
    assert text.count("█") == 2 + 1
    assert "1.5" in text
