"""Answers of the paper broker in forms that were seen on the venue, or that it may use (API page 18)."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from capcli.paper import faults
from capcli.paper.faults import Fault
from capcli.paper.wire import encode

Object = dict[str, Any]
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_UNKNOWN = "WORD_OF_TOMORROW"
_WORDS = ("orderType", "type", "transactionType", "marketStatus", "instrumentType", "direction")
_PROFITS = frozenset({"upl", "profitLoss", "netChange", "percentageChange", "high", "low"})
_TIMES = frozenset({"serverTime", "swapChargeTimestamp"})
_FAR_TIME = msgspec.Raw(b"1" + 20 * b"0")
_JAVA_LEAST, _JAVA_MOST = Decimal("0.001"), Decimal(10_000_000)
_THIN = frozenset({"high", "low", "netChange", "percentageChange", "openingHours", "overnightFee"})
_NO_MARGIN = frozenset({"marginFactor", "marginFactorUnit"})
_LONE_RULE = "minDealSize"


def changed(path: str, body: bytes, fault: Fault) -> bytes | None:
    """An answer's JSON in the form that a fault gives it; None for one that it leaves as it is."""
    form = FORMS.get(fault.name)
    if form is None or not body:
        return None
    decoded = _DECODER.decode(body)
    before = encode(decoded)
    form(path, decoded, fault.value or "")
    after = encode(decoded)
    return None if after == before else after


def exponents(frame: str) -> str:
    """A frame of the stream with its prices as a Java double may be written."""
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


def _first(body: Object) -> Object:
    """The first row of a list, and what is no list as a whole."""
    rows = next((value for value in body.values() if isinstance(value, list)), None)
    return body if rows is None else rows[0] if rows and isinstance(rows[0], dict) else {}


def _without(found: Object, names: frozenset[str]) -> None:
    for name in names & found.keys():
        del found[name]


def _margin_factor(_path: str, body: Object, value: str) -> None:
    for each in _objects(body):
        if "marginFactor" in each:
            each["marginFactor"] = Decimal(value)


def _demo_currency(path: str, body: Object, _value: str) -> None:
    if path.split("/", maxsplit=1)[0] in {"accounts", "session"}:
        for each in _objects(body):
            for name in ("currency", "currencyIsoCode"):
                if name in each:
                    each[name] = f"{each[name]}d"


def _level_zero(_path: str, body: Object, _value: str) -> None:
    if body.get("dealStatus") == "ACCEPTED":
        body["level"] = 0


def _success_reason(_path: str, body: Object, _value: str) -> None:
    if body.get("dealStatus") == "ACCEPTED":
        body["reason"] = "SUCCESS"


def _no_profit(_path: str, body: Object, _value: str) -> None:
    _without(body, frozenset({"profit", "profitCurrency"}))


def _market_mode(_path: str, body: Object, value: str) -> None:
    for each in _objects(body):
        if "marketModes" in each:
            each["marketModes"] = [value]


def _shut(_path: str, body: Object, _value: str) -> None:
    for each in _objects(body):
        if each.get("marketStatus") == "TRADEABLE":
            each["marketStatus"] = "CLOSED"


def _no_quote(_path: str, body: Object, _value: str) -> None:
    for each in _objects(_first(body)):
        if "delayTime" in each:  # a market, not a candle
            _without(each, frozenset({"bid", "offer"}))


def _unknown_word(_path: str, body: Object, _value: str) -> None:
    for each in _objects(_first(body)):
        each.update({name: _UNKNOWN for name in _WORDS if isinstance(each.get(name), str)})


def _old_rows(_path: str, body: Object, _value: str) -> None:
    for each in _objects(body):
        if "contractSize" in each:
            _without(each, frozenset({"upl", "leverage", "workingOrderId"}))


def _thin_details(_path: str, body: Object, _value: str) -> None:
    for each in _objects(body):
        _without(each, _THIN | _NO_MARGIN if "epic" in each else _THIN)
        if _LONE_RULE in each:
            _without(each, frozenset(each) - {_LONE_RULE})


def _new_fields(_path: str, body: Object, _value: str) -> None:
    for each in list(_objects(body)):
        each["ofTomorrow"] = {"deep": [1, None, {"deeper": "NaN"}]}


def _exponent(number: Decimal | int) -> msgspec.Raw:
    """2.589885E7: at least one digit behind the point."""
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


def _numbers(_path: str, body: Object, value: str) -> None:
    for each in _objects(body):
        each.update({name: _number(name, found, value) for name, found in each.items()})


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


FORMS: Mapping[str, Callable[[str, Object, str], None]] = MappingProxyType(
    {
        faults.MARGIN_FACTOR: _margin_factor,
        faults.MARKET_MODE: _market_mode,
        faults.SHUT: _shut,
        faults.DEMO_CURRENCY: _demo_currency,
        faults.LEVEL_ZERO: _level_zero,
        faults.NO_PROFIT: _no_profit,
        faults.SUCCESS_REASON: _success_reason,
        faults.NO_QUOTE: _no_quote,
        faults.UNKNOWN_WORD: _unknown_word,
        faults.OLD_ROWS: _old_rows,
        faults.THIN_DETAILS: _thin_details,
        faults.NEW_FIELDS: _new_fields,
        faults.NUMBERS: _numbers,
    }
)
