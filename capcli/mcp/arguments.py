"""Types of the tools' arguments: what the schema tells an assistant, and how the value is read."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, WithJsonSchema

from capcli.domain.account import OrderType
from capcli.domain.market import EPIC_PATTERN, Resolution, Side
from capcli.domain.moments import FIRST_YEAR, LAST_YEAR, plausible
from capcli.domain.money import parse_decimal, short
from capcli.domain.order import Leg, LegForm
from capcli.errors import UsageError

_ID = r"^[0-9A-Za-z][0-9A-Za-z_\-]{0,63}$"


def _decimal(value: Any) -> Decimal:
    """Read a JSON number or text without losing digits; 0.1 arrives as a float and means 0.1."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic wants a ValueError
    # 25.0 is how many clients write 25: the same order must give the same body.
    text = value if isinstance(value, str) else short(Decimal(str(value)))
    return parse_decimal(text)


def _instant(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("must be a date or time such as 2026-01-31 or 2026-01-31T14:00:00Z") from None
    if not plausible(at):
        raise ValueError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema(schema)


Number = Annotated[
    Decimal,
    Field(gt=0, le=10**12),
    BeforeValidator(_decimal),
    _schema(type=["number", "string"], exclusiveMinimum=0),
]
# The bound of an optional number is checked all the same; written out in every tool it costs too much.
MaybeNumber = Annotated[Number | None, _schema(type=["number", "string", "null"])]
Signed = Annotated[
    Decimal, Field(ge=-(10**6), le=10**6), BeforeValidator(_decimal), _schema(type=["number", "string"])
]
MaybeFlag = Annotated[Annotated[bool, Strict()] | None, _schema(type=["boolean", "null"])]
MaybeLeverages = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Z_]{1,40}$")], Number | None] | None,
    Field(max_length=30),
    _schema(type=["object", "null"], additionalProperties={"type": ["number", "null"]}),
]
MaybeTime = Annotated[
    Annotated[datetime, BeforeValidator(_instant)] | None,
    _schema(type=["string", "null"], pattern=r"^\d{4}-\d\d-\d\d"),
]
# A confirmation is a real true, never a text or a number that could pass for one.
Yes = Annotated[bool, Strict()]
Epic = Annotated[str, Field(pattern=EPIC_PATTERN)]
Epics = Annotated[list[Epic], Field(min_length=1, max_length=50)]
MaybeEpics = Annotated[
    Epics | None,
    _schema(type=["array", "null"], items={"type": "string", "pattern": EPIC_PATTERN}, maxItems=50),
]
MaybeText = Annotated[
    Annotated[str, Field(max_length=100)] | None, _schema(type=["string", "null"], maxLength=100)
]
_ENDLESS = "GOOD_TILL_CANCELLED"
MaybeInForce = Annotated[
    Annotated[str, Field(pattern=f"^({_ENDLESS}|GOOD_TILL_DATE)$")] | None,
    _schema(enum=[_ENDLESS, "GOOD_TILL_DATE", None]),
]
Reason = Annotated[str, Field(max_length=200)]
# What it holds is checked where it is used.
MaybeCursor = Annotated[Annotated[str, Field(max_length=1 << 16)] | None, _schema(type=["string", "null"])]
Id = Annotated[str, Field(pattern=_ID)]
NodeId = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.\- ]{0,119}$")]
ListId = Annotated[str, Field(pattern=r"^[^/\\%?#]{1,60}$")]
ListName = Annotated[str, Field(max_length=100)]
Grouping = Annotated[str, _schema(enum=["market", "day", "month"])]
MaybeId = Annotated[Id | None, _schema(type=["string", "null"], pattern=_ID)]
PreviewId = Annotated[str, Field(pattern=r"^-*[pP]_[0-9A-Za-z]{12}-*$")]
Direction = Annotated[Side, _schema(enum=[side.value for side in Side])]
MaybeDirection = Annotated[Side | None, _schema(enum=[*(side.value for side in Side), None])]
Percent = Annotated[
    Decimal,
    Field(gt=0, le=100),
    BeforeValidator(_decimal),
    _schema(type=["number", "string"], exclusiveMinimum=0, maximum=100),
]
TriggerType = Annotated[OrderType, _schema(enum=[kind.value for kind in OrderType])]
Width = Annotated[Resolution, _schema(enum=[width.value for width in Resolution])]
Limit = Annotated[int, Field(ge=1, le=1000)]
Seconds = Annotated[float, Field(ge=0)]


def leg(name: str, level: Decimal | None, distance: Decimal | None, amount: Decimal | None) -> Leg | None:
    """Return a stop or profit target from its three forms. Raises UsageError when more than one is given."""
    forms = ((LegForm.LEVEL, level), (LegForm.DISTANCE, distance), (LegForm.AMOUNT, amount))
    given = [Leg(form, value) for form, value in forms if value is not None]
    if len(given) > 1:
        raise UsageError(f"Give one of {name}_level, {name}_distance and {name}_amount, not {len(given)}.")
    return given[0] if given else None


def until_cancelled(time_in_force: str | None, good_till: datetime | None) -> bool:
    """Say whether an order is to lose its expiry. Raises UsageError where both arguments disagree."""
    if time_in_force == "GOOD_TILL_DATE" and good_till is None:
        raise UsageError("GOOD_TILL_DATE needs good_till_date.")
    return time_in_force == _ENDLESS
