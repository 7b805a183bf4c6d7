"""Account arithmetic: conversion, open profit, margin and the four figures of a balance."""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from math import lcm
from typing import NamedTuple

from msgspec import Struct

from capcli.paper.book import BUY, Account, Holding, Position, holdings_of
from capcli.paper.catalogue import DOLLAR, Market, Markets
from capcli.paper.context import Context, Quote
from capcli.paper.price_feed import Extent

CENT = PERCENT = Decimal("0.01")
_NOISE = Decimal("0.000001")
NOTHING = Decimal(0)


class Figures(Struct, frozen=True):
    """`balance` is equity, `deposit` is cash, and they differ by exactly `profit_loss` (API page 14.1)."""

    deposit: Decimal
    profit_loss: Decimal
    margin: Decimal

    @property
    def balance(self) -> Decimal:
        return self.deposit + self.profit_loss

    @property
    def must_close(self) -> bool:
        """Below half of the margin in use: the usual rule for retail accounts (API page 14.5)."""
        return 2 * self.balance < self.margin

    @property
    def available(self) -> Decimal:
        return self.balance - self.margin

    def body(self) -> dict[str, Decimal]:
        return {
            "balance": self.balance,
            "deposit": self.deposit,
            "profitLoss": self.profit_loss,
            "available": self.available,
        }


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
    long = short = cost = weight = NOTHING
    for holding in holdings:
        size, paid = Decimal(holding.size) * market.step, Decimal(holding.cost)
        if holding.direction == BUY:
            long, cost = long + size, cost + paid
        else:
            short, cost = short + size, cost - paid
        weight += size * (multiple // holding.leverage)
    return Stake(market, long, short, cost, weight)


def cents(amount: Decimal) -> Decimal:
    """Half to even; what an endless rate leaves far behind the point decides nothing."""
    return amount.quantize(_NOISE, ROUND_HALF_EVEN).quantize(CENT, ROUND_HALF_EVEN)


def rate(context: Context, source: str, target: str) -> Decimal:
    """Mid of the pair, through the dollar where need be; no fee (API page 17)."""
    return Decimal(1) if source == target else _dollars(context, source) / _dollars(context, target)


def _dollars(context: Context, currency: str) -> Decimal:
    if currency == DOLLAR:
        return Decimal(1)
    if pair := context.markets.get(f"{currency}{DOLLAR}"):
        return context.quote(pair).mid
    return 1 / context.quote(context.markets[f"{DOLLAR}{currency}"]).mid


def converted(context: Context, epic: str, amount: Decimal, owner: Account) -> Decimal:
    """From a market's currency to an account's, unrounded."""
    return amount * rate(context, context.markets[epic].currency, owner.currency)


def closing_price(position: Position, quote: Quote) -> Decimal:
    return quote.bid if position.long else quote.offer


def profit(position: Position, price: Decimal, size: Decimal) -> Decimal:
    """In the instrument's currency (API page 14.3); the contract size is 1 everywhere."""
    return (price - position.level if position.long else position.level - price) * size


def upl(context: Context, position: Position) -> Decimal:
    price = closing_price(position, context.quote(context.markets[position.epic]))
    return profit(position, price, position.size)


def figures(context: Context, owner: Account) -> Figures:
    """Open profit and margin are each summed exactly and rounded once, however many rows make them.

    Margin is on the current mid, both sides of a hedge in full (API page 17).
    """
    exposure, last, second = exposure_of(context, owner), context.price_feed.last, context.second
    gains = used = NOTHING
    for currency, stakes in exposure.stakes:
        gain = load = NOTHING
        for market, long, short, cost, weight in stakes:
            bid, offer, _, _ = last(market, second)
            gain += bid * long - offer * short - cost
            load += (bid + offer) * weight
        price = rate(context, currency, owner.currency)
        gains += gain * price
        used += load * price
    return Figures(owner.cash, cents(gains), cents(used / exposure.divisor))


def rates(
    markets: Markets, extent_of: Callable[[Market], Extent], source: str, target: str
) -> tuple[Decimal, Decimal]:
    """The lowest and the highest rate that these extents allow."""
    if source == target:
        return Decimal(1), Decimal(1)
    (low, high), (bottom, top) = (
        _dollar_extent(markets, extent_of, currency) for currency in (source, target)
    )
    return low / top, high / bottom


def _dollar_extent(
    markets: Markets, extent_of: Callable[[Market], Extent], currency: str
) -> tuple[Decimal, Decimal]:
    if currency == DOLLAR:
        return Decimal(1), Decimal(1)
    if pair := markets.get(f"{currency}{DOLLAR}"):
        return _middles(pair, extent_of(pair))
    pair = markets[f"{DOLLAR}{currency}"]
    low, high = _middles(pair, extent_of(pair))
    return 1 / high, 1 / low


def _middles(market: Market, extent: Extent) -> tuple[Decimal, Decimal]:
    lowest, highest = extent.low_bid + extent.low_offer, extent.high_bid + extent.high_offer
    return market.price(lowest) / 2, market.price(highest) / 2
