"""JSON in and out: request bodies to structs with exact decimals, replies to bytes with JSON numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from capcli.paper.messages import Refusal
from capcli.paper.times import SECOND_MS, parse

Number = Decimal | UnsetType | None
Flag = bool | UnsetType | None
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DIGITS = 13
_BOUNDED = frozenset({"size"})  # refused with the bound that it breaks, however far beyond it (API page 4.2)
_Body = TypeVar("_Body", bound=msgspec.Struct)


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """Stop and profit fields, the same in all four trading bodies (API page 6.4)."""

    guaranteedStop: Flag = UNSET  # noqa: N815
    trailingStop: Flag = UNSET  # noqa: N815
    stopLevel: Number = UNSET  # noqa: N815
    stopDistance: Number = UNSET  # noqa: N815
    stopAmount: Number = UNSET  # noqa: N815
    profitLevel: Number = UNSET  # noqa: N815
    profitDistance: Number = UNSET  # noqa: N815
    profitAmount: Number = UNSET  # noqa: N815

    @property
    def stops(self) -> tuple[Number, Number, Number]:
        return self.stopLevel, self.stopDistance, self.stopAmount

    @property
    def profits(self) -> tuple[Number, Number, Number]:
        return self.profitLevel, self.profitDistance, self.profitAmount


class NewPosition(Bracket, frozen=True, kw_only=True):
    epic: str | None = None
    direction: str | None = None
    size: Decimal | None = None


class NewOrder(NewPosition, frozen=True, kw_only=True):
    level: Decimal | None = None
    type: str | None = None
    goodTillDate: str | None = None  # noqa: N815


class OrderChange(Bracket, frozen=True, kw_only=True):
    level: Decimal | None = None
    goodTillDate: str | None = None  # noqa: N815
    timeInForce: str | None = None  # noqa: N815


class Login(msgspec.Struct, frozen=True):
    identifier: str | None = None
    password: str | None = None
    encryptedPassword: bool | None = None  # noqa: N815


class AccountChoice(msgspec.Struct, frozen=True):
    accountId: str | None = None  # noqa: N815


class NewPreferences(msgspec.Struct, frozen=True):
    leverages: dict[str, int] | None = None
    hedgingMode: bool | None = None  # noqa: N815


class NewWatchlist(msgspec.Struct, frozen=True):
    name: str | None = None
    epics: tuple[str, ...] | None = None


class WatchlistEntry(msgspec.Struct, frozen=True):
    epic: str | None = None


class TopUp(msgspec.Struct, frozen=True):
    amount: Decimal | None = None


def decode(body: bytes, shape: type[_Body]) -> _Body:
    """Refuse with the name of the first wrong field; the broker's own code is not documented.

    A number may be a text, as the broker's kind of server reads it by itself: a published client sends them
    so. That is an assumption; the answers never hold one (API page 5.2).
    """
    try:
        decoded = msgspec.json.decode(body or b"{}", type=shape)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"error.invalid.{wrong_field(error) or 'body'}") from None
    except msgspec.DecodeError:
        raise Refusal(400, "error.invalid.body") from None
    for name in shape.__struct_fields__:
        value = getattr(decoded, name)
        if not isinstance(value, Decimal):
            continue
        # A magnitude that arithmetic keeps exact.
        exact = name in _BOUNDED or not value or abs(value.adjusted()) < _DIGITS
        if not value.is_finite() or not exact:
            raise Refusal(400, f"error.invalid.{name}")
    return decoded


def encode(value: Any) -> bytes:
    """Bytes are JSON already."""
    return value if isinstance(value, bytes) else _ENCODER.encode(value)


def given(value: Decimal | bool | UnsetType | None) -> bool:
    return value is not UNSET and value is not None


def whole(text: str, *, most: int) -> int | None:
    """A query's number from 1 to `most`; None for anything else."""
    if not text.isdecimal() or not text.isascii() or len(text) > _DIGITS:
        return None
    return int(text) if 1 <= int(text) <= most else None


def queried(query: Mapping[str, str], name: str) -> int | None:
    """An instant of a query in milliseconds; refuses every form but the published one (API page 5.1)."""
    if name not in query:
        return None
    ms = parse(query[name])
    if ms is None:
        raise Refusal(400, f"error.invalid.{name}")
    return ms


def period(query: Mapping[str, str], longest_s: int) -> int:
    """`lastPeriod` of a list of history, in milliseconds; ten minutes where it is not named."""
    seconds = whole(query.get("lastPeriod", "600"), most=longest_s)
    if seconds is None:
        raise Refusal(400, "error.invalid.daterange")
    return seconds * SECOND_MS


def plain(number: Decimal) -> Decimal:
    """Without an exponent: 1E+2 is valid JSON, but the broker does not write it."""
    exponent = number.as_tuple().exponent
    return number.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else number


def wrong_field(error: msgspec.ValidationError) -> str:
    """The path of the first wrong field in msgspec's message; empty if the whole body is wrong."""
    _, _, path = str(error).partition("`$.")
    return path.strip("`").partition("[")[0]
