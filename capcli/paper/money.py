"""Account arithmetic: conversion, open profit, margin and the four figures of a balance."""

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from math import lcm

from msgspec import Struct

from capcli.paper.book import Account, Position, positions_of
from capcli.paper.catalogue import DOLLAR, Market, Markets
from capcli.paper.context import Context, Quote
from capcli.paper.price_feed import Extent

CENT = PERCENT = Decimal("0.01")
_NOISE = Decimal("0.000001")
_ONE = Decimal(1)
ExtentOf = Callable[[Market], Extent]


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


def cents(amount: Decimal) -> Decimal:
    """Half to even; the far digits of an endless rate do not matter."""
    return amount.quantize(_NOISE, ROUND_HALF_EVEN).quantize(CENT, ROUND_HALF_EVEN)


def rate(context: Context, source: str, target: str) -> Decimal:
    """Mid of the pair, if necessary through the dollar; no fee (API page 17)."""
    return _rates(context.markets, _quoted(context), source, target)[0]


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
    return worst_figures(context, owner, positions_of(context.db, owner.account_id), _quoted(context))


def worst_figures(
    context: Context, owner: Account, positions: Iterable[Position], extent_of: ExtentOf
) -> Figures:
    """The figures with each price and rate at the worse end of its extent.

    Open profit and margin are each summed exactly and rounded once, however many rows make them. Margin is on
    the current mid, both sides of a hedge in full (API page 17).
    """
    # A common multiple, so that every leverage's share is whole.
    multiple = lcm(*{position.leverage for position in positions})
    totals: dict[str, tuple[Decimal, Decimal]] = {}
    for position in positions:
        market = context.markets[position.epic]
        extent, steps = extent_of(market), position.size * market.step
        load = (extent.high_bid + extent.high_offer) * steps * (multiple // position.leverage)
        cost = position.size * position.level
        gain = extent.low_bid * steps - cost if position.long else cost - extent.high_offer * steps
        before = totals.get(market.currency, (Decimal(0), Decimal(0)))
        totals[market.currency] = before[0] + gain, before[1] + load
    gains = loads = Decimal(0)
    for currency, (gain, load) in sorted(totals.items()):
        low, high = _rates(context.markets, extent_of, currency, owner.currency)
        gains += gain * (high if gain < 0 else low)
        loads += load * high
    return Figures(owner.cash, cents(gains), cents(loads / (2 * multiple)))


def _quoted(context: Context) -> ExtentOf:
    def extent_of(market: Market) -> Extent:
        bid, offer, *_ = context.price_feed.last(market, context.second)
        return Extent(bid, bid, offer, offer)

    return extent_of


def _rates(markets: Markets, extent_of: ExtentOf, source: str, target: str) -> tuple[Decimal, Decimal]:
    """The lowest and the highest rate that these extents allow."""
    if source == target:
        return _ONE, _ONE
    (low, high), (bottom, top) = (_dollars(markets, extent_of, currency) for currency in (source, target))
    return low / top, high / bottom


def _dollars(markets: Markets, extent_of: ExtentOf, currency: str) -> tuple[Decimal, Decimal]:
    if currency == DOLLAR:
        return _ONE, _ONE
    direct = markets.get(f"{currency}{DOLLAR}")
    pair = direct or markets[f"{DOLLAR}{currency}"]
    extent = extent_of(pair)
    low = pair.price(extent.low_bid + extent.low_offer) / 2
    high = pair.price(extent.high_bid + extent.high_offer) / 2
    return (low, high) if direct else (1 / high, 1 / low)
