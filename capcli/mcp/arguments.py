"""The tools' arguments: the schema and the parser of each.

Each has one JSON type. Values are read leniently, since clients write them differently: a number as text, a
list as JSON text or as one text, null for an argument that may be left out (dropped in `toolset`).

Text behind an `Argument` is what stands for it on a command line: its options, or a word in capitals.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from re import fullmatch
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from pydantic_core import core_schema

from capcli.domain.account import OrderType
from capcli.domain.market import EPIC_PATTERN, Resolution, Side
from capcli.domain.money import parse_decimal, short
from capcli.domain.notes import read_note, read_tag
from capcli.domain.order import ExitForm, ExitOrder
from capcli.domain.times import FIRST_YEAR, LAST_YEAR, plausible
from capcli.errors import UsageError

J = TypeVar("J", list[Any], dict[str, Any])
K = TypeVar("K", bound=Enum)

MOST_ROWS: Final = 1000
_MOST_EPICS = 50
_LONGEST_CURSOR = 1 << 16
_LONGEST_NAME = 80
_MOST = Decimal(10**12)
_ENDLESS = "GOOD_TILL_CANCELLED"
_ID = r"[0-9A-Za-z][0-9A-Za-z_\-]{0,63}"
_ASSET_CLASSES = ("CURRENCIES", "INDICES", "COMMODITIES", "SHARES", "CRYPTOCURRENCIES")


class Argument(NamedTuple):
    """One argument: `read` returns its value or raises ValueError with what it must be."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _core: Any, _handler: Any) -> dict[str, Any]:
        return dict(self.schema)


def read_number(value: Any) -> Decimal:
    """Read a JSON number or text without losing digits; a float 0.1 means 0.1."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004  pydantic wants a ValueError
    # Many clients write 25 as 25.0: the same order must give the same body.
    text = value if isinstance(value, str) else short(Decimal(str(value)))
    try:
        return parse_decimal(text)
    except ValueError:
        raise ValueError("must be a number such as 24.5") from None


def read_positive(value: Any, most: Decimal = _MOST) -> Decimal:
    number = read_number(value)
    if not 0 < number <= most:
        raise ValueError(f"must be above 0 and at most {most:f}")
    return number


def _within(value: Any, least: Decimal, must: str) -> Decimal:
    number = read_number(value)
    if not least <= number <= _MOST:
        raise ValueError(f"must be {must}")
    return number


def _seconds(value: Any) -> float:
    return float(_within(value, Decimal(0), "a number of seconds, 0 or more"))


def read_whole(value: Any, least: int, most: int) -> int:
    number = read_number(value)
    if number != int(number) or not least <= number <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(number)


def read_flag(value: Any) -> bool:
    word = value.strip().lower() if isinstance(value, str) else value
    if word in ("true", "1", "yes", "on") or (word in (True, 1) and isinstance(word, int)):
        return True
    if word in ("false", "0", "no", "off") or (word in (False, 0) and isinstance(word, int)):
        return False
    raise ValueError("must be true or false")


def _yes(value: Any) -> bool:
    """Read a confirmation: only true, "true" and 1 are one."""
    if value is True or value == "true" or (type(value) is int and value == 1):
        return True
    if value is False or value == "false" or (type(value) is int and value == 0):
        return False
    raise ValueError("must be true or false; nothing else confirms")


def _matching(value: Any, pattern: str, must: str) -> str:
    if not isinstance(value, str) or fullmatch(pattern, value) is None:
        raise ValueError(f"must be {must}")
    return value


def read_text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"must be text of at most {most} characters")
    return value


def _note(value: Any) -> str:
    """Read any value as text, cut to 200 characters: a note never makes a call fail."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return "".join(letter if letter.isprintable() else " " for letter in text[:200])


def _parsed(value: Any, kind: type[J], must: str) -> J:
    """Return a list or object, which may be JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, kind):
        raise ValueError(f"must be {must}")  # noqa: TRY004  as above
    return value


def _listed(value: Any) -> list[Any]:
    """Read a list, a list as JSON text, or one text with commas or blanks between."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return value.replace(",", " ").split()
    return _parsed(value, list, 'a list such as ["GOLD", "EURUSD"]')


def read_epic(value: Any) -> str:
    return _matching(value, EPIC_PATTERN.strip("^$"), "an epic such as GOLD, as cap_market_search returns it")


def read_epics(value: Any, most: int) -> list[str]:
    found = [read_epic(one) for one in _listed(value)]
    if not 1 <= len(found) <= most:
        raise ValueError(f"must name 1 to {most} epics")
    return found


def _names(value: Any) -> tuple[str, ...]:
    found = _listed(value)
    if not found or not all(isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME for name in found):
        raise ValueError('must be a list of field names such as ["epic", "pl"]')
    return tuple(dict.fromkeys(found))


def read_object(value: Any) -> dict[str, Any]:
    return _parsed(value, dict, "a JSON object")


def _leverages(value: Any) -> dict[str, Decimal]:
    must = 'an object of asset classes such as {"SHARES": 5}'
    given = {name: number for name, number in read_object(value).items() if number is not None}
    return {_matching(name, r"[A-Z_]{1,40}", must): read_positive(number) for name, number in given.items()}


def _instant(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("must be a date or time such as 2026-01-31 or 2026-01-31T14:00:00Z") from None
    if not plausible(at):
        raise ValueError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def read_choice(value: Any, kind: type[K]) -> K:
    word = value.strip().upper() if isinstance(value, str) else value
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"must be {_or(one.value for one in kind)}") from None


def _or(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"


def read_preview_id(value: Any) -> str:
    return _matching(value, r"-*[pP]_[0-9A-Za-z]{12}-*", "p_ and 12 letters or digits, from a preview")


def _argument(read: Callable[[Any], Any], kind: str, about: str, **schema: Any) -> Argument:
    return Argument(read, {"type": kind, "description": about, **schema})


def _choice(kind: type[Enum], about: str) -> Argument:
    return _argument(partial(read_choice, kind=kind), "string", about, enum=[one.value for one in kind])


def _one_of(words: tuple[str, ...], about: str) -> Argument:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be {_or(words)}")
        return str(value)

    return _argument(read, "string", about, enum=[*words])


def number(about: str, read: Callable[[Any], Any] = read_positive) -> Argument:
    """Declare a number argument: above 0 unless read otherwise."""
    return _argument(read, "number", about)


def _yes_or_no(about: str) -> Argument:
    return _argument(_yes, "boolean", about)


def _switch(about: str) -> Argument:
    return _argument(read_flag, "boolean", about)


def _pattern(about: str, pattern: str = _ID, must: str = "an id as a tool returned it") -> Argument:
    return _argument(partial(_matching, pattern=pattern, must=must), "string", about)


def _words(about: str, most: int = 100) -> Argument:
    return _argument(partial(read_text, most=most), "string", about)


def _own_words(about: str, read: Callable[[str], str | None], must: str) -> Argument:
    def words(value: Any) -> str | None:
        if not isinstance(value, str):
            raise ValueError(f"must be {must}")  # noqa: TRY004  as above
        return read(value)

    return _argument(words, "string", about)


def _count(about: str, most: int = MOST_ROWS, least: int = 1) -> Argument:
    read = partial(read_whole, least=least, most=most)
    return _argument(read, "integer", about, minimum=least, maximum=most)


def _epic_list(about: str, most: int) -> Argument:
    items = {"type": "string"}
    return _argument(partial(read_epics, most=most), "array", about, items=items, maxItems=most)


# Markets
Epic = Annotated[str, _argument(read_epic, "string", "Market, case-sensitive, e.g. GOLD"), "EPIC"]
MaybeEpic = Annotated[str | None, _argument(read_epic, "string", "Only this market, e.g. GOLD"), "--epic"]
Epics = Annotated[list[str], _epic_list('Markets, e.g. ["GOLD","EURUSD"]', _MOST_EPICS), "EPIC"]
MaybeEpics = Annotated[list[str] | None, _epic_list("These markets, instead of a search", _MOST_EPICS)]
StreamEpics = Annotated[list[str], _epic_list('Markets, e.g. ["GOLD","EURUSD"]', 40)]
FewEpics = Annotated[list[str], _epic_list('Markets, e.g. ["GOLD"]', 10)]
Term = Annotated[str | None, _words("Name or part of it, e.g. bitcoin"), "TERM"]
Found = Annotated[int, _count("Most markets to return")]
Candles = Annotated[int, _count("Most candles to return"), "--last"]
Width = Annotated[Resolution, _choice(Resolution, "Length of a candle"), "--resolution"]
NodeId = Annotated[
    str,
    _pattern(
        "node_id or name, e.g. commodities",
        r"[0-9A-Za-z][0-9A-Za-z_.\- ]{0,119}",
        "a node_id of the tree",
    ),
    "NODE",
]
# Spans, ids, lists
_TIME = "Time, UTC unless it has an offset, e.g. 2026-01-31T14:00:00Z"
FromDate = Annotated[datetime | None, _argument(_instant, "string", f"Start (default: the newest). {_TIME}")]
ToDate = Annotated[datetime | None, _argument(_instant, "string", "End, like from_date; default now")]
Kind = Annotated[str | None, _words("Only this type, e.g. TRADE, SWAP, DEPOSIT")]
Grouping = Annotated[str, _one_of(("market", "day", "month"), "One line for each")]
StatsBy = Annotated[
    str,
    _one_of(("market", "tag", "side", "hour", "client"), "One line for each; hour: of opening, UTC"),
    "--by",
]
DealId = Annotated[str, _pattern("deal_id, whole, as a list returned it"), "DEAL"]
MaybeDealId = Annotated[str | None, _pattern("deal_id, whole, as a list returned it"), "DEAL"]
AccountId = Annotated[str, _pattern("account_id, as cap_account_list returned it"), "ACCOUNT"]
MaybeAccountId = Annotated[str | None, _pattern("Account to use, from cap_account_list")]
Reference = Annotated[str, _pattern("deal_reference of what was sent")]
AttemptId = Annotated[str | None, _words("a_... of one attempt; all unless given"), "ATTEMPT"]
PreviewId = Annotated[
    str, _argument(read_preview_id, "string", "p_..., as the preview returned it"), "PREVIEW"
]
ListId = Annotated[
    str, _pattern("Id or name of the list", r"[^/\\%?#]{1,60}", "the id or name of a watchlist"), "LIST"
]
ListName = Annotated[str, _words("1 to 20 characters")]
Last = Annotated[int, _count("How many, newest first"), "--last"]
# Orders
Direction = Annotated[Side, _choice(Side, "BUY to go long, SELL to go short"), "--buy", "--sell"]
MaybeDirection = Annotated[Side | None, _choice(Side, "Side; both are shown unless given"), "--buy", "--sell"]
TriggerType = Annotated[
    OrderType, _choice(OrderType, "LIMIT: at a better price. STOP: at a worse one"), "--type"
]
Size = Annotated[Decimal, number("Units of the market, e.g. 1.5"), "--size"]
MaybeSize = Annotated[Decimal | None, number("Units to close; all unless given"), "--size"]
Level = Annotated[Decimal, number("Price at which it fills"), "--at"]
MaybeLevel = Annotated[Decimal | None, number("New price at which it fills"), "--at"]
StopLevel = Annotated[Decimal | None, number("Stop at this price"), "--stop"]
StopDistance = Annotated[Decimal | None, number("Stop distance, in price units"), "--stop-distance"]
StopAmount = Annotated[Decimal | None, number("Loss at the stop, account currency"), "--stop-amount"]
ProfitLevel = Annotated[Decimal | None, number("Take profit at this price"), "--limit"]
ProfitDistance = Annotated[Decimal | None, number("Limit distance, in price units"), "--limit-distance"]
ProfitAmount = Annotated[Decimal | None, number("Gain at the limit, account currency"), "--limit-amount"]
Guaranteed = Annotated[bool, _switch("Stop fills at its level, for a fee"), "--guaranteed"]
Trailing = Annotated[bool, _switch("Stop follows the price; needs stop_distance"), "--trailing"]
MaybeGuaranteed = Annotated[bool | None, _switch("Make the stop guaranteed, or not"), "--guaranteed"]
MaybeTrailing = Annotated[bool | None, _switch("Make the stop trail, or not"), "--trailing"]
RemoveStop = Annotated[bool, _yes_or_no("Remove the stop"), "--no-stop"]
RemoveProfit = Annotated[bool, _yes_or_no("Remove the limit"), "--no-limit"]
GoodTill = Annotated[
    datetime | None,
    _argument(_instant, "string", "When it expires, UTC unless it has an offset; never unless given"),
    "--good-till",
]
InForce = Annotated[
    str | None, _one_of((_ENDLESS, "GOOD_TILL_DATE"), "GOOD_TILL_CANCELLED removes the expiry")
]
RiskPercent = Annotated[
    Decimal,
    _argument(
        partial(read_positive, most=Decimal(100)),
        "number",
        "Percent of equity lost at the stop, e.g. 0.5",
        minimum=0,
        maximum=100,
    ),
    "--risk",
]
OrderNote = Annotated[
    str | None, _own_words("Why, in a line of 200; kept here, never sent", read_note, "text"), "--note"
]
OrderTag = Annotated[
    str | None,
    _own_words("A word to count trades by, e.g. breakout", read_tag, "one word such as breakout"),
    "--tag",
]
# Sending
Confirm = Annotated[bool, _yes_or_no("true only after the user's yes to this")]
Again = Annotated[bool, _yes_or_no("Send the same once more within a minute"), "--again"]
EnsureStop = Annotated[bool, _yes_or_no("If the stop is missing after the fill, set it"), "--ensure-stop"]
All = Annotated[bool, _yes_or_no("Cancel every working order"), "--all"]
Force = Annotated[bool, _yes_or_no("Log in even if a session is open")]
WaitForConfirm = Annotated[bool, _switch("Wait for the broker's confirmation")]
Timeout = Annotated[float, _argument(_seconds, "number", "Seconds to wait; 40 at most")]
PollInterval = Annotated[int, _count("Milliseconds between checks", 60_000, 0)]
Amount = Annotated[
    Decimal,
    _argument(
        partial(_within, least=-_MOST, must=f"from -{_MOST:f} to {_MOST:f}"),
        "number",
        "Account currency; negative withdraws",
    ),
]
Hedging = Annotated[bool | None, _switch("true: opposite positions stay side by side")]
Leverages = Annotated[
    dict[str, Decimal] | None,
    _argument(
        _leverages,
        "object",
        'Leverage of each class, e.g. {"SHARES": 5}',
        properties={name: {"type": "number"} for name in _ASSET_CLASSES},
    ),
]
Reason = Annotated[str, _argument(_note, "string", "A note for the user")]
# Streams
Alerts = Annotated[
    dict[str, Any],
    _argument(read_object, "object", 'Bids to wait for, e.g. {"GOLD": {"above": 2700, "below": [2600]}}'),
]
Duration = Annotated[float, _argument(_seconds, "number", "Seconds; 45 at most")]
Interval = Annotated[float, _argument(_seconds, "number", "Seconds between two rows of a market")]
EndAtFirst = Annotated[bool, _switch("End at the first alert")]
# Answers
_CURSOR = partial(read_text, most=_LONGEST_CURSOR)
Cursor = Annotated[str | None, _argument(_CURSOR, "string", "cursor of the last answer, to go on")]
EventCursor = Annotated[
    str | None, _argument(_CURSOR, "string", "cursor of an event: what came after it"), "--since"
]
Fields = Annotated[
    tuple[str, ...],
    _argument(_names, "array", "Fields of each row; dotted, * for all", items={"type": "string"}),
]
Max = Annotated[int | None, _count("Rows at most; 20 kB unless given")]


def exit_order(
    name: str, level: Decimal | None, distance: Decimal | None, amount: Decimal | None
) -> ExitOrder | None:
    """Return a stop or profit target from its three forms. Raises UsageError when more than one is given."""
    forms = ((ExitForm.LEVEL, level), (ExitForm.DISTANCE, distance), (ExitForm.AMOUNT, amount))
    given = [ExitOrder(form, value) for form, value in forms if value is not None]
    if len(given) > 1:
        raise UsageError(f"Give one of {name}_level, {name}_distance and {name}_amount, not {len(given)}.")
    return given[0] if given else None


def until_cancelled(time_in_force: str | None, good_till: datetime | None) -> bool:
    """Whether an order's expiry is to be removed. Raises UsageError if both arguments disagree."""
    if time_in_force == "GOOD_TILL_DATE" and good_till is None:
        raise UsageError("GOOD_TILL_DATE needs good_till_date.")
    return time_in_force == _ENDLESS
