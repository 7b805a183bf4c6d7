"""What the stream prints: the same function that answers requests."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice

import pytest

from capcli.paper import candle_files
from capcli.paper.catalogue import MARKETS
from capcli.paper.feed import CLASSIC, HEIKIN_ASHI, MOST_TICKS, Feed, heikin_ashi
from capcli.paper.generator import Bar
from capcli.paper.price_feed import RESOLUTIONS, PriceFeed
from capcli.paper.recordings import playing
from capcli.paper.stream import BarLine, bar_events, quote_event
from tests.paper import files
from tests.paper.client import FRIDAY

SILVER, EURUSD, GBPUSD = MARKETS["SILVER"], MARKETS["EURUSD"], MARKETS["GBPUSD"]
TAPE = PriceFeed("capcli")
NOW = int(FRIDAY.timestamp()) * 1000
MINUTE = 60_000


def times(feed, market, after, until):
    return [tick.ms for tick in feed.ticks(market, after, until)]


@pytest.mark.parametrize("rate", [None, 1, 7, 60, 250])
def test_pieces_print_what_the_whole_prints(rate):
    feed = Feed(TAPE, ticks=rate)
    whole = list(feed.ticks(SILVER, NOW, NOW + 9_000))
    pieces = [t for a in range(NOW, NOW + 9_000, 17) for t in feed.ticks(SILVER, a, min(a + 17, NOW + 9_000))]
    assert whole == pieces
    assert rate is None or len(whole) == 9 * rate


def test_a_market_ticks_about_as_often_as_its_candles_say():
    for market in (SILVER, EURUSD, MARKETS["AAPL"]):
        printed = len(times(Feed(TAPE), market, NOW - 1, NOW + 10 * MINUTE - 1))
        traded = TAPE.fold(market, NOW // 1000, NOW // 1000 + 599).volume
        assert traded <= printed <= 1.6 * traded


def test_every_price_that_a_request_sees_is_printed():
    """A second whose price moved has a tick at its very beginning, however thin the market."""
    market = MARKETS["7203"]
    open_at = int(datetime(2026, 11, 20, 4, tzinfo=UTC).timestamp())
    moved = [
        s for s in range(open_at, open_at + 600) if TAPE.last(market, s).bid != TAPE.last(market, s - 1).bid
    ]
    printed = set(times(Feed(TAPE), market, open_at * 1000 - 1, open_at * 1000 + 600_000))
    assert moved
    assert {s * 1000 for s in moved} <= printed


def test_a_closed_and_a_suspended_market_print_nothing():
    saturday = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * 1000
    assert times(Feed(TAPE, ticks=250), GBPUSD, saturday, saturday + MINUTE) == []
    assert times(Feed(TAPE, ticks=250), MARKETS["BWMN"], NOW, NOW + MINUTE) == []


@pytest.mark.parametrize(
    ("speed", "rate"), [(1, 250), (10, 250), (10, None), (100, 5), (1440, None), (1440, 250), (10_000, 250)]
)
def test_a_fast_clock_prints_no_more_than_a_client_can_be_sent(speed, rate):
    feed = Feed(TAPE, ticks=rate, speed=Decimal(speed))
    real_second = 1_000 * speed
    printed = times(feed, SILVER, NOW, NOW + real_second)
    assert 0 < len(printed) <= MOST_TICKS
    assert printed == sorted(set(printed))


def test_sizes_are_steps_of_the_markets_size_and_change_with_every_tick():
    ticks = list(Feed(TAPE, ticks=250).ticks(SILVER, NOW, NOW + 1_000))
    sizes = [size for tick in ticks for size in (tick.bid_size, tick.offer_size)]
    assert all(0 < size <= SILVER.max_size and size % SILVER.size_step == 0 for size in sizes)
    assert len(set(sizes)) > 200


@pytest.mark.parametrize("resolution", ["MINUTE", "MINUTE_5", "HOUR", "DAY"])
def test_a_bar_is_printed_once_when_it_closes_and_is_the_candle(resolution):
    level, feed = RESOLUTIONS[resolution], Feed(TAPE)
    first = NOW // 1000
    candles = list(TAPE.candles_on(GBPUSD, level, first - 86_400, first + 86_400))[:2]
    closes = (candles[1].start) * 1000  # the second opens where the first ends
    assert list(feed.bars(GBPUSD, level, CLASSIC, closes - 40, closes - 1)) == []
    (closed,) = feed.bars(GBPUSD, level, CLASSIC, closes - 1, closes)
    assert list(feed.bars(GBPUSD, level, CLASSIC, closes, closes + 20)) == []
    bar = candles[0].bar
    assert closed.start == candles[0].start
    assert closed.bids == tuple(map(GBPUSD.price, bar[:4]))
    assert closed.offers == tuple(GBPUSD.price(steps + GBPUSD.spread) for steps in bar[:4])
    assert closed.volume == bar.volume


@pytest.mark.parametrize(
    ("resolution", "opening"),
    [("DAY", datetime(2026, 11, 20, tzinfo=UTC)), ("WEEK", datetime(2026, 11, 16, tzinfo=UTC))],
)
def test_days_close_at_midnight_and_weeks_on_monday(resolution, opening):
    level = RESOLUTIONS[resolution]
    end = int(opening.timestamp()) * 1000 + (1 if resolution == "DAY" else 7) * 86_400_000
    (closed,) = Feed(TAPE).bars(SILVER, level, CLASSIC, end - 1, end)
    assert closed.start == opening.timestamp()


def test_a_bar_without_a_tick_is_not_printed():
    saturday = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * 1000
    for kind in (CLASSIC, HEIKIN_ASHI):
        assert list(Feed(TAPE).bars(GBPUSD, 7, kind, saturday, saturday + 10 * MINUTE)) == []


def test_heikin_ashi_is_the_standard_formula_from_its_first_bar():
    bars = [Bar(100, 110, 90, 106, 1), Bar(106, 120, 104, 118, 1), Bar(118, 119, 100, 103, 1)]
    market = MARKETS["US500"]
    assert heikin_ashi(market, bars[:1]) == tuple(map(market.price, (103, 110, 90, 102)))
    # (100 + 106) / 2 = 103; (103 + 101.5) / 2 = 102.25; then (102.25 + 112) / 2 = 107.125
    assert heikin_ashi(market, bars) == tuple(map(market.price, (107, 119, 100, 110)))


def test_heikin_ashi_bars_do_not_depend_on_when_somebody_subscribed():
    (closed,) = Feed(TAPE).bars(SILVER, 7, HEIKIN_ASHI, NOW - 1, NOW)
    longer = [c.bar for c in islice(TAPE.candles_back(SILVER, 7, 0, NOW // 1000 - 1), 300)][::-1]
    assert closed.bids == heikin_ashi(SILVER, longer)
    assert [o - b for b, o in zip(closed.bids, closed.offers, strict=True)] == [Decimal("0.020")] * 4


def test_a_recording_is_printed_like_any_market(tmp_path):
    rows = files.trend(tmp_path / "c.csv")
    price_feed = PriceFeed(
        "s", playing("s", [candle_files.read("SILVER", tmp_path / "c.csv", MARKETS)], MARKETS)
    )
    start = int(rows[0][0].timestamp()) * 1000
    ticks = list(Feed(price_feed).ticks(SILVER, start - 1, start + MINUTE - 1))
    assert min(tick.bid for tick in ticks) >= rows[0][3]
    assert max(tick.offer for tick in ticks) <= rows[0][6]
    assert (ticks[-1].bid, ticks[-1].offer) == (rows[0][4], rows[0][8])
    bars = list(Feed(price_feed).bars(SILVER, 7, CLASSIC, start, start + 3 * 3_600_000 * 2))
    assert [(*bar.bids, *bar.offers, bar.volume) for bar in bars] == [row[1:] for row in rows]


def test_events_have_the_published_fields():
    (tick, *_) = Feed(TAPE).ticks(SILVER, NOW, NOW + MINUTE)
    assert quote_event(tick) == (
        f'{{"status":"OK","destination":"quote","payload":{{"epic":"SILVER","product":"CFD","bid":{tick.bid},'
        f'"bidQty":{tick.bid_size},"ofr":{tick.offer},"ofrQty":{tick.offer_size},"timestamp":{tick.ms}}}}}'
    )
    (closed,) = Feed(TAPE).bars(SILVER, 7, CLASSIC, NOW - 1, NOW)
    bid, ask = bar_events(BarLine(SILVER, "MINUTE", CLASSIC), closed)
    assert bid == (
        '{"status":"OK","destination":"ohlc.event","payload":{"resolution":"MINUTE","epic":"SILVER",'
        f'"type":"classic","priceType":"bid","t":{NOW - MINUTE},"o":{closed.bids.open},'
        f'"h":{closed.bids.high},"l":{closed.bids.low},"c":{closed.bids.close},"lastTradedVolume":{closed.volume}}}}}'
    )
    assert f'"priceType":"ask","t":{NOW - MINUTE},"o":{closed.offers.open}' in ask
