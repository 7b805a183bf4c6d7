"""Candles of a file in place of the synthetic market."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from capcli.paper import candle_files
from capcli.paper.catalogue import MARKETS
from capcli.paper.price_feed import PriceFeed
from capcli.paper.recordings import playing
from capcli.paper.state import reset, status
from tests.paper import files
from tests.paper.client import FRIDAY, Client

SILVER = MARKETS["SILVER"]
SPREAD = Decimal("0.020")


def played(path, tmp_path, write, at=timedelta(0)):
    """A client in a world that began with the file's first bar, `at` so much later."""
    rows = write(tmp_path / "candles.csv")
    reset(path, limits=False, replays={"SILVER": tmp_path / "candles.csv"}, at=FRIDAY)
    client = Client(path, FRIDAY + at)
    client.login()
    return client, rows


def taped(tmp_path, write):
    rows = write(tmp_path / "candles.csv")
    return PriceFeed(
        "s", playing("s", [candle_files.read("SILVER", tmp_path / "candles.csv", MARKETS)], MARKETS)
    ), rows


def later(client, span):
    client.now += span
    client.login()


def asked(client, rows, resolution, bars=1000):
    query = f"resolution={resolution}&max={bars}&from={rows[0][0]:%Y-%m-%dT%H:%M:%S}"
    return client.get(f"/prices/SILVER?{query}").json["prices"]


def flat(candle):
    sides = [candle[f"{name}Price"] for name in ("open", "high", "low", "close")]
    return [p["bid"] for p in sides] + [p["ask"] for p in sides] + [candle["lastTradedVolume"]]


def test_candles_asked_back_are_the_file_with_both_its_sides(path, tmp_path):
    client, rows = played(path, tmp_path, files.trend, timedelta(days=1))
    found = asked(client, rows, "MINUTE")
    assert [candle["snapshotTimeUTC"] for candle in found] == [f"{r[0]:%Y-%m-%dT%H:%M:%S}" for r in rows]
    assert [flat(candle) for candle in found] == [list(row[1:]) for row in rows]


@pytest.mark.parametrize(
    ("write", "resolution"), [(files.weekend, "HOUR"), (files.crash, "MINUTE")], ids=["weekend", "crash"]
)
def test_plain_candles_are_bids_and_the_markets_spread_is_added(path, tmp_path, write, resolution):
    client, rows = played(path, tmp_path, write, timedelta(days=7))
    found = asked(client, rows, resolution, 120)
    assert [flat(candle) for candle in found] == [
        [*row[1:5], *(price + SPREAD for price in row[1:5]), row[5]] for row in rows
    ]


def test_minutes_of_a_file_add_up_to_its_hours_and_its_day(path, tmp_path):
    client, rows = played(path, tmp_path, files.trend, timedelta(days=1))
    hours = asked(client, rows, "HOUR")
    for i, hour in enumerate(hours):
        part = rows[60 * i : 60 * i + 60]
        assert flat(hour)[:4] == [part[0][1], max(r[2] for r in part), min(r[3] for r in part), part[-1][4]]
        assert hour["lastTradedVolume"] == sum(r[9] for r in part)
    (day,) = client.get("/prices/SILVER?resolution=DAY&max=1").json["prices"]
    assert flat(day)[:4] == [rows[0][1], max(r[2] for r in rows), min(r[3] for r in rows), rows[-1][4]]


@pytest.mark.parametrize("write", [files.trend, files.weekend, files.crash])
@pytest.mark.parametrize("offer", [False, True], ids=["bids", "offers"])
def test_ticks_stay_in_their_bar_touch_both_ends_and_end_at_its_close(tmp_path, write, offer):
    price_feed, rows = taped(tmp_path, write)
    span = min(b[0] - a[0] for a, b in pairwise(rows))
    for row in rows[: 40 if span.seconds == 60 else 2]:
        first = int(row[0].timestamp())
        prices = [
            price_feed.last(SILVER, second) for second in range(first, first + int(span.total_seconds()))
        ]
        candle = price_feed.candle(SILVER, 7 if span.seconds == 60 else 3, first, first + 10**6)
        bar = candle.offers if offer else candle.bar
        steps = [p.offer if offer else p.bid for p in prices]
        assert (steps[0], min(steps), max(steps), steps[-1]) == (bar.open, bar.low, bar.high, bar.close)
        assert all(p.offer >= p.bid for p in prices)


def test_a_gap_has_no_candles_and_its_market_is_closed(path, tmp_path):
    client, rows = played(path, tmp_path, files.weekend, timedelta(days=1))
    snapshot = client.get("/markets/SILVER").json["snapshot"]
    assert (snapshot["marketStatus"], snapshot["bid"]) == ("CLOSED", rows[3][4])
    empty = client.get("/prices/SILVER?from=2026-03-07T00:00:00&to=2026-03-07T10:00:00&max=1000")
    assert (empty.status, empty.code) == (404, "error.prices.not-found")


def test_after_the_last_bar_the_market_is_closed_at_its_close(path, tmp_path):
    client, rows = played(path, tmp_path, files.crash, timedelta(days=30))
    snapshot = client.get("/markets/SILVER").json["snapshot"]
    assert (snapshot["marketStatus"], snapshot["bid"]) == ("CLOSED", rows[-1][4])


def test_before_the_first_bar_the_market_is_closed_at_its_open(path, tmp_path):
    rows = files.crash(tmp_path / "c.csv")
    start = rows[0][0] - timedelta(days=3)
    reset(path, start=start, limits=False, replays={"SILVER": tmp_path / "c.csv"}, at=FRIDAY)
    client = Client(path)
    client.login()
    snapshot = client.get("/markets/SILVER").json["snapshot"]
    assert (snapshot["marketStatus"], snapshot["bid"]) == ("CLOSED", rows[0][1])
    assert client.get("/prices/SILVER?max=5").status == 404


def test_other_markets_go_on_as_they_were(path, tmp_path):
    client, rows = played(path, tmp_path, files.crash)
    second = int(rows[0][0].timestamp())
    assert client.quote("GOLD")[0] == MARKETS["GOLD"].price(
        PriceFeed("capcli").last(MARKETS["GOLD"], second).bid
    )


@pytest.mark.parametrize(("write", "worst"), [(files.trend, "29.997"), (files.crash, "25.00")])
def test_a_stop_below_the_worst_low_never_fires(path, tmp_path, write, worst):
    client, _ = played(path, tmp_path, write)
    client.buy(stopLevel=float(Decimal(worst) - Decimal("0.001")))
    later(client, timedelta(days=2))
    assert len(client.positions()) == 1


def test_a_stop_above_the_low_of_a_crash_fires_in_its_bar_at_its_level(path, tmp_path):
    client, _ = played(path, tmp_path, files.crash)
    client.buy(stopLevel=27)
    later(client, FRIDAY - client.now + (files.CRASH_BAR - files.CRASH_START) - timedelta(seconds=1))
    assert len(client.positions()) == 1
    client.wait(seconds=60)
    assert client.positions() == []
    closing = client.activity("detailed=true")[0]
    assert closing["source"] == "SL"
    assert closing["details"]["level"] == 27
    assert closing["dateUTC"].startswith(f"{files.CRASH_BAR:%Y-%m-%dT%H:%M}")


def test_a_stop_inside_a_weekend_gap_fires_at_the_first_price_after_it(path, tmp_path):
    client, _ = played(path, tmp_path, files.weekend)
    client.buy(stopLevel=30.5)
    later(client, files.MONDAY_OPEN - files.FRIDAY_START)
    assert client.positions() == []
    closing = client.activity("detailed=true")[0]
    assert closing["details"]["level"] == Decimal("29.5")
    assert closing["dateUTC"].startswith(f"{files.MONDAY_OPEN:%Y-%m-%dT%H:%M:%S}")


def test_a_short_is_stopped_by_the_offers_of_the_file(path, tmp_path):
    """The offers of a bar are wider than its bids: the bids alone would not reach this stop."""
    client, rows = played(path, tmp_path, files.trend)
    highest = max(row[6] for row in rows)
    client.sell(stopLevel=float(highest))
    later(client, timedelta(hours=5))
    assert client.positions() == []
    first = next(row[0] for row in rows if row[6] >= highest)
    assert client.activity()[0]["dateUTC"].startswith(f"{first:%Y-%m-%dT%H:%M}")


def test_a_bar_that_opens_beyond_a_stop_fills_it_at_its_open(path, tmp_path):
    (tmp_path / "c.csv").write_text(
        "time,open,high,low,close\n2026-03-03T10:00,32,32,32,32\n2026-03-03T10:01,30,30,30,30\n"
    )
    reset(path, limits=False, replays={"SILVER": tmp_path / "c.csv"}, at=FRIDAY)
    client = Client(path)
    client.login()
    client.buy(stopLevel=31)
    client.wait(seconds=90)
    assert client.activity("detailed=true")[0]["details"]["level"] == 30


def test_status_says_what_is_replayed_and_a_reset_without_it_ends_it(path, tmp_path):
    played(path, tmp_path, files.weekend)
    (replay,) = status(path, FRIDAY).replays
    assert (replay.epic, replay.source, replay.resolution, replay.bars) == (
        "SILVER",
        "candles.csv",
        "HOUR",
        10,
    )
    assert (replay.first, replay.until) == (
        files.FRIDAY_START,
        files.MONDAY_OPEN + timedelta(hours=6),
    )
    assert status(path, FRIDAY).market_time == files.FRIDAY_START
    reset(path, at=FRIDAY)
    assert status(path, FRIDAY).replays == ()


def test_another_recording_of_the_same_world_is_seen_at_once(path, tmp_path):
    client, rows = played(path, tmp_path, files.crash)
    assert client.quote()[0] == rows[0][1]
    others = files.weekend(tmp_path / "other.csv")
    reset(path, limits=False, replays={"SILVER": tmp_path / "other.csv"}, at=FRIDAY)
    client.login()
    assert client.quote()[0] == others[0][1]
