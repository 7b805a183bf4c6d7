from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.paper.client import FRIDAY, SATURDAY, Client


def bars(client: Client, url: str) -> list[dict]:
    answer = client.get(f"/prices/{url}")
    assert answer.status == 200, answer.text
    return answer.json["prices"]


def times(rows: list[dict]) -> list[str]:
    return [row["snapshotTimeUTC"][11:16] for row in rows]


def test_the_default_is_the_last_ten_minutes_forming_bar_last(client):
    client.wait(seconds=30)
    rows = bars(client, "SILVER")
    assert times(rows) == [f"15:{minute}" for minute in range(21, 31)]
    assert rows[-1]["closePrice"]["bid"] == client.quote()[0]


def test_a_bar_has_the_documented_fields(client):
    body = client.get("/prices/SILVER?max=1").json
    assert body["instrumentType"] == "COMMODITIES"
    (row,) = body["prices"]
    assert set(row) == {
        "snapshotTime", "snapshotTimeUTC", "openPrice", "closePrice", "highPrice", "lowPrice",
        "lastTradedVolume",
    }  # fmt: skip
    assert row["openPrice"]["ask"] - row["openPrice"]["bid"] == Decimal("0.02")
    assert row["snapshotTimeUTC"] == "2026-11-20T15:30:00"
    assert row["snapshotTime"] == "2026-11-20T16:30:00"


def test_both_ends_of_a_window_are_included(client):
    rows = bars(client, "SILVER?resolution=HOUR&from=2026-11-20T10:00:00&to=2026-11-20T12:00:00")
    assert times(rows) == ["10:00", "11:00", "12:00"]


def test_only_from_goes_forward_by_max_bars(client):
    rows = bars(client, "SILVER?resolution=MINUTE_15&max=4&from=2026-02-24T00:00:00")
    assert times(rows) == ["00:00", "00:15", "00:30", "00:45"]


def test_only_to_goes_back_by_max_bars(client):
    rows = bars(client, "SILVER?resolution=HOUR&max=3&to=2026-11-20T12:30:00")
    assert times(rows) == ["10:00", "11:00", "12:00"]


def test_a_from_between_two_bars_starts_with_the_next(client):
    rows = bars(client, "SILVER?resolution=HOUR&from=2026-11-20T10:00:01&to=2026-11-20T12:00:00")
    assert times(rows) == ["11:00", "12:00"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("resolution=MINUTE_3", 400, "error.invalid.resolution"),
        ("max=1001", 400, "error.invalid.max"),
        ("max=0", 400, "error.invalid.max"),
        ("max=ten", 400, "error.invalid.max"),
        ("from=2026-11-20", 400, "error.invalid.from"),
        ("from=2026-11-20T10:00:00Z", 400, "error.invalid.from"),
        ("to=2026-11-20T10:00:00.000", 400, "error.invalid.to"),
        ("to=1795188600", 400, "error.invalid.to"),
        ("to=2026-13-20T10:00:00", 400, "error.invalid.to"),
        ("to=2026-11-20T15:30:01", 400, "error.invalid.daterange"),
        ("from=2026-11-20T12:00:00&to=2026-11-20T11:00:00", 400, "error.invalid.daterange"),
        ("max=10&from=2026-11-20T10:00:00&to=2026-11-20T10:09:01", 400, "error.invalid.max.daterange"),
    ],
)
def test_refusals(client, query, status, code):
    answer = client.get(f"/prices/SILVER?{query}")
    assert (answer.status, answer.code) == (status, code)


def test_the_span_may_be_exactly_max_minus_one_bars(client):
    assert len(bars(client, "SILVER?max=10&from=2026-11-20T10:00:00&to=2026-11-20T10:09:00")) == 10


def test_a_weekend_window_is_a_404_with_its_own_code(client):
    client.now = SATURDAY + timedelta(hours=1)
    client.login()
    window = "from=2026-11-21T10:00:00&to=2026-11-21T10:05:00"
    empty, unknown = client.get(f"/prices/GBPUSD?{window}"), client.get(f"/prices/NOPE?{window}")
    assert (empty.status, empty.code) == (404, "error.prices.not-found")
    assert (unknown.status, unknown.code) == (404, "error.not-found.epic")
    assert len(bars(client, f"SILVER?{window}")) == 6


def test_gaps_are_not_filled(client):
    client.now = datetime(2026, 11, 22, 22, 2, 30, tzinfo=UTC)
    client.login()
    assert times(bars(client, "GBPUSD?max=5")) == ["21:58", "21:59", "22:00", "22:01", "22:02"]


def test_days_begin_at_midnight_and_weeks_on_monday(client):
    assert bars(client, "SILVER?resolution=DAY&max=2")[0]["snapshotTimeUTC"] == "2026-11-19T00:00:00"
    assert bars(client, "SILVER?resolution=WEEK&max=1")[0]["snapshotTimeUTC"] == "2026-11-16T00:00:00"


def test_a_thousand_bars_at_once(client):
    rows = bars(client, "AAPL?max=1000")
    assert len(rows) == 1000
    assert [row["snapshotTimeUTC"] for row in rows] == sorted({row["snapshotTimeUTC"] for row in rows})


def test_two_brokers_with_one_seed_answer_the_same(client, tmp_path):
    other = Client(tmp_path / "other.db", FRIDAY)
    other.login()
    for url in ("/prices/SILVER?max=50", "/prices/AAPL?resolution=DAY", "/markets/BTCUSD"):
        assert client.get(url).text == other.get(url).text


YEAR_1, YEAR_1_LATER = "0001-01-01T00:00:00", "0001-01-02T00:00:00"


@pytest.mark.parametrize(
    "query", [f"to={YEAR_1}", f"from={YEAR_1}&to={YEAR_1_LATER}", "to=1970-01-04T23:59:59"]
)
def test_before_the_first_day_of_a_market_there_are_no_bars(client, query):
    answer = client.get(f"/prices/SILVER?resolution=DAY&{query}")
    assert (answer.status, answer.code) == (404, "error.prices.not-found")


def test_a_market_has_a_first_day(client):
    first = "1970-01-05T00:00:00"
    for query in (f"from={YEAR_1}&max=1", f"to={first}"):
        (bar,) = bars(client, f"SILVER?resolution=DAY&{query}")
        assert bar["snapshotTimeUTC"] == first
