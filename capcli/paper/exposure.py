"""An account's positions summed by market, so that one quote gives the profit and margin of them all.

The sums are of whole price steps and exact; there is no rounding before the cents of the whole account.
"""

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from itertools import groupby
from math import lcm
from operator import attrgetter
from typing import NamedTuple

from capcli.paper.book import Account, Holding, holdings_of
from capcli.paper.catalogue import MARKETS, Market
from capcli.paper.desk import Desk

_NOTHING = Decimal(0)


class Stake(NamedTuple):
    """One market's, both sides of a hedge.

    Its profit is `bid x long - offer x short - cost` and its margin `(bid + offer) x weight / divisor`, with
    prices in steps and amounts in the instrument's currency.
    """

    market: Market
    long: Decimal
    short: Decimal
    cost: Decimal
    weight: Decimal


class Exposure(NamedTuple):
    """By currency of the markets; the divisor makes whole numbers of all the leverages' shares."""

    stakes: tuple[tuple[str, tuple[Stake, ...]], ...]
    divisor: int

    @property
    def markets(self) -> tuple[Market, ...]:
        return tuple(stake.market for _, stakes in self.stakes for stake in stakes)


def exposure_of(desk: Desk, owner: Account) -> Exposure:
    return desk.shelf.get("exposure", owner, partial(_exposure, desk, owner))


def _exposure(desk: Desk, owner: Account, _before: Exposure | None) -> Exposure:
    holdings = holdings_of(desk.db, owner.account_id)
    multiple = lcm(*(holding.leverage for holding in holdings))
    by_epic = attrgetter("epic")
    stakes = [_stake(epic, rows, multiple) for epic, rows in groupby(sorted(holdings, key=by_epic), by_epic)]
    stakes.sort(key=_currency)
    return Exposure(
        tuple((currency, tuple(rows)) for currency, rows in groupby(stakes, _currency)), 2 * multiple
    )


def _currency(stake: Stake) -> str:
    return stake.market.currency


def _stake(epic: str, holdings: Iterable[Holding], multiple: int) -> Stake:
    market = MARKETS[epic]
    long = short = cost = weight = _NOTHING
    for holding in holdings:
        size = holding.size * market.step
        if holding.long:
            long, cost = long + size, cost + holding.cost
        else:
            short, cost = short + size, cost - holding.cost
        weight += size * (multiple // holding.leverage)
    return Stake(market, long, short, cost, weight)
