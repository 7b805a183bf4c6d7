"""The synthetic markets against what is generally known of real ones.

The ranges are common knowledge of the field, not taken from one table: what daily returns of the classes
have looked like over the last two decades, calm and turbulent years together. Yearly volatility is the
deviation of daily log returns times the root of the trading days. Majors against the dollar run at 5 to 15
%, gold at 10 to 25, other commodities from copper's 15 to natural gas' 80, large stock indices at 10 to 30,
single shares from a staple's 15 to 90 for the wildest, large coins at 30 to 110. Daily returns have fatter
tails than a normal law (excess kurtosis above 0; single digits without crashes), are hardly correlated with
the day before, and their squares are: large days follow large ones, which is called volatility clustering
and fades over weeks.
"""

from itertools import pairwise
from math import log, sqrt
from statistics import fmean, median

import pytest

from capcli.paper.catalogue import MARKETS
from capcli.paper.generator import index_of, start_of
from capcli.paper.price_feed import PriceFeed

END = 1_790_000_000  # September 2026
YEARLY = {
    "CURRENCIES": (0.05, 0.15),
    "GOLD": (0.10, 0.25),
    "COMMODITIES": (0.15, 0.80),
    "INDICES": (0.10, 0.30),
    "SHARES": (0.15, 0.90),
    "CRYPTOCURRENCIES": (0.30, 1.10),
}
PEGGED = "USDHKD"
SAMPLE = ("EURUSD", "GOLD", "OIL_CRUDE", "US500", "AAPL", "BTCUSD")


def returns(market, days, seed="capcli"):
    price_feed, last = PriceFeed(seed), index_of(1, END)
    candles = (price_feed.candle(market, 1, start_of(1, day), END) for day in range(last - days, last))
    closes = [candle.bar.close for candle in candles if candle]
    return [log(b / a) for a, b in pairwise(closes)]


def correlation(numbers, lag):
    mean = fmean(numbers)
    spread = [number - mean for number in numbers]
    products = (a * b for a, b in zip(spread, spread[lag:], strict=False))
    return sum(products) / sum(one * one for one in spread)


def figures(market, days, seed="capcli"):
    """Yearly volatility, excess kurtosis, correlation of returns a day apart and of squares over ten days."""
    found = returns(market, days, seed)
    mean = fmean(found)
    variance = fmean([(one - mean) ** 2 for one in found])
    yearly = sqrt(variance * len(found) / days * 365.25)
    kurtosis = fmean([(one - mean) ** 4 for one in found]) / variance**2 - 3
    squares = [one * one for one in found]
    clustering = fmean([correlation(squares, lag) for lag in range(1, 11)])
    return yearly, kurtosis, correlation(found, 1), clustering


def group(market):
    return "GOLD" if market.epic == "GOLD" else market.kind.name


@pytest.mark.parametrize("epic", SAMPLE)
def test_a_market_moves_like_its_class(epic):
    market = MARKETS[epic]
    yearly, kurtosis, yesterday, clustering = figures(market, 1_200)
    low, high = YEARLY[group(market)]
    assert low < yearly < high
    assert 0 < kurtosis < 10
    assert abs(yesterday) < 0.25
    assert clustering > 0.02


@pytest.mark.soak
@pytest.mark.parametrize("seed", ["capcli", "a", "b"])
def test_all_markets_of_a_seed_move_like_their_classes(seed):
    moving = (m for m in MARKETS.values() if not m.suspended and m.epic != PEGGED)
    found = {m.epic: figures(m, 1_500, seed) for m in moving}
    for epic, (yearly, kurtosis, yesterday, _) in found.items():
        low, high = YEARLY[group(MARKETS[epic])]
        assert low < yearly < high, (epic, yearly)
        assert -0.1 < kurtosis < 15, (epic, kurtosis)
        assert abs(yesterday) < 0.25, (epic, yesterday)
    clustering = [figure[3] for figure in found.values()]
    assert median(figure[1] for figure in found.values()) > 0.5
    assert median(clustering) > 0.05
    assert sum(one > 0 for one in clustering) > 0.95 * len(clustering)
