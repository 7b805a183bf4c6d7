"""Distorts answers of the paper broker into forms seen, or possible, on the venue (API page 18)."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from capcli.paper import faults
from capcli.paper.faults import Fault
from capcli.paper.wire import encode

Object = dict[str, Any]
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_WORDS = ("orderType", "type", "transactionType", "marketStatus", "instrumentType", "direction")
_PROFITS = frozenset({"upl", "profitLoss", "netChange", "percentageChange", "high", "low"})
_TIMES = frozenset({"serverTime", "swapChargeTimestamp"})
_FAR_TIME = msgspec.Raw(b"1" + 20 * b"0")
_JAVA_LEAST, _JAVA_MOST = Decimal("0.001"), Decimal(10_000_000)
_THIN = ("high", "low", "netChange", "percentageChange", "openingHours", "overnightFee")
_LONE_RULE = "minDealSize"


class Distortion(NamedTuple):
    """Changes each JSON object in an answer; `first`: only those in a list's first row."""

    change: Callable[[Object, str], None]
    first: bool = False


def changed(body: bytes, fault: Fault) -> bytes | None:
    """An answer's JSON distorted by a fault; None if unchanged."""
    distortion = DISTORTIONS.get(fault.name)
    if distortion is None or not body:
        return None
    decoded = _DECODER.decode(body)
    before = encode(decoded)
    lists = (value for value in decoded.values() if isinstance(value, list))
    rows = next(lists, None) if distortion.first else None
    for each in list(_objects(decoded if rows is None else rows[:1])):
        distortion.change(each, fault.value or "")
    after = encode(decoded)
    return None if after == before else after


def exponents(frame: str) -> str:
    """A stream frame with its prices written like Java doubles."""
    decoded = _DECODER.decode(frame)
    for each in _objects(decoded.get("payload")):
        each.update({name: _exponent(value) for name, value in each.items() if isinstance(value, Decimal)})
    return encode(decoded).decode()


def _objects(value: Any) -> Iterator[Object]:
    """Every JSON object in a value, outermost first."""
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _swap(each: Object, **fields: object) -> None:
    """Replace the values of existing fields."""
    each.update({name: value for name, value in fields.items() if name in each})


def _where(name: str, word: str, **fields: object) -> Distortion:
    return Distortion(lambda each, _: each.update(fields) if each.get(name) == word else None)


def _without(mark: str, *names: str, first: bool = False) -> Distortion:
    """Drop fields from objects that have the field `mark`."""
    return Distortion(lambda each, _: _drop(each, *names) if mark in each else None, first)


def _drop(each: Object, *names: str) -> None:
    for name in names:
        each.pop(name, None)


def _demo_currency(each: Object, _value: str) -> None:
    if each.keys() & {"accountId", "currentAccountId"}:
        _swap(each, **{name: f"{each.get(name)}d" for name in ("currency", "currencyIsoCode")})


def _thin_details(each: Object, _value: str) -> None:
    _drop(each, *_THIN)
    if "epic" in each:
        _drop(each, "marginFactor", "marginFactorUnit")
    if _LONE_RULE in each:
        _drop(each, *(each.keys() - {_LONE_RULE}))


def _exponent(number: Decimal | int) -> msgspec.Raw:
    """2.589885E7: at least one digit after the point."""
    digits = Decimal(number)
    power = digits.adjusted() if digits else 0
    mantissa = f"{digits.scaleb(-power).normalize():f}"
    return msgspec.Raw(f"{mantissa}{'' if '.' in mantissa else '.0'}E{power}".encode())


def _java(number: Decimal | int) -> msgspec.Raw:
    """As Java writes a double: 2.0, and an exponent from ten million on and below a thousandth."""
    digits = Decimal(number)
    if digits and not _JAVA_LEAST <= abs(digits) < _JAVA_MOST:
        return _exponent(number)
    plain = f"{digits.normalize():f}"
    return msgspec.Raw((plain if "." in plain else f"{plain}.0").encode())


def _number(name: str, found: Any, value: str) -> Any:
    if value == "far":
        return _FAR_TIME if name in _TIMES else found
    if value == "nan":
        return "NaN" if name in _PROFITS else found
    if value == "ids":
        digits = isinstance(found, str) and found.isdecimal() and found[0] != "0"
        return None if name == "note" else int(found) if digits else found
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        return found
    if value == "text":
        return str(found)
    return _exponent(found) if value == "exponent" else _java(found)


def _unknown_words(each: Object, _value: str) -> None:
    each.update({name: "WORD_OF_TOMORROW" for name in _WORDS if isinstance(each.get(name), str)})


def _new_fields(each: Object, _value: str) -> None:
    each["ofTomorrow"] = {"deep": [1, None, {"deeper": "NaN"}]}


def _numbers(each: Object, value: str) -> None:
    each.update({name: _number(name, found, value) for name, found in each.items()})


DISTORTIONS: Mapping[str, Distortion] = MappingProxyType(
    {
        faults.MARGIN_FACTOR: Distortion(lambda each, value: _swap(each, marginFactor=Decimal(value))),
        faults.MARKET_MODE: Distortion(lambda each, value: _swap(each, marketModes=[value])),
        faults.SHUT: _where("marketStatus", "TRADEABLE", marketStatus="CLOSED"),
        faults.DEMO_CURRENCY: Distortion(_demo_currency),
        faults.LEVEL_ZERO: _where("dealStatus", "ACCEPTED", level=0),
        faults.NO_PROFIT: _without("dealStatus", "profit", "profitCurrency"),
        faults.SUCCESS_REASON: _where("dealStatus", "ACCEPTED", reason="SUCCESS"),
        faults.NO_QUOTE: _without("delayTime", "bid", "offer", first=True),  # candles have no delay
        faults.UNKNOWN_WORD: Distortion(_unknown_words, first=True),
        faults.OLD_ROWS: _without("contractSize", "upl", "leverage", "workingOrderId"),
        faults.THIN_DETAILS: Distortion(_thin_details),
        faults.NEW_FIELDS: Distortion(_new_fields),
        faults.NUMBERS: Distortion(_numbers),
    }
)
