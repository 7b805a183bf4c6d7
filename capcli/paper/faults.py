"""Faults to inject: their names, the requests they apply to, and the meaning of their values."""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

from msgspec import Struct

from capcli.paper.messages import PREFIX

BEFORE, AFTER = "before", "after"
ORDERS, CHANGES, CONFIRMS, POSITIONS, ACTIVITY = "orders", "changes", "confirms", "positions", "activity"
READS, LOGIN, ALL, STREAM = "reads", "login", "all", "stream"
KINDS = (ORDERS, CHANGES, CONFIRMS, POSITIONS, ACTIVITY, READS, LOGIN, ALL)

DROP_BEFORE, DROP_AFTER, HALF_BODY, DELAY = "drop-before", "drop-after", "half-body", "delay"
STATUS, JAVA_CODE, REDIRECT, NOT_JSON = "status", "java-code", "redirect", "not-json"
NO_REFERENCE, TOO_MANY = "no-reference", "too-many"
CONFIRM_LATE, CONFIRM_NEVER, STALE_CONFIRM = "confirm-late", "confirm-never", "stale-confirm"
ACTIVITY_LATE, DEAL_LATE, DROP_STOP, BAND = "activity-late", "deal-late", "drop-stop", "band"
EXPIRE_SESSION, SWITCH_ACCOUNT = "expire-session", "switch-account"
ROTATE_TOKENS, OLD_TOKEN_FOLLOWS = "rotate-tokens", "old-token-follows"
KEY_PAUSED, NO_ACCOUNT = "key-paused", "no-account"
CLOSED_TEXT, STOP_DEMANDED = "closed-text", "stop-demanded"
SLIPPAGE, PART_FILL, NO_CODE, SESSION_CAP = "slippage", "part-fill", "no-code", "session-cap"
STREAM_CUT, IDLE_CUT, ONE_STREAM = "stream-cut", "idle-cut", "one-stream"
BARS_LOST, BARS_AGAIN, FRAME_EXPONENTS = "bars-lost", "bars-again", "frame-exponents"
# Answers seen on the venue, or possible there (API page 18).
MARGIN_FACTOR, OLD_REFERENCE, DEMO_CURRENCY = "margin-factor", "old-reference", "demo-currency"
LEVEL_ZERO, REJECT, REFUSE, NO_PROFIT = "level-zero", "reject", "refuse", "no-profit"
MARKET_MODE, SHUT, NO_QUOTE, THIN_DETAILS = "market-mode", "shut", "no-quote", "thin-details"
NUMBERS, OLD_ROWS, UNKNOWN_WORD, NEW_FIELDS = "numbers", "old-rows", "unknown-word", "new-fields"
UNAUTHORISED, BLOCKED, ROUND_SIZE, DAY_START = "unauthorised", "blocked", "round-size", "day-start"
OLDEST_AGAIN, SUCCESS_REASON = "oldest-again", "success-reason"

_BOOK = ("positions", "workingorders")
_HISTORY = f"{PREFIX}/history/activity"
_LOGIN_KEY = f"{PREFIX}/session/encryptionKey"
_LONGEST_S = 86_400
_STATUS = re.compile(r"([45]\d\d)(-before|-after)?", re.ASCII)


class BadFault(ValueError):
    """A fault that cannot be set; the message says what is allowed. `typed` is not in `known`."""

    def __init__(self, message: str, typed: str = "", known: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.typed = typed
        self.known = tuple(known)


class Value(Struct, frozen=True):
    """The meaning of a fault's `--value`. `read` returns its stored form, or raises BadFault."""

    what: str
    read: Callable[[str], str]
    default: str


class Spec(Struct, frozen=True):
    """A fault as it can be set."""

    name: str
    effect: str
    on: str = ORDERS
    movable: bool = True  # `on` may be another kind of request
    value: Value | None = None
    times: int | None = None  # without a count or a duration; None: until it is cleared
    moment: str | None = None  # whether the broker handles the request; None: depends on the value

    @property
    def about(self) -> str:
        """One line for help: the effect, and its defaults."""
        notes = [] if self.on in {ORDERS, STREAM} else [f"on {self.on}"]
        if self.value:
            notes.append(f"--value {self.value.what} ({self.value.default})")
        if self.times:
            notes.append("once" if self.times == 1 else f"{self.times} times")
        return "; ".join([self.effect, *notes])


class Fault(Struct, frozen=True):
    """A set fault: `times` counts down, `until_ms` is real time."""

    name: str
    on: str
    value: str | None
    times: int | None
    until_ms: int | None

    @property
    def ms(self) -> int:
        """Its value in seconds, as milliseconds."""
        return int(self.number * 1000)

    @property
    def number(self) -> Decimal:
        return Decimal(self.value or 0)

    @property
    def status(self) -> int:
        return int((self.value or "")[:3])

    @property
    def handled(self) -> bool:
        """Whether the broker handles the request before the fault occurs."""
        return (SPECS[self.name].moment or (self.value or "").rpartition("-")[2]) == AFTER


def kinds(method: str, path: str) -> frozenset[str]:
    """All kinds of a request."""
    head = path.removeprefix(f"{PREFIX}/").partition("/")[0]
    found = {ALL}
    if method == "GET" and path.rstrip("/") != _LOGIN_KEY:
        found.add(READS)
    if head in _BOOK:
        found.add({"GET": POSITIONS, "POST": ORDERS}.get(method, CHANGES))
    elif (method, head) == ("GET", "confirms"):
        found.add(CONFIRMS)
    elif (method, path.rstrip("/")) == ("GET", _HISTORY):
        found.add(ACTIVITY)
    elif (method, head) == ("POST", "session") or path.rstrip("/") == _LOGIN_KEY:
        found.add(LOGIN)
    return frozenset(found)


def fault(name: str, *, on: str | None, value: str | None, times: int | None, until_ms: int | None) -> Fault:
    """A fault with its defaults filled in. Raises BadFault."""
    spec = spec_of(name)
    if times is not None and times < 1:
        raise BadFault("A fault is set for at least one request.")
    if times is None and until_ms is None:
        times = spec.times
    on = spec.on if on is None else on
    if on not in {spec.on, *KINDS}:
        raise BadFault(f"There are no requests {on[:60]!a}; there are: {', '.join(KINDS)}.", on, KINDS)
    if on != spec.on and not spec.movable:
        raise BadFault(f"{spec.name} meets {spec.on} and no other requests.")
    if spec.value is None and value is not None:
        raise BadFault(f"{spec.name} takes no value.")
    if spec.value is not None:
        value = spec.value.read(spec.value.default if value is None else value.strip())
    return Fault(name, on, value, times, until_ms)


def spec_of(name: str) -> Spec:
    if name in SPECS:
        return SPECS[name]
    raise BadFault(f"There is no fault {name[:60]!a}.", name, SPECS)


def _number(what: str, default: str, most: int, unit: str, *, whole: bool = False) -> Value:
    def read(text: str) -> str:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal(0)
        if not number.is_finite() or not 0 < number <= most:
            raise BadFault(f"{text[:60]!a} is not usable: {unit} above 0, at most {most}.")
        if whole and number != int(number):
            raise BadFault(f"{text[:60]!a} is not usable: a whole hour of the day, 1 to {most}.")
        return str(int(number) if whole else number)

    return Value(what, read, default)


def _seconds(default: str) -> Value:
    return _number("seconds", default, _LONGEST_S, "seconds")


def _percent(default: str) -> Value:
    return _number("percent", default, 100, "percent")


def _moment(default: str) -> Value:
    def read(text: str) -> str:
        if text not in {BEFORE, AFTER}:
            raise BadFault(f"{text[:60]!a} is not usable: {BEFORE} or {AFTER} the broker acted.")
        return text

    return Value("before or after it acted", read, default)


def _status(text: str) -> str:
    """503 and every 4xx reject a request; other 5xx come from a gateway after the broker got it."""
    match = _STATUS.fullmatch(text)
    if not match or int(match[1]) not in set(HTTPStatus):
        raise BadFault(f"{text[:60]!a} is not usable: a status such as 502, 503-after or 429.")
    if match[2]:
        return text
    return f"{text}-{BEFORE if text == '503' or text < '500' else AFTER}"


def _one_of(*known: str) -> Value:
    def read(text: str) -> str:
        if text not in known:
            raise BadFault(f"{text[:60]!a} is not usable: one of {', '.join(known)}.", text, known)
        return text

    return Value(", ".join(known), read, known[0])


def _like(pattern: str, what: str, default: str) -> Value:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise BadFault(f"{text[:60]!a} is not usable: {what}.")
        return text

    return Value(what, read, default)


_CODE = _like(r"error\.[\w.:, -]{1,80}", "error.CODE", "error.invalid.size.minvalue: 5")
_REASON = _like(r"[A-Z_]{2,40}", "a REASON", "RC_NOT_ENOUGH_MARGIN")
_MODE = _like(r"[A-Z_]{2,40}", "such as LONG_ONLY, CLOSE_ONLY or VIEW_ONLY", "LONG_ONLY")
_STATUSES = Value("502, 503-after, 429 ...", _status, "502")
_HOUR = _number("hour", "22", 23, "hours", whole=True)
_fixed = partial(Spec, movable=False)
GROUPS: Mapping[str, tuple[Spec, ...]] = MappingProxyType(
    {
        "The wire": (
            Spec(DROP_BEFORE, "the request is lost on its way", moment=BEFORE),
            Spec(DROP_AFTER, "the request is carried out, its answer is lost", moment=AFTER),
            Spec(HALF_BODY, "carried out, and the answer breaks off in the middle", moment=AFTER),
            Spec(DELAY, "carried out, and the answer takes that long", ALL, value=_seconds("5")),
        ),
        "Other answers": (
            Spec(STATUS, "an error without a code", value=_STATUSES),
            Spec(JAVA_CODE, "500 with a Java exception as errorCode", value=_moment(AFTER)),
            Spec(REDIRECT, "307 to the same address", value=_moment(BEFORE)),
            Spec(NOT_JSON, "200 with a web page", value=_moment(AFTER)),
            Spec(BLOCKED, "403 with a page of the broker's gate", READS, moment=BEFORE),
            Spec(NO_REFERENCE, "200 with {}", value=_moment(AFTER)),
            Spec(TOO_MANY, "429 error.too-many.requests", ALL, times=3, moment=BEFORE),
            Spec(REFUSE, "400 with that error code", value=_CODE, moment=BEFORE),
        ),
        "What is seen of deals": (
            _fixed(CONFIRM_LATE, "404 until a deal is that old", CONFIRMS, value=_seconds("10")),
            _fixed(CONFIRM_NEVER, "404 for every confirm", CONFIRMS),
            _fixed(STALE_CONFIRM, "p_ references keep their opening confirm", ALL),
            _fixed(OLD_REFERENCE, "a cancellation has its order's reference and date", CHANGES),
            _fixed(SUCCESS_REASON, "an accepted confirm has reason SUCCESS, as older ones", CONFIRMS),
            _fixed(LEVEL_ZERO, "an accepted confirm has level 0", CONFIRMS),
            _fixed(NO_PROFIT, "the confirm of a close is without its profit", CONFIRMS),
            _fixed(ACTIVITY_LATE, "rows come late, first with level 0", ACTIVITY, value=_seconds("61")),
            _fixed(DEAL_LATE, "new deals are in no list at first", POSITIONS, value=_seconds("5")),
        ),
        "The deal": (
            Spec(DROP_STOP, "a stop is silently not set"),
            _fixed(REJECT, "the confirm is a rejection for that reason", value=_REASON),
            _fixed(CLOSED_TEXT, "a closed market is a 400 with a sentence, not a rejected confirm"),
            _fixed(STOP_DEMANDED, "400 for an order or a bracket without a guaranteed stop", ALL),
            _fixed(BAND, "stop and limit must be within this much of the price", value=_percent("1")),
            _fixed(SLIPPAGE, "a market order fills this much worse", value=_percent("0.1")),
            _fixed(PART_FILL, "only this much of a market order is filled", value=_percent("50")),
            _fixed(ROUND_SIZE, "a size off the step is rounded down, not refused"),
        ),
        "Forms of an answer": (
            Spec(
                NUMBERS,
                "in that form; ids: ids as numbers; far: times of 20 digits",
                READS,
                value=_one_of("java", "exponent", "text", "nan", "ids", "far"),
            ),
            _fixed(DEMO_CURRENCY, "the account's currency ends in d, as USDd", ALL),
            Spec(NEW_FIELDS, "every object has unknown fields", READS),
            Spec(OLD_ROWS, "positions without profit, leverage and order id, as in 2022", READS),
            Spec(NO_QUOTE, "the first market has neither bid nor offer", READS),
            Spec(UNKNOWN_WORD, "the first row has unknown types and directions", READS),
            Spec(THIN_DETAILS, "a market without range, hours, margin and most rules", READS),
        ),
        "Markets": (
            Spec(
                MARGIN_FACTOR,
                "the margin factor is that, whatever the leverage",
                READS,
                value=_percent("100"),
            ),
            Spec(MARKET_MODE, "the mode of every market", READS, value=_MODE),
            Spec(SHUT, "an open market shows CLOSED, inside its hours", READS),
            _fixed(OLDEST_AGAIN, "an empty price window brings the oldest candle after it, once more", READS),
            _fixed(
                NO_CODE,
                "an empty price window is a 404 without a code",
                READS,
                value=_one_of("json", "empty", "text"),
            ),
            _fixed(
                DAY_START,
                "DAY and WEEK candles begin at that hour of the evening before (UTC)",
                READS,
                value=_HOUR,
            ),
        ),
        "The session": (
            Spec(EXPIRE_SESSION, "it ends at the next request", ALL, times=1),
            Spec(
                UNAUTHORISED,
                "a 401 whose body is that; the session lives on",
                READS,
                value=_one_of("empty", "object", "page", "code"),
                times=1,
                moment=BEFORE,
            ),
            _fixed(
                SESSION_CAP, "it ends this long after its login, however busy", ALL, value=_seconds("3600")
            ),
            Spec(SWITCH_ACCOUNT, "somebody else switches the preferred account", ALL, times=1),
            Spec(ROTATE_TOKENS, "the answer brings new tokens, the old ones are dead", ALL, times=1),
            _fixed(OLD_TOKEN_FOLLOWS, "old tokens follow a switch of the account", ALL),
            _fixed(KEY_PAUSED, "401 error.invalid.api.key, as of a paused key", LOGIN, moment=BEFORE),
            Spec(
                NO_ACCOUNT, "401 error.null.accountId, as of a login without accounts", READS, moment=BEFORE
            ),
        ),
        "The price stream of capcli paper serve": (
            _fixed(STREAM_CUT, "every stream is cut off", STREAM, times=1),
            _fixed(IDLE_CUT, "a stream without a frame for this long is cut", STREAM, value=_seconds("60")),
            _fixed(BARS_LOST, "bars do not arrive, quotes do", STREAM),
            _fixed(BARS_AGAIN, "a subscription to bars begins with old ones", STREAM),
            _fixed(ONE_STREAM, "a second stream of an account gets no prices", STREAM),
            _fixed(FRAME_EXPONENTS, "prices are written as 2.589885E7", STREAM),
        ),
    }
)
SPECS: Mapping[str, Spec] = MappingProxyType({spec.name: spec for group in GROUPS.values() for spec in group})
