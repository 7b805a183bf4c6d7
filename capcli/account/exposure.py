"""Exposure: notional, margin and the loss at the stops, by market, class and currency."""

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.account import Account, Listed, Position, UnreadableRow
from capcli.domain.market import Side
from capcli.domain.money import EXACT, cents, percent_of
from capcli.fanout import together
from capcli.marketdata.conversion import rates_of
from capcli.ports import Broker
from capcli.reconcile.deal_account import active_account
from capcli.reply import Reply

_PAIRS, _CODE = "CURRENCIES", 3
_ZERO = Decimal("0.00")


class Grouping(StrEnum):
    """What the positions of a row have in common."""

    MARKET = "market"
    CLASS = "class"
    CURRENCY = "currency"
    TOTAL = "total"


class ExposureRow(Struct, frozen=True):
    """The positions of a market, a class, an instrument currency, or all. Amounts in account currency.

    `currency` and `rate` say what was converted, None where a row mixes currencies. `net` is long less short.
    `margin` is None where a leverage is unknown. `loss_at_stops` is what equity loses from now if every stop
    is hit: None (UNBOUNDED) while a position has none (`without_stop`: deal ids) or cannot be read.
    `loss_with_stop` is that of the positions with a stop, `loss_guaranteed` that of guaranteed stops. A
    currency pair counts in both currencies, long in one and short in the other. Percentages are of equity.
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
    loss_at_stops: Decimal | None
    loss_pct: Decimal | None
    loss_with_stop: Decimal
    loss_guaranteed: Decimal
    guaranteed: int
    without_stop: tuple[str, ...]


class ExposureFound(Struct, frozen=True):
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


class _Converted(Struct, frozen=True):
    """A position in account currency."""

    position: Position
    rate: Decimal
    notional: Decimal
    margin: Decimal | None
    loss: Decimal | None
    is_long: bool


class Exposures:
    """Reads the open positions and adds them up. Three requests, and one for rates of other currencies."""

    def __init__(self, context: Context) -> None:
        self._broker = context.broker

    def show(self) -> Reply[ExposureFound]:
        """Return the exposure of the active account, valued at closing prices, else at the broker's own P&L.

        Margins are at the opening level (API page 14.5). Raises NoConversion and what a read raises.
        """
        broker = self._broker
        book, accounts, preferences = together(
            broker.list_positions, broker.accounts, lambda: broker.preferences(fresh=False)
        )
        account = active_account(accounts, broker.account_id or "")
        rows = exposure_rows(broker, account, book)
        found = ExposureFound(account.currency, account.equity, preferences.hedging, rows, book.unreadable)
        return Reply(found, broker.account_id)


def exposure_rows(broker: Broker, account: Account, book: Listed[Position]) -> tuple[ExposureRow, ...]:
    """Add up positions that were read, the total last. One request where they are in other currencies."""
    rates = rates_of(broker, (position.currency for position in book.rows), account.currency)
    with localcontext(EXACT):
        positions = tuple(_converted(position, rates[position.currency]) for position in book.rows)
        rows = []
        for grouping in (Grouping.MARKET, Grouping.CLASS, Grouping.CURRENCY):
            groups: dict[str, list[_Converted]] = {}
            for name, one in (each for position in positions for each in _counted_as(grouping, position)):
                groups.setdefault(name, []).append(one)
            rows += [_row(grouping, name, members, account) for name, members in sorted(groups.items())]
        return (*rows, _row(Grouping.TOTAL, "all", positions, account, complete=not book.unreadable))


def _counted_as(grouping: Grouping, one: _Converted) -> Iterator[tuple[str, _Converted]]:
    """Yield the rows in which a position counts: a pair is long in its base, short in its currency."""
    position = one.position
    base = position.epic.removesuffix(position.currency)
    if grouping is not Grouping.CURRENCY:
        yield position.epic if grouping is Grouping.MARKET else position.type, one
    elif position.type != _PAIRS or len(base) != _CODE or base == position.epic:
        yield position.currency, one
    else:
        yield base, one
        yield position.currency, replace(one, is_long=not one.is_long)


def _converted(position: Position, rate: Decimal) -> _Converted:
    price, is_long = position.valued_at, position.side is Side.BUY
    value = position.size * position.contract_size * rate
    margin = cents(value * position.level / position.leverage) if position.leverage else None
    # A trailing stop follows at its distance.
    away = position.stop_distance if position.trailing else None
    if position.stop_level is not None:
        away = price - position.stop_level if is_long else position.stop_level - price
    # A stop that the price has passed is about to fill: it loses nothing more.
    loss = None if away is None else cents(max(away, Decimal(0)) * value)
    return _Converted(position, rate, cents(value * price), margin, loss, is_long)


def _row(
    grouping: Grouping, name: str, rows: Sequence[_Converted], account: Account, *, complete: bool = True
) -> ExposureRow:
    currencies, rates = {one.position.currency for one in rows}, {one.rate for one in rows}
    margins = [one.margin for one in rows]
    known = [margin for margin in margins if margin is not None]
    margin = sum(known, _ZERO) if len(known) == len(margins) else None
    notional = sum((one.notional for one in rows), _ZERO)
    long = sum((one.notional for one in rows if one.is_long), _ZERO)
    bare = tuple(one.position.deal_id for one in rows if one.loss is None)
    stopped = [(one.position.guaranteed, one.loss) for one in rows if one.loss is not None]
    losses = sum((loss for _, loss in stopped), _ZERO)
    loss = None if bare or not complete else losses
    return ExposureRow(
        group=grouping,
        name=name,
        positions=len(rows),
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
        loss_pct=None if loss is None else percent_of(loss, account.equity),
        loss_with_stop=losses,
        loss_guaranteed=sum((loss for guaranteed, loss in stopped if guaranteed), _ZERO),
        guaranteed=sum(guaranteed for guaranteed, _ in stopped),
        without_stop=bare,
    )
