"""Crosses agree with their legs to the tick, in quotes, candles and on the stream."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capcli.paper.catalogue import CRYPTO, MARKETS, catalogue
from capcli.paper.feed import CLASSIC, Feed
from capcli.paper.generator import LEAF, SPANS, index_of, start_of, tick
from capcli.paper.hours import WEEK, Openness
from capcli.paper.price_feed import Fixed, PriceFeed
from capcli.paper.state import reset
from tests.paper import files
from tests.paper.client import FRIDAY, SATURDAY, Client

CROSSES = [market for market in MARKETS.values() if market.pairs]
TAPE = PriceFeed("a seed")
YEAR = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
instants = st.integers(1_577_836_800, 1_893_456_000)
crosses = st.sampled_from(CROSSES)


def middle(market, second):
    last = TAPE.last(market, second)
    return (market.price(last.bid) + market.price(last.offer)) / 2


def through_the_dollar(cross, second):
    base, quote = (MARKETS[epic] for epic in cross.pairs)
    rate = middle(quote, second)
    return middle(base, second) / rate if quote.epic.endswith("USD") else middle(base, second) * rate


def test_the_pairs_that_public_programs_trade_are_there():
    named = "EURGBP EURJPY GBPJPY AUDJPY NZDJPY AUDCAD EURCHF EURAUD GBPAUD GBPCHF BTCEUR"
    assert [cross.epic for cross in CROSSES] == named.split()
    more = "ADAUSD DOTUSD AVAXUSD LINKUSD XLMUSD BNBUSD AMD AVGO NFLX COIN JPM HK50 AU200"
    assert set(more.split()) < set(MARKETS)


@given(crosses, instants)
def test_a_quote_is_that_of_its_legs_to_half_a_step(cross, second):
    printed = TAPE.last(cross, second).second
    assert abs(middle(cross, printed) - through_the_dollar(cross, printed)) <= cross.step / 2


@given(crosses, st.integers(6, LEAF), instants)
@settings(deadline=None)
def test_a_bar_is_exactly_what_its_seconds_printed(cross, level, second):
    line, start = TAPE.line(cross, offer=False), start_of(level, index_of(level, second))
    bar = line.bar(level, index_of(level, second))
    leaves = range(index_of(LEAF, start), index_of(LEAF, start) + SPANS[level] // SPANS[LEAF])
    prices = [tick.close for leaf in leaves for tick in line.ticks(leaf)]
    assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
    assert bar.volume == sum(tick.volume for leaf in leaves for tick in line.ticks(leaf))


@given(crosses, instants, st.integers(-300, 300), st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_level_is_reached_in_the_first_second_that_prints_it(cross, second, away, rising):
    level = TAPE.last(cross, second).bid + away
    found = TAPE.crossing(cross, Fixed(level, rising), second, second + 3600)
    seconds = (at for at in range(second, second + 3601) if cross.hours.is_open(at))
    hits = (at for at in seconds if Fixed(level, rising).hit(tick(TAPE.last(cross, at).bid)))
    assert found == next(hits, None)


def test_the_stream_prints_the_quotes_and_the_candles():
    cross, minute = MARKETS["EURGBP"], int(FRIDAY.timestamp())
    ticks = list(Feed(TAPE).ticks(cross, minute * 1000 - 1, minute * 1000 + 59_999))
    assert {tick.bid for tick in ticks} == {
        cross.price(TAPE.last(cross, minute + at).bid) for at in range(60)
    }
    (bar,) = Feed(TAPE).bars(cross, 7, CLASSIC, minute * 1000, minute * 1000 + 60_000)
    assert (bar.bids.high, bar.bids.low) == (max(t.bid for t in ticks), min(t.bid for t in ticks))


@pytest.mark.parametrize("real_hours", [False, True])
def test_a_cross_trades_only_while_both_its_legs_do(real_hours):
    markets = catalogue(real_hours=real_hours)
    crosses = [market for market in markets.values() if market.pairs]
    # Each timetable of a cross against each of a pair, once; a coin trades at weekends whatever its currency.
    timetables = {
        (cross.hours, markets[epic].hours): (cross.epic, epic)
        for cross in crosses
        for epic in (cross.pairs[:1] if cross.kind is CRYPTO else cross.pairs)
    }
    for (hours, of_pair), names in timetables.items():
        opens = YEAR
        while opens < YEAR + 52 * WEEK:
            closes = min(YEAR + 52 * WEEK, opens + WEEK - 1)
            closes = next((at for at in range(opens, closes, 300) if not hours.is_open(at)), closes)
            last = hours.last_open(closes)
            assert of_pair.openness(opens, last) is Openness.ALL, (names, opens)
            opens = max(hours.next_open(last + 1), last + 1)


def test_a_cross_is_traded_and_its_profit_booked_in_the_accounts_currency(client):
    deal_id = client.buy("EURGBP", 1000)
    client.wait(minutes=5)
    shown = client.positions()[0]
    profit = (client.quote("EURGBP")[0] - shown["level"]) * 1000
    assert (shown["currency"], shown["upl"]) == ("GBP", profit)
    pound = sum(client.quote("GBPUSD")) / 2
    assert client.balance()["profitLoss"] == (profit * pound).quantize(Decimal("0.01"))
    client.delete(f"/positions/{deal_id}")
    assert client.positions() == []


def test_a_cross_of_a_replayed_pair_is_left_out_unless_it_has_a_file_too(path, tmp_path):
    files.trend(tmp_path / "candles.csv")
    text = (tmp_path / "candles.csv").read_text()
    scaled = tmp_path / "eurusd.csv"
    scaled.write_text(text)
    reset(path, replays={"EURUSD": scaled}, at=FRIDAY)
    client = Client(path)
    client.login()
    assert client.get("/markets/EURGBP").status == 404
    assert client.get("/markets/GBPJPY").status == 200
    assert not [row for row in client.get("/markets").json["markets"] if row["epic"] == "EURGBP"]
    reset(path, replays={"EURUSD": scaled, "EURGBP": scaled}, at=FRIDAY)
    client.login()
    assert client.get("/markets/EURGBP").status == 200
    assert client.get("/markets/EURJPY").code == "error.not-found.epic"


def test_real_hours_close_what_readme_trades(path):
    for real_hours, status in ((False, "TRADEABLE"), (True, "CLOSED")):
        reset(path, real_hours=real_hours, at=SATURDAY)
        client = Client(path, SATURDAY)
        client.login()
        rows = client.get("/markets?epics=SILVER,GOLD,EURUSD").json["marketDetails"]
        assert {row["snapshot"]["marketStatus"] for row in rows} == {status}
        assert client.get("/markets/BTCUSD").json["snapshot"]["marketStatus"] == "TRADEABLE"
    client.now = SATURDAY + timedelta(days=2)
    client.login()
    gold = client.get("/markets/GOLD").json
    assert gold["snapshot"]["marketStatus"] == "TRADEABLE"
    assert gold["instrument"]["openingHours"]["sat"] == []
    assert json.dumps(gold["instrument"]["openingHours"]["mon"]) == '["00:00 - 21:00", "22:05 - 00:00"]'
