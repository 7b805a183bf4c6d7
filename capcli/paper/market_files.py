"""Markets of the user's own, from a TOML file: one table an epic, read when a paper world is made."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from capcli.paper.catalogue import CURRENCIES, DOLLAR, FOREX, KINDS, MARKETS, Market, is_rate
from capcli.paper.hours import HOURS

D = Decimal
_EPIC = re.compile(r"[A-Za-z0-9._-]{1,30}")
_CODE = re.compile(r"[A-Z]{3}")
_MOST_MARKETS, _LONGEST_NAME, _DIGITS = 200, 80, 5
_BIGGEST = D(10) ** 12
_FEWEST_STEPS = 100
_FINEST = 8  # decimals of a price or a size
# Defaults of a class: hours, daily move and spread in percent, smallest and largest size.
_USUAL: Mapping[str, tuple[str, str, str, str, str]] = MappingProxyType(
    {
        "currency": ("forex", "0.6", "0.01", "100", "10000000"),
        "index": ("futures", "1", "0.02", "0.1", "2000"),
        "commodity": ("futures", "1.5", "0.05", "1", "50000"),
        "gold": ("futures", "1", "0.02", "0.01", "5000"),
        "share": ("newyork", "2", "0.08", "1", "20000"),
        "crypto": ("clock", "4", "0.3", "0.01", "100000"),
    }
)


class BadMarkets(ValueError):
    """A file of markets that cannot be used; the message says where, why and what is allowed."""


def read(path: Path) -> str:
    """A file's markets in stored form. Raises BadMarkets.

    `kind` and `price` are required; name, currency, step, spread, daily_move, min_size, max_size, size_step
    and hours have the usual values of the kind.
    """
    import tomllib

    try:
        tables = tomllib.loads(path.read_text("utf-8"), parse_float=D)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadMarkets(f"{path} cannot be read: {why}.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadMarkets(f"{path.name} is not valid TOML: {error}.") from None
    if not 1 <= len(tables) <= _MOST_MARKETS:
        raise BadMarkets(f"{path.name} holds {len(tables)} markets; 1 to {_MOST_MARKETS} are allowed.")
    try:
        markets = [_market(epic, table) for epic, table in tables.items()]
        _check_rates(markets)
    except BadMarkets as error:
        raise BadMarkets(f"{path.name}, {error}") from None
    return msgspec.json.encode(tables).decode()


def restored(kept: str | None) -> tuple[Market, ...]:
    """Markets from the form stored by `read`."""
    tables = msgspec.json.decode(kept) if kept else {}
    return tuple(_market(epic, table) for epic, table in tables.items())


def _market(epic: str, table: object) -> Market:
    if not isinstance(table, dict):
        raise BadMarkets(f"{epic[:40]}: each market is a table, such as [{epic[:40]}].")
    if not _EPIC.fullmatch(epic):
        raise BadMarkets(f"[{epic[:40]}]: an epic is 1 to 30 letters, digits, dots, dashes or underscores.")
    market, ours = _Fields(epic, table).market(), MARKETS.get(epic)
    if ours and is_rate(epic) and (market.kind is not FOREX or market.currency != ours.currency):
        raise BadMarkets(
            f'[{epic}]: amounts are converted at this market, so it must be of kind "currency" with currency '
            f'"{ours.currency}".'
        )
    return market


class _Fields:
    """One market's keys, each read once and in its bounds."""

    def __init__(self, epic: str, table: Mapping[str, Any]) -> None:
        self._epic = epic
        self._table = table
        if unknown := sorted(set(table) - set(_KEYS)):
            raise self._bad(unknown[0], f"is unknown; there are {', '.join(_KEYS)}")

    def market(self) -> Market:
        kind_name = self._word("kind", KINDS)
        around, move, spread, low, high = _USUAL[kind_name]
        kind, price = KINDS[kind_name], self._number("price")
        # About five digits of the price, and never coarser than the price's own decimals.
        written = -int(price.normalize().as_tuple().exponent)
        digits = min(_FINEST, max(_DIGITS - 1 - price.adjusted(), written, 0))
        step = self._number("step", D(10) ** -digits)
        if price % step or price / step < _FEWEST_STEPS:
            raise self._bad(
                "price", f"must be a multiple of the step {step:f}, and at least {_FEWEST_STEPS} steps"
            )
        size_step = self._number("size_step", D(low))
        smallest = self._number("min_size", D(low) if D(low) % size_step == 0 else size_step)
        largest = self._number("max_size", D(high) // size_step * size_step, least=smallest)
        usual_spread = max(price * D(spread) / 100 // step, D(1)) * step
        name, currency = self._text("name", self._epic), self._text("currency", DOLLAR)
        if not _CODE.fullmatch(currency) or (kind is FOREX and currency == self._epic[:3]):
            raise self._bad(
                "currency", f"is {currency[:20]!a}: three capital letters, the quote currency of a pair"
            )
        return Market(
            epic=self._epic,
            name=name,
            symbol=name,
            kind=kind,
            currency=currency,
            step=step,
            middle=price,
            move_bp=int(self._number("daily_move", D(move), least=D("0.01"), most=D(20)) * 100),
            spread=int(self._multiple("spread", self._number("spread", usual_spread), step) / step),
            min_size=self._multiple("min_size", smallest, size_step),
            max_size=self._multiple("max_size", largest, size_step),
            size_step=size_step,
            hours=HOURS[self._word("hours", HOURS, around)],
        )

    def _bad(self, key: str, why: str) -> BadMarkets:
        return BadMarkets(f"[{self._epic}] {key[:40]} {why}.")

    def _word(self, key: str, known: Iterable[str], usual: str | None = None) -> str:
        word = self._table.get(key, usual)
        if word in set(known):
            return str(word)
        found = "is missing" if word is None else f"is {str(word)[:40]!a}"
        raise self._bad(key, f"{found}: one of {', '.join(known)}")

    def _text(self, key: str, usual: str) -> str:
        text = self._table.get(key, usual)
        if not isinstance(text, str) or not 1 <= len(text) <= _LONGEST_NAME or not text.isprintable():
            raise self._bad(key, f"must be a text of 1 to {_LONGEST_NAME} printable characters")
        return text

    def _number(
        self,
        key: str,
        usual: Decimal | None = None,
        *,
        least: Decimal | None = None,
        most: Decimal = _BIGGEST,
    ) -> Decimal:
        value = self._table.get(key, usual)
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise self._bad(key, "is missing: a number above 0" if value is None else "must be a number")
        try:
            number = D(str(value))
        except ArithmeticError:
            raise self._bad(key, f"is {str(value)[:40]!a}: it must be a number") from None
        low_enough = number.is_finite() and 0 < number <= most and (least is None or number >= least)
        if not low_enough or -int(number.normalize().as_tuple().exponent) > _FINEST:
            bottom = "above 0" if least is None else f"at least {least:f}"
            raise self._bad(key, f"is {number}: {bottom}, at most {most:f}, with up to {_FINEST} decimals")
        return number

    def _multiple(self, key: str, number: Decimal, step: Decimal) -> Decimal:
        if number % step:
            raise self._bad(key, f"is {number:f}: a multiple of {step:f} is needed")
        return number


_KEYS = (
    "kind", "price", "name", "currency", "step", "spread", "daily_move", "min_size", "max_size", "size_step",
    "hours",
)  # fmt: skip


def _check_rates(markets: Iterable[Market]) -> None:
    """Profit in any currency needs its rate against the dollar: ours, or a pair in the same file."""
    pairs = {m.currency for m in markets if m.kind is FOREX and m.epic == f"{DOLLAR}{m.currency}"}
    for market in markets:
        if market.currency not in CURRENCIES | pairs:
            known = ", ".join(sorted(CURRENCIES | pairs))
            raise BadMarkets(
                f"[{market.epic}] currency is {market.currency!a}: one of {known}, or add a market "
                f"{DOLLAR}{market.currency} of kind currency."
            )
