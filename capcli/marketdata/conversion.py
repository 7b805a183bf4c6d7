"""Exchange rates between an instrument's currency and the account's, from the broker's own markets."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Context, Decimal
from functools import partial

from capcli.domain.account import Position
from capcli.domain.market import Market
from capcli.domain.money import EXACT, SIGNIFICANT_DIGITS
from capcli.errors import BrokerRefused, CapcliError, EpicUnknown
from capcli.fanout import together
from capcli.ports import Broker

_DOLLAR = "USD"
# EURUSD, but USDJPY: these are quoted in dollars, all others per dollar.
_QUOTED_IN_DOLLARS = frozenset({"AUD", "EUR", "GBP", "NZD"})
# An inverted rate has endless digits; every JSON reader keeps this many.
_READABLE = Context(prec=SIGNIFICANT_DIGITS)


class NoConversion(BrokerRefused):
    """The broker offers no market for the rate."""

    code = "NO_CONVERSION"
    retry_safe = True


def conversion_rate(broker: Broker, source: str, target: str) -> Decimal:
    """Return units of `target` for one unit of `source`, as `rates_of`. Raises NoConversion."""
    return rates_of(broker, (source,), target)[source]


def rates_of(broker: Broker, currencies: Iterable[str], target: str) -> dict[str, Decimal]:
    """Return units of `target` for one of each currency: mid prices, through the dollar; 1 for the same one.

    One request; more where a currency has no pair with the dollar. Estimates: the broker's booking rate is
    undocumented (API page 14.4). Raises NoConversion when no market gives a rate.
    """
    names = tuple(dict.fromkeys(currencies))
    rates = _found(broker, names, target)
    missing = next((name for name in names if name not in rates), None)
    if missing is not None:
        raise NoConversion(
            f"No market gives a rate from {missing} to {target}, so the figures in {target} cannot be known.",
            next=f"capcli markets search {missing}{target}",
        )
    return rates


def known_rates(broker: Broker, currencies: Iterable[str], target: str) -> dict[str, Decimal]:
    """Like `rates_of`, but leaves out currencies without a rate."""
    names = tuple(dict.fromkeys(currencies))
    try:
        return _found(broker, names, target)
    except CapcliError:
        return _same(names, target)


def rates_for(broker: Broker, positions: Iterable[Position]) -> dict[str, Decimal]:
    """Return the rates into account currency of the positions' currencies, as far as they can be read."""
    currency = broker.account_currency
    return known_rates(broker, (row.currency for row in positions), currency) if currency else {}


def _found(broker: Broker, names: Sequence[str], target: str) -> dict[str, Decimal]:
    rates = _same(names, target)
    foreign = [name for name in names if name != target]
    if not foreign:
        return rates
    dollars = _in_dollars(broker, (*foreign, target))
    for name in foreign:
        if name in dollars and target in dollars:
            rates[name] = _READABLE.divide(dollars[name], dollars[target])
        elif (market := _market(broker, name + target)) is not None:
            rates[name] = _READABLE.plus(market.quote.mid)
        elif (market := _market(broker, target + name)) is not None:
            rates[name] = _READABLE.plus(EXACT.divide(Decimal(1), market.quote.mid))
    return rates


def _same(names: Sequence[str], target: str) -> dict[str, Decimal]:
    return {target: Decimal(1)} if target in names else {}


def _in_dollars(broker: Broker, names: Sequence[str]) -> dict[str, Decimal]:
    """Return the dollar price of each currency that has a pair with the dollar."""
    foreign = [name for name in names if name != _DOLLAR]
    epics = {
        f"{name}{_DOLLAR}" if name in _QUOTED_IN_DOLLARS else f"{_DOLLAR}{name}": name for name in foreign
    }
    dollars = {_DOLLAR: Decimal(1)}
    found: Iterable[Market] | None = None
    if len(epics) > 1:
        # An unknown epic fails the whole request.
        with suppress(EpicUnknown):
            found = broker.markets(tuple(epics))
    if found is None:
        read = together(*(partial(_market, broker, epic) for epic in epics))
        found = [market for market in read if market is not None]
    for market in found:
        name, mid = epics.get(market.epic, _DOLLAR), market.quote.mid
        if name != _DOLLAR:
            dollars[name] = mid if name in _QUOTED_IN_DOLLARS else EXACT.divide(Decimal(1), mid)
    return dollars


def _market(broker: Broker, epic: str) -> Market | None:
    try:
        return broker.market(epic)
    except EpicUnknown:
        return None
