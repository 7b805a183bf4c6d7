"""Account arithmetic: conversion, open profit, margin and the four figures of a balance."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from capcli.paper.book import Account, Holding, Position, holdings_of
from capcli.paper.catalogue import MARKETS, Market
from capcli.paper.desk import Desk, Quote
from capcli.paper.path import Bar

CENT = PERCENT = Decimal("0.01")
DOLLAR = "USD"


@dataclass(frozen=True, slots=True)
class Figures:
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
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def rate(desk: Desk, source: str, target: str) -> Decimal:
    """Mid of the pair, through the dollar where need be; no fee (API page 17)."""
    return Decimal(1) if source == target else _dollars(desk, source) / _dollars(desk, target)


def _dollars(desk: Desk, currency: str) -> Decimal:
    if currency == DOLLAR:
        return Decimal(1)
    if pair := MARKETS.get(f"{currency}{DOLLAR}"):
        return desk.quote(pair).mid
    return 1 / desk.quote(MARKETS[f"{DOLLAR}{currency}"]).mid


def converted(desk: Desk, epic: str, amount: Decimal, owner: Account) -> Decimal:
    """From a market's currency to an account's, unrounded."""
    return amount * rate(desk, MARKETS[epic].currency, owner.currency)


def closing_price(row: Position | Holding, quote: Quote) -> Decimal:
    return quote.bid if row.long else quote.offer


def profit(position: Position, price: Decimal, size: Decimal) -> Decimal:
    """In the instrument's currency (API page 14.3); the contract size is 1 everywhere."""
    return (price - position.level if position.long else position.level - price) * size


def upl(desk: Desk, position: Position) -> Decimal:
    price = closing_price(position, desk.quote(MARKETS[position.epic]))
    return profit(position, price, position.size)


def worth(holding: Holding, price: Decimal) -> Decimal:
    """The open profit of all its rows, in the instrument's currency."""
    gain = price * holding.size - holding.cost
    return gain if holding.long else -gain


def margin(holding: Holding, middle: Decimal) -> Decimal:
    """On the current mid, both sides of a hedge in full (API page 17), in the instrument's currency."""
    return middle * holding.size / holding.leverage


def figures(desk: Desk, owner: Account) -> Figures:
    """Open profit and margin are each summed exactly and rounded once, however many rows make them."""
    gains = used = Decimal(0)
    for holding in holdings_of(desk.db, owner.account_id):
        quote = desk.quote(MARKETS[holding.epic])
        gains += converted(desk, holding.epic, worth(holding, closing_price(holding, quote)), owner)
        used += converted(desk, holding.epic, margin(holding, quote.mid), owner)
    return Figures(owner.cash, cents(gains), cents(used))


class Extent(NamedTuple):
    """Between what prices a market moved in some span of time, the price it came with included."""

    low_bid: Decimal
    high_bid: Decimal
    low_offer: Decimal
    high_offer: Decimal

    @property
    def low_mid(self) -> Decimal:
        return (self.low_bid + self.low_offer) / 2

    @property
    def high_mid(self) -> Decimal:
        return (self.high_bid + self.high_offer) / 2


def extent(desk: Desk, market: Market, first: int, last: int) -> Extent:
    before = desk.tape.last(market, first)
    bids = _reach(before.bid, desk.tape.fold(market, first, last))
    offers = _reach(before.offer, desk.tape.fold(market, first, last, offer=True))
    return Extent(*(market.price(steps) for steps in (*bids, *offers)))


def _reach(before: int, bar: Bar | None) -> tuple[int, int]:
    return (min(before, bar.low), max(before, bar.high)) if bar else (before, before)


def rates(extent_of: Callable[[str], Extent], source: str, target: str) -> tuple[Decimal, Decimal]:
    """The lowest and the highest rate that these extents allow."""
    if source == target:
        return Decimal(1), Decimal(1)
    (low, high), (bottom, top) = _dollar_extent(extent_of, source), _dollar_extent(extent_of, target)
    return low / top, high / bottom


def _dollar_extent(extent_of: Callable[[str], Extent], currency: str) -> tuple[Decimal, Decimal]:
    if currency == DOLLAR:
        return Decimal(1), Decimal(1)
    if (pair := f"{currency}{DOLLAR}") in MARKETS:
        return extent_of(pair).low_mid, extent_of(pair).high_mid
    pair = f"{DOLLAR}{currency}"
    return 1 / extent_of(pair).high_mid, 1 / extent_of(pair).low_mid
