"""Texts before closes and cancellations: the result of each close, what an order would open, the sums.

Nothing here may prevent an exit: a figure that cannot be read is left out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

from capcli.domain.account import Position, WorkingOrder
from capcli.domain.check_input import CheckInput
from capcli.domain.market import MarketStatus
from capcli.domain.money import plain, short
from capcli.domain.numbers import counted, money, result
from capcli.domain.order import OrderRequest, Trigger
from capcli.domain.sizing import figures
from capcli.errors import CapcliError
from capcli.fanout import together
from capcli.marketdata.conversion import known_rates, rates_for
from capcli.ports import Broker
from capcli.reconcile.deal_account import active_account
from capcli.trading.open_risk import lost, result_at
from capcli.trading.sweep import Row

T = TypeVar("T")


def close_lines(broker: Broker, position: Position) -> tuple[str, ...]:
    """Describe the result of closing a position now, in account currency if the rate can be read."""
    rate = rates_for(broker, (position,)).get(position.currency)
    booked = _booked(position, rate, broker.account_currency)
    return (f"Realises about {booked}", *_closed_markets((position,)))


def _booked(position: Position, rate: Decimal | None, currency: str | None) -> str:
    own = result(position.upl, position.currency)
    if rate is None or currency in {None, position.currency}:
        return own
    return f"{result(position.upl * rate, currency)} ({own})"


def all_closes_lines(broker: Broker, rows: Sequence[Row[Position]]) -> Iterator[str]:
    """Describe each close with its result, then the sum of those known in account currency."""
    positions = [row.read for row in rows if row.read]
    rates, currency = rates_for(broker, positions), broker.account_currency
    for row in positions:
        named = f"{row.side.value} {short(row.size)} {row.epic} opened at {plain(row.level)}"
        yield f"  close {named}, about {_booked(row, rates.get(row.currency), currency)}"
    yield from (f"  close {row.words}, which cannot be read" for row in rows if row.read is None)
    known = [row.upl * rates[row.currency] for row in positions if row.currency in rates]
    if known and len(positions) > 1:
        without = len(positions) - len(known)
        unknown = f", without {counted(without, 'position')} of unknown rate" if without else ""
        yield f"Realises about {result(sum(known, Decimal(0)), currency)} in all{unknown}"
    yield from _closed_markets(positions)


def _closed_markets(positions: Iterable[Position]) -> Iterator[str]:
    shut = {
        row.epic: row.market_status for row in positions if row.market_status is not MarketStatus.TRADEABLE
    }
    for epic, status in shut.items():
        yield f"{epic} is {status.value}: the broker may refuse to close it now"


def part_lines(checked: CheckInput) -> Iterator[str]:
    """Describe the result of a partial close, and the rest with its stop."""
    for deal in checked.effect.deals if checked.effect else ():
        yield f"Realises about {result(deal.realised, checked.account.currency)}"
        stop = "without a stop" if deal.stop_level is None else f"with its stop {plain(deal.stop_level)}"
        yield f"Leaves {short(deal.left)} open, {stop}"


def all_cancels_lines(rows: Iterable[Row[WorkingOrder]]) -> Iterator[str]:
    """Describe each cancellation."""
    for row in rows:
        yield f"  cancel {row.words}{'' if row.read else ', which cannot be read'}"


def cancel_lines(broker: Broker, orders: Sequence[WorkingOrder]) -> tuple[str, ...]:
    """Describe what cancelled orders would have opened: their margin, and the loss at their stops."""
    epics = tuple(dict.fromkeys(order.epic for order in orders))
    account, preferences, *found = together(
        lambda: _tried(lambda: active_account(broker.accounts(), broker.account_id or "")),
        lambda: _tried(broker.preferences),
        *(lambda epic=epic: _tried(lambda: broker.market(epic)) for epic in epics),
    )
    if account is None:
        return ()
    markets = dict(zip(epics, found, strict=True))
    rates = known_rates(broker, {order.currency for order in orders}, account.currency)
    margins: list[Decimal] = []
    losses: list[Decimal | None] = []
    for order in orders:
        market, rate = markets[order.epic], rates.get(order.currency)
        if market is None or rate is None:
            continue
        request = OrderRequest(order.epic, order.side, order.size, trigger=Trigger(order.level, order.type))
        margin = figures(request, market, account, rate, preferences).margin
        losses.append(lost(result_at(order, order.stop_level, rate)))
        margins += [] if margin is None else [margin]
    if len(margins) < len(orders):
        return ()
    bounded = [loss for loss in losses if loss is not None]
    words = f"the loss at the stop is {money(sum(bounded, Decimal(0)), account.currency)}"
    if len(bounded) < len(losses):
        words = "the loss is unlimited"
    return (f"If filled, the margin is {money(sum(margins, Decimal(0)), account.currency)} and {words}",)


def _tried(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except CapcliError:
        return None
