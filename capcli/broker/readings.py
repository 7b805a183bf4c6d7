"""How a value of the broker's JSON is read: one reader each for numbers, texts, currencies, times and flags.

The broker's forms differ from field to field (API page 5 and 18.10): a number may come as text, with an
exponent or as `2.0` where a whole one is meant, and what is not finite is as good as absent. A value that is
there and cannot be read is an error, never a default. Wire models name these types and read nothing else.
"""

import re
from abc import ABCMeta
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import msgspec

from capcli.domain.market import MarketStatus, Side

_T = TypeVar("_T")

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_NOT_FINITE = re.compile(r"|[+-]?(nan|inf|infinity)", re.IGNORECASE)
# No account figure is larger, and writing one out would fill a screen.
_MOST_DIGITS, _FARTHEST = 40, 30
_BARE = re.compile(rb"([:\[,]\s*)-?(?:NaN|Infinity)(?=\s*[,}\]])")
_DEMO_CURRENCY = re.compile(r"[A-Z]{3}d")
_FLAGS = {"true": True, "false": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = range(1900, 9000)
_LAST_MILLIS = int((datetime(_YEARS.stop, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 1000


def number(raw: object) -> Decimal | None:
    """Read a number in any form, keeping its digits; None for null, empty, NaN and infinity."""
    text = _text(raw)
    if text is None or _NOT_FINITE.fullmatch(text):
        return None
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a number")
    found = Decimal(text)
    if found and (len(found.as_tuple().digits) > _MOST_DIGITS or abs(found.adjusted()) > _FARTHEST):
        raise ValueError(f"{text[:40]!r} is not a number that can be worked with")
    # `1.0E7` is 10000000: no Decimal may keep an exponent, for counting decimals and printing.
    return found if int(found.as_tuple().exponent) <= 0 else Decimal(f"{found:f}" if found else "0")


def whole(raw: object) -> int | None:
    """Read a whole number, also one that is written with decimals (`2.0`)."""
    found = number(raw)
    if found is None:
        return None
    if found != found.to_integral_value():
        raise ValueError(f"{found} is not a whole number")
    return int(found)


def word(raw: object) -> str | None:
    """Read a text; an id that comes as a number is its digits."""
    return raw if raw is None or isinstance(raw, str) else _text(raw)


def currency(raw: object) -> str | None:
    """Read a currency without the `d` that demo appends to it (API page 18.3)."""
    found = word(raw)
    return found[:3] if found and _DEMO_CURRENCY.fullmatch(found) else found


def flag(raw: object) -> bool | None:
    """Read a boolean."""
    if raw is None or isinstance(raw, bool):
        return raw
    found = _FLAGS.get(raw.strip().lower()) if isinstance(raw, str) else None
    if found is None:
        raise ValueError(f"{str(raw)[:40]!r} is neither true nor false")
    return found


def moment(raw: object) -> datetime | None:
    """Read a time as aware UTC: ISO text, to which the broker writes no offset, or epoch milliseconds."""
    if isinstance(raw, str) and not _NUMBER.fullmatch(raw.strip()):
        try:
            found = datetime.fromisoformat(raw.strip())
        except ValueError:
            raise ValueError(f"{raw[:40]!r} is not a time") from None
        if found.year not in _YEARS:
            raise ValueError(f"{raw[:40]!r} is not a time")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    since = millis(raw)
    return None if since is None else _EPOCH + timedelta(milliseconds=since)


def millis(raw: object) -> int | None:
    """Read epoch milliseconds; 0 is no time."""
    since = whole(raw)
    if since is not None and not 0 <= since < _LAST_MILLIS:
        raise ValueError(f"{str(since)[:40]} is not a time in milliseconds")
    return since or None


def side(raw: object) -> Side | None:
    """Read a direction; None for any other word."""
    return next((known for known in Side if known == raw), None)


def text(raw: object) -> str:
    """Read a text that may be absent."""
    return word(raw) or ""


def yes(raw: object) -> bool:
    """Read a flag; absent means false."""
    return flag(raw) or False


def status(raw: object) -> MarketStatus:
    """Read a market status; an unknown word is UNKNOWN."""
    return next((known for known in MarketStatus if known == raw), MarketStatus.UNKNOWN)


def _text(raw: object) -> str | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise TypeError(f"{str(raw)[:40]} is neither a number nor a text")
    return str(raw).strip() if isinstance(raw, str) else f"{Decimal(raw):f}"


_READERS: dict[type, Callable[[object], Any]] = {}


def _pair(name: str, value: type, read: Callable[[object], Any]) -> tuple[type, type]:
    """Make the types of a required and of an optional field with the same reader."""
    needed, maybe = ABCMeta(name, (), {}), ABCMeta(f"Maybe{name}", (), {})
    needed.register(value)
    maybe.register(value)
    maybe.register(type(None))

    def must(raw: object) -> object:
        found = read(raw)
        if found is None:
            raise ValueError("there is no value")
        return found

    _READERS.update({needed: must, maybe: read})
    return needed, maybe


if TYPE_CHECKING:
    Number: TypeAlias = Decimal
    Whole: TypeAlias = int
    Word: TypeAlias = str
    Currency: TypeAlias = str
    Flag: TypeAlias = bool
    Moment: TypeAlias = datetime
    Text: TypeAlias = str
    Yes: TypeAlias = bool
    Status: TypeAlias = MarketStatus
    MaybeNumber: TypeAlias = Decimal | None
    MaybeWhole: TypeAlias = int | None
    MaybeMillis: TypeAlias = int | None
    MaybeWord: TypeAlias = str | None
    MaybeCurrency: TypeAlias = str | None
    MaybeMoment: TypeAlias = datetime | None
    MaybeSide: TypeAlias = Side | None
else:
    Number, MaybeNumber = _pair("Number", Decimal, number)
    Whole, MaybeWhole = _pair("Whole", int, whole)
    _, MaybeMillis = _pair("Millis", int, millis)
    Word, MaybeWord = _pair("Word", str, word)
    Currency, MaybeCurrency = _pair("Currency", str, currency)
    Flag, _ = _pair("Flag", bool, flag)
    Moment, MaybeMoment = _pair("Moment", datetime, moment)
    Text, _ = _pair("Text", str, text)
    Yes, _ = _pair("Yes", bool, yes)
    Status, _ = _pair("Status", MarketStatus, status)
    _, MaybeSide = _pair("Side", Side, side)


def _read(kind: type, raw: object) -> object:
    return _READERS[kind](raw)


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape, dec_hook=_read, float_hook=str)


def decode(body: bytes | str | msgspec.Raw, shape: type[_T]) -> _T:
    """Decode bytes into a shape whose fields are of the types above.

    A bare NaN or Infinity is no JSON, and as good as null: it must not hide the rest of a list.
    Raises msgspec.MsgspecError, UnicodeDecodeError and RecursionError.
    """
    decoder = _decoder(cast("Any", shape))
    try:
        found: _T = decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if not isinstance(body, bytes) or not _BARE.search(body):
            raise
        found = decoder.decode(_BARE.sub(rb"\1null", body))
    return found
