"""One grammar for times, spans and lists, on every command."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from capcli.cli.inputs import instant, last_of, listed, span
from capcli.errors import UsageError

NOW = datetime(2026, 11, 29, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T14:00", datetime(2026, 1, 31, 14, tzinfo=UTC)),
        ("2026-01-31 14:00:05", datetime(2026, 1, 31, 14, 0, 5, tzinfo=UTC)),
        ("2026-01-31T14:00Z", datetime(2026, 1, 31, 14, tzinfo=UTC)),
        ("2026-01-31T14:00+02:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T23:30-05:00", datetime(2026, 2, 1, 4, 30, tzinfo=UTC)),
        ("today", datetime(2026, 11, 29, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 28, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc(text: str, at: datetime) -> None:
    assert instant("--from", text, lambda: NOW) == at


@pytest.mark.parametrize("text", ["01/02/2026", "2026-02-31", "tomorrow", "2026-01-31T14:00+2", "", "14:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--from is"):
        instant("--from", text, lambda: NOW)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(days=1)),
        ("1D", timedelta(days=1)),
        ("2w", timedelta(14)),
    ],
)
def test_a_span_is_a_number_and_a_letter(text: str, length: timedelta) -> None:
    assert span("--last", text) == last_of(text) == length


def test_a_bare_number_is_a_count() -> None:
    assert last_of("50") == 50


@pytest.mark.parametrize("text", ["1M", "12M", "0h", "x", "-5"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--last is"):
        last_of(text)


@pytest.mark.parametrize(
    "words", [["GOLD,SILVER"], ["GOLD", "SILVER"], ["GOLD, SILVER"], ["GOLD,", "SILVER"]]
)
def test_a_list_is_written_with_commas_or_blanks(words: list[str]) -> None:
    assert listed(words) == ("GOLD", "SILVER")


def test_a_list_of_markets_is_quoted_either_way(capcli: Any) -> None:
    rows = capcli("quote", "GOLD,SILVER", "--json").data["quotes"]
    assert [row["epic"] for row in rows] == ["GOLD", "SILVER"]


def test_candles_of_the_last_day(capcli: Any) -> None:
    found = capcli("prices", "SILVER", "--resolution", "4h", "--last", "1d", "--json").data["candles"]
    assert 6 <= len(found) <= 7


@pytest.mark.parametrize(
    ("line", "offered", "following"),
    [
        ("preview EUR/USD --size 1000", "EURUSD (EUR/USD)", "capcli preview EURUSD --size 1000"),
        ("quote DAX", "DE40 (", "capcli quote DE40"),
        ("prices XAUUSD --last 5", "GOLD (Gold)", "capcli prices GOLD --last 5"),
        ("markets show Apple", "AAPL (", "capcli markets show AAPL"),
        ("quote EUR_USD", "EURUSD", "capcli quote EURUSD"),
        ("preview bitcoin --size 1 --stop 5", "BTCUSD", "capcli preview BTCUSD --size 1 --stop 5"),
    ],
)
def test_a_market_by_its_common_name_is_offered_and_not_taken(
    capcli: Any, line: str, offered: str, following: str
) -> None:
    said = capcli(*line.split(), "--quiet")
    assert said.code in {2, 6}
    assert f"Did you mean {offered}" in said.err
    assert f"next: {following}" in said.err
    assert capcli(*following.split()[1:]).code in {0, 5}


def test_a_name_that_nobody_has_leads_to_the_search(capcli: Any) -> None:
    said = capcli("quote", "NOSUCH")
    assert (said.code, "next: capcli markets search NOSUCH" in said.err) == (6, True)
