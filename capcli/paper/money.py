"""Account arithmetic: conversion, open profit, margin and the four figures of a balance."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from capcli.paper.book import Account, Position, positions_of
from capcli.paper.catalogue import MARKETS
from capcli.paper.desk import Desk, Quote

CENT = Decimal("0.01")


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
    if currency == "USD":
        return Decimal(1)
    if pair := MARKETS.get(f"{currency}USD"):
        return desk.quote(pair).mid
    return 1 / desk.quote(MARKETS[f"USD{currency}"]).mid


def closing_price(position: Position, quote: Quote) -> Decimal:
    return quote.bid if position.long else quote.offer


def profit(position: Position, price: Decimal, size: Decimal) -> Decimal:
    """In the instrument's currency (API page 14.3); the contract size is 1 everywhere."""
    return (price - position.level if position.long else position.level - price) * size


def upl(desk: Desk, position: Position) -> Decimal:
    price = closing_price(position, desk.quote(MARKETS[position.epic]))
    return profit(position, price, position.size)


def margin(desk: Desk, position: Position) -> Decimal:
    """On the current mid (API page 17), in the instrument's currency."""
    return desk.quote(MARKETS[position.epic]).mid * position.size / position.leverage


def figures(desk: Desk, account: Account) -> Figures:
    positions = positions_of(desk.db, account.account_id)
    return Figures(
        account.cash,
        _total(desk, account, ((p, upl(desk, p)) for p in positions)),
        _total(desk, account, ((p, margin(desk, p)) for p in positions)),
    )


def _total(desk: Desk, account: Account, amounts: Iterable[tuple[Position, Decimal]]) -> Decimal:
    """Each row rounded by itself, so that closing one moves equity by exactly what it showed."""
    rows = (cents(amount * rate(desk, MARKETS[p.epic].currency, account.currency)) for p, amount in amounts)
    return sum(rows, Decimal("0.00"))
