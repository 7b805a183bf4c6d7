"""Exchange rates between an instrument's currency and the account's, from the broker's own markets."""

from collections.abc import Iterable
from decimal import Context, Decimal

from capcli.domain.money import EXACT, SIGNIFICANT_DIGITS
from capcli.errors import BrokerRefused, CapcliError, EpicUnknown
from capcli.services.fanout import together
from capcli.services.ports import Broker

_CROSS = "USD"
# An inverted rate has no end; every reader of a JSON number keeps this many digits of it.
_READABLE = Context(prec=SIGNIFICANT_DIGITS)


class NoConversion(BrokerRefused):
    """The broker offers no market from which the rate could be read."""

    code = "NO_CONVERSION"
    retry_safe = True


def conversion_rate(broker: Broker, source: str, target: str) -> Decimal:
    """Return units of `target` for one unit of `source`, at the mid price; 1 for the same currency.

    The source of the broker's own booking rate is undocumented (API page 14.4), so this is an estimate.
    Raises NoConversion when neither a pair nor a crossing through USD exists.
    """
    rate = _direct(broker, source, target)
    if rate is None and _CROSS not in {source, target}:
        first, second = _direct(broker, source, _CROSS), _direct(broker, _CROSS, target)
        rate = None if first is None or second is None else first * second
    if rate is None:
        raise NoConversion(
            f"No market gives a rate from {source} to {target}, so the figures in {target} cannot be known.",
            next=f"capcli markets search {source}{target}",
        )
    return _READABLE.plus(rate)


def rates_of(broker: Broker, currencies: Iterable[str], target: str) -> dict[str, Decimal]:
    """Return units of `target` for one of each currency, read at the same time. Raises NoConversion."""
    names = tuple(dict.fromkeys(currencies))
    rates = together(*(lambda name=name: conversion_rate(broker, name, target) for name in names))
    return dict(zip(names, rates, strict=True))


def known_rates(broker: Broker, currencies: Iterable[str], target: str) -> dict[str, Decimal]:
    """Return as `rates_of` the rates that can be read; a currency without one is left out."""

    def rate(name: str) -> Decimal | None:
        try:
            return conversion_rate(broker, name, target)
        except CapcliError:
            return None

    names = tuple(dict.fromkeys(currencies))
    rates = together(*(lambda name=name: rate(name) for name in names))
    return {name: found for name, found in zip(names, rates, strict=True) if found is not None}


def _direct(broker: Broker, source: str, target: str) -> Decimal | None:
    if source == target:
        return Decimal(1)
    mid = _mid(broker, source + target)
    if mid is not None:
        return mid
    mid = _mid(broker, target + source)
    return None if mid is None else EXACT.divide(Decimal(1), mid)


def _mid(broker: Broker, pair: str) -> Decimal | None:
    try:
        return broker.market(pair).quote.mid
    except EpicUnknown:
        return None
