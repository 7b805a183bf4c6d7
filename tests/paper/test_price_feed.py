"""Properties of the price path that everything else rests on."""

import itertools
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from capcli.paper.catalogue import MARKETS
from capcli.paper.generator import LEAF, PARTS, SPANS, PriceGenerator, index_of, merge, start_of, tick
from capcli.paper.hours import Openness
from capcli.paper.price_feed import RESOLUTIONS, Fixed, PriceFeed, Trailing
from tests.support.drawn import ANY

EARLY = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
LATE = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
TAPE = PriceFeed("a seed")

instants = st.integers(EARLY, LATE)
markets = st.sampled_from([m for m in MARKETS.values() if not m.suspended])
levels = st.sampled_from(sorted(RESOLUTIONS.values()))


@given(markets, st.integers(0, LEAF - 1), instants)
def test_children_chain_and_reach_exactly_their_parent(market, level, second):
    path, index = PriceGenerator("s"), index_of(level, second)
    parent, children = path.bar(market.shape, level, index), path.children(market.shape, level, index)
    assert merge(children) == parent
    assert all(a.close == b.open for a, b in itertools.pairwise(children))
    assert all(
        bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in children
    )
    assert all(bar.volume >= 0 for bar in children)


@given(markets, instants)
def test_ticks_are_their_leaf(market, second):
    path, index = PriceGenerator("s"), index_of(LEAF, second)
    assert merge(path.ticks(market.shape, index)) == path.bar(market.shape, LEAF, index)
    assert len(path.ticks(market.shape, index)) == PARTS[LEAF]


@given(markets, levels.filter(lambda level: level < 7), instants)
def test_finer_candles_add_up_to_the_coarser(market, level, second):
    start = start_of(level, index_of(level, second))
    last = start + SPANS[level] - 1
    whole = TAPE.fold(market, start, last)
    parts = [candle.bar for candle in TAPE.candles_on(market, level + 1, start, last)]
    assert whole == (merge(parts) if parts else None)


@given(st.sampled_from(["GBPUSD", "AAPL", "7203", "US500", "SILVER"]), instants)
def test_minutes_add_up_to_the_hour(epic, second):
    market, start = MARKETS[epic], start_of(3, index_of(3, second))
    minutes = [TAPE.candle(market, 7, start + 60 * i, start + 3600) for i in range(60)]
    hour = TAPE.candle(market, 3, start, start + 3600)
    there = [candle.bar for candle in minutes if candle]
    assert (hour and hour.bar) == (merge(there) if there else None)


@given(markets, levels, instants)
def test_the_last_quote_closes_the_forming_candle(market, level, second):
    bid, _, when, _ = TAPE.last(market, second)
    start = start_of(level, index_of(level, when))
    candle = TAPE.candle(market, level, start, second)
    assert candle
    bar = candle.bar
    assert bar.low <= bid <= bar.high
    assert bar.close == bid


@given(st.text(ANY, max_size=12), instants)
def test_silver_stays_between_26_and_40(seed, second):
    market, price_feed = MARKETS["SILVER"], PriceFeed(seed)
    week = start_of(0, index_of(0, second))
    bar = price_feed.fold(market, week, week + SPANS[0] - 1)
    assert market.price(bar.low) >= 26
    assert market.price(bar.high + market.spread) <= 40


@given(markets, st.text(ANY, max_size=12), instants)
def test_every_price_stays_near_its_middle(market, seed, second):
    week = start_of(0, index_of(0, second))
    bar = PriceGenerator(seed).bar(market.shape, 0, index_of(0, week))
    assert 0.5 * market.shape.middle <= bar.low <= bar.high <= 1.5 * market.shape.middle


@given(markets, instants, st.integers(1, 200), st.booleans(), st.integers(60, 9_000))
@settings(max_examples=60, deadline=None)
def test_a_crossing_is_the_first_tick_that_hits(market, second, offset, rising, span):
    level = TAPE.last(market, second).bid + (offset if rising else -offset)
    barrier = Fixed(level, rising)
    found = TAPE.crossing(market, barrier, second, second + span)
    ticks = (
        (t, TAPE.last(market, t).bid) for t in range(second, second + span + 1) if market.hours.is_open(t)
    )
    assert found == next((t for t, bid in ticks if barrier.hit(tick(bid))), None)


@given(markets, instants, st.integers(10, 400), st.booleans(), st.integers(60, 9_000))
@settings(max_examples=60, deadline=None)
def test_a_trailing_crossing_is_the_first_tick_that_came_back_far_enough(
    market, second, distance, rising, span
):
    start = TAPE.last(market, second).bid
    found = TAPE.crossing(market, Trailing(start, distance, rising), second, second + span)
    slow = Trailing(start, distance, rising)
    ticks = (
        (t, TAPE.last(market, t).bid) for t in range(second, second + span + 1) if market.hours.is_open(t)
    )
    assert found == next((t for t, bid in ticks if slow.hit(tick(bid))), None)


def test_one_seed_is_one_world_and_another_is_another():
    market = MARKETS["SILVER"]
    first, again, other = (
        [price_feed.last(market, EARLY + 86_400 * day).bid for day in range(50)]
        for price_feed in (PriceFeed("x"), PriceFeed("x"), PriceFeed("y"))
    )
    assert first == again
    assert first != other


def test_prices_are_the_same_on_every_machine():
    seconds = (1_700_000_000, 1_790_000_000)
    price_feed = PriceFeed("capcli")
    found = {
        epic: [price_feed.last(MARKETS[epic], s).bid for s in seconds]
        for epic in ("SILVER", "EURUSD", "BTCUSD")
    }
    assert found == {"SILVER": [36295, 33660], "EURUSD": [109240, 110421], "BTCUSD": [1931241, 2112749]}


def test_daily_moves_look_like_the_market():
    market, day = MARKETS["SILVER"], index_of(1, LATE)
    closes = [PriceGenerator("m").bar(market.shape, 1, day - i).close for i in range(400)]
    moves = [abs(a / b - 1) for a, b in itertools.pairwise(closes)]
    assert 0.005 < sum(moves) / len(moves) < 0.02


def test_a_closed_market_prints_nothing():
    market = MARKETS["GBPUSD"]
    saturday = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
    assert TAPE.fold(market, saturday, saturday + 86_399) is None
    assert market.hours.openness(saturday, saturday + 86_399) is Openness.NONE
    friday_night = int(datetime(2026, 11, 20, 21, 59, 59, tzinfo=UTC).timestamp())
    assert TAPE.last(market, saturday).second == friday_night


@given(markets, instants, st.integers(0, 20 * 86_400), st.booleans())
def test_what_is_kept_of_a_growing_span_is_the_span(market, first, length, offer):
    for now in (first + length, first + length + 1, first + length + 40):
        assert TAPE.so_far(market, first, now, offer=offer) == TAPE.fold(market, first, now, offer=offer)


@given(st.sampled_from(list(MARKETS.values())), instants)
def test_the_last_print_is_the_same_whatever_was_asked_before(market, second):
    asked = TAPE.last(market, second)
    assert [TAPE.last(market, second + shift) for shift in (9, 0, -9)][1] == asked
    assert asked == PriceFeed("a seed").last(market, second)
    tick = TAPE.fold(market, asked.second, asked.second)
    assert (asked.bid, asked.offer) == (tick.close, tick.close + market.spread)
    assert TAPE.fold(market, asked.second + 1, second) is None


@given(markets, st.integers(1, LEAF), instants)
def test_an_extent_holds_every_print_of_its_bar(market, level, second):
    index = index_of(level, second)
    start = start_of(level, index)
    extent = TAPE.extent(market, level, index)
    prints = [TAPE.last(market, start + SPANS[level] * part // 10) for part in range(10)]
    assert all(extent.low_bid <= one.bid <= extent.high_bid for one in prints)
    assert all(extent.low_offer <= one.offer <= extent.high_offer for one in prints)
