"""What is at stake: notional, margin and the loss at the stops, by market, class and currency."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum

from capcli.domain.account import Account, Position, UnreadableRow
from capcli.domain.market import Side
from capcli.domain.money import EXACT, cents, percent_of
from capcli.services.casework import active_account
from capcli.services.conversion import conversion_rate
from capcli.services.fanout import together
from capcli.services.ports import Broker
from capcli.services.reply import Reply


class Grouping(StrEnum):
    """What the positions of a row have in common."""

    MARKET = "market"
    CLASS = "class"
    CURRENCY = "currency"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class ExposureRow:
    """The positions of a market, a class, an instrument currency, or all. Amounts in account currency.

    `currency` and `rate` say what was converted, None where a row mixes currencies. `net` is long less short.
    `margin` is None where a leverage is unknown. `loss_at_stops` is what equity loses from now if every stop
    is hit at its level; positions in `without_stop` (deal ids) are in no such bound. `guaranteed` counts
    those whose stop is guaranteed. Percentages are of equity.
    """

    group: Grouping
    name: str
    positions: int
    currency: str | None
    rate: Decimal | None
    long: Decimal
    short: Decimal
    net: Decimal
    notional: Decimal
    notional_pct: Decimal
    margin: Decimal | None
    margin_pct: Decimal | None
    loss_at_stops: Decimal
    loss_pct: Decimal
    guaranteed: int
    without_stop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExposureFound:
    """The exposure of the active account, the total last; working orders are not in it.

    `equity` and all amounts are in `account_currency`. `unreadable` positions are open and in no figure.
    """

    account_currency: str
    equity: Decimal
    hedging: bool
    exposure: tuple[ExposureRow, ...]
    unreadable: tuple[UnreadableRow, ...] = ()

    @property
    def total(self) -> ExposureRow:
        return self.exposure[-1]


@dataclass(frozen=True, slots=True)
class _Held:
    """A position in account currency."""

    position: Position
    rate: Decimal
    notional: Decimal
    margin: Decimal | None
    loss: Decimal | None

    @property
    def signed(self) -> Decimal:
        return self.notional if self.position.side is Side.BUY else -self.notional


class Exposures:
    """Reads the book and adds it up. Three requests, and those for the rates of other currencies."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def show(self) -> Reply[ExposureFound]:
        """Return the exposure of the active account.

        Values count at the price at which a position closes now, margins at the level where it opened (API
        page 14.5). Raises NoConversion and what a read raises.
        """
        broker = self._broker
        book, accounts, preferences = together(
            broker.list_positions, broker.accounts, lambda: broker.preferences(fresh=False)
        )
        account = active_account(accounts, broker.account_id or "")
        rates = self._rates(book.rows, account)
        with localcontext(EXACT):
            held = tuple(_held(position, rates[position.currency]) for position in book.rows)
            rows = tuple(
                _row(grouping, name, members, account)
                for grouping, of in _GROUPINGS.items()
                for name, members in _grouped(held, of)
            )
            total = _row(Grouping.TOTAL, "all", held, account)
        found = ExposureFound(
            account.currency, account.equity, preferences.hedging, (*rows, total), book.unreadable
        )
        return Reply(found, broker.account_id)

    def _rates(self, positions: tuple[Position, ...], account: Account) -> dict[str, Decimal]:
        currencies = tuple(dict.fromkeys(position.currency for position in positions))
        reads = [self._rate_of(currency, account.currency) for currency in currencies]
        return dict(zip(currencies, together(*reads), strict=True))

    def _rate_of(self, source: str, target: str) -> Callable[[], Decimal]:
        return lambda: conversion_rate(self._broker, source, target)


def _market(one: _Held) -> str:
    return one.position.epic


def _class(one: _Held) -> str:
    return one.position.type


def _currency(one: _Held) -> str:
    return one.position.currency


_GROUPINGS: dict[Grouping, Callable[[_Held], str]] = {
    Grouping.MARKET: _market,
    Grouping.CLASS: _class,
    Grouping.CURRENCY: _currency,
}


def _grouped(held: Iterable[_Held], of: Callable[[_Held], str]) -> list[tuple[str, list[_Held]]]:
    groups: dict[str, list[_Held]] = {}
    for one in held:
        groups.setdefault(of(one), []).append(one)
    return sorted(groups.items())


def _held(position: Position, rate: Decimal) -> _Held:
    price = position.quote.exit(position.side)
    value = position.size * position.contract_size * rate
    margin = cents(value * position.level / position.leverage) if position.leverage else None
    return _Held(position, rate, cents(value * price), margin, _loss(position, price, value))


def _loss(position: Position, price: Decimal, value: Decimal) -> Decimal | None:
    """Return what a stop that is hit at its level takes from equity as it is now; None without a stop."""
    away = _away(position, price)
    # A stop that the price has passed is about to fill: nothing more is at stake by it.
    return None if away is None else cents(max(away, Decimal(0)) * value)


def _away(position: Position, price: Decimal) -> Decimal | None:
    if position.stop_level is not None:
        return price - position.stop_level if position.side is Side.BUY else position.stop_level - price
    # A trailing stop follows at its distance.
    return position.stop_distance if position.trailing else None


def _row(grouping: Grouping, name: str, held: Sequence[_Held], account: Account) -> ExposureRow:
    currencies, rates = {_currency(one) for one in held}, {one.rate for one in held}
    notional, margin, loss = _notional(held), _margin(held), _losses(held)
    long = sum((one.notional for one in held if one.signed > 0), Decimal("0.00"))
    return ExposureRow(
        group=grouping,
        name=name,
        positions=len(held),
        currency=currencies.pop() if len(currencies) == 1 else None,
        rate=rates.pop() if len(rates) == 1 else None,
        long=long,
        short=notional - long,
        net=long - (notional - long),
        notional=notional,
        notional_pct=percent_of(notional, account.equity),
        margin=margin,
        margin_pct=None if margin is None else percent_of(margin, account.equity),
        loss_at_stops=loss,
        loss_pct=percent_of(loss, account.equity),
        guaranteed=_guaranteed(held),
        without_stop=_without_stop(held),
    )


def _notional(held: Iterable[_Held]) -> Decimal:
    return sum((one.notional for one in held), Decimal("0.00"))


def _losses(held: Iterable[_Held]) -> Decimal:
    return sum((one.loss for one in held if one.loss is not None), Decimal("0.00"))


def _margin(held: Iterable[_Held]) -> Decimal | None:
    margins = [one.margin for one in held]
    known = [margin for margin in margins if margin is not None]
    return sum(known, Decimal("0.00")) if len(known) == len(margins) else None


def _guaranteed(held: Iterable[_Held]) -> int:
    return sum(one.position.guaranteed and one.loss is not None for one in held)


def _without_stop(held: Iterable[_Held]) -> tuple[str, ...]:
    return tuple(one.position.deal_id for one in held if one.loss is None)
