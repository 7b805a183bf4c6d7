"""An account's positions summed by market, so that one quote gives the profit and margin of them all.

The sums are of whole price steps and exact; there is no rounding before the cents of the whole account.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from math import lcm
from typing import NamedTuple

from capcli.paper.book import BUY, Account, Holding, holdings_of
from capcli.paper.catalogue import Market
from capcli.paper.context import Context

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


def exposure_of(context: Context, owner: Account) -> Exposure:
    holdings = holdings_of(context.db, owner.account_id)
    multiple = lcm(*{holding.leverage for holding in holdings})
    by_epic: dict[str, list[Holding]] = {}
    for holding in holdings:
        by_epic.setdefault(holding.epic, []).append(holding)
    each = [_stake(context.markets[epic], rows, multiple) for epic, rows in by_epic.items()]
    stakes = groupby(sorted(each, key=_currency), _currency)
    return Exposure(tuple((currency, tuple(group)) for currency, group in stakes), 2 * multiple)


def _currency(stake: Stake) -> str:
    return stake.market.currency


def _stake(market: Market, holdings: Sequence[Holding], multiple: int) -> Stake:
    long = short = cost = weight = _NOTHING
    for holding in holdings:
        size, paid = Decimal(holding.size) * market.step, Decimal(holding.cost)
        if holding.direction == BUY:
            long, cost = long + size, cost + paid
        else:
            short, cost = short + size, cost - paid
        weight += size * (multiple // holding.leverage)
    return Stake(market, long, short, cost, weight)
