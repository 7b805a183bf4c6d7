"""Record: every read of the broker once, without the user's data, for a maintainer without an account."""

import re
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import asdict, replace

from capcli.broker import requests
from capcli.broker.requests import Ask
from capcli.domain.market import Resolution
from capcli.domain.masking import Mask, parse, written
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.broker.client import CapitalBroker

FORMAT = "capcli/recording/1"
SHOWN_EPICS = ("SILVER", "GOLD", "EURUSD")
_FIRST, *_ = SHOWN_EPICS
_ID = re.compile(r"\{\w+\}")
_POSITION = (requests.POSITIONS.path, "positions", 0, "position")
_LAST_DAY = requests.last(86400)
_SOME_BARS = 3


class Read(Enum):
    """Each GET, in an order in which it finds the id that it asks for.

    Such a one has the id's name in braces, and `place`: which answer has one, and the steps to it.
    """

    TIME = (requests.TIME,)
    ENCRYPTION_KEY = (requests.ENCRYPTION_KEY,)
    PING = (requests.PING,)
    SESSION = (requests.SESSION,)
    ACCOUNTS = (requests.ACCOUNTS,)
    PREFERENCES = (requests.PREFERENCES,)
    POSITIONS = (requests.POSITIONS,)
    POSITION = (requests.position("{dealId}"), *_POSITION, "dealId")
    CONFIRM = (requests.confirm("{dealReference}"), *_POSITION, "dealReference")
    ORDERS = (requests.ORDERS,)
    ACTIVITY = (requests.activity(_LAST_DAY, None, {}),)
    TRANSACTIONS = (requests.transactions(_LAST_DAY, None),)
    NODES = (requests.navigation(None),)
    NODE = (requests.navigation("{nodeId}"), requests.navigation(None).path, "nodes", 0, "id")
    SEARCH = (requests.search(_FIRST.lower()),)
    MARKETS = (requests.markets(SHOWN_EPICS),)
    MARKET = (requests.market(_FIRST),)
    PRICES = (requests.prices(_FIRST, Resolution.HOUR, _SOME_BARS, None, None),)
    SENTIMENTS = (requests.sentiments(SHOWN_EPICS),)
    SENTIMENT = (requests.sentiment(_FIRST),)
    WATCHLISTS = (requests.WATCHLISTS,)
    WATCHLIST = (requests.watchlist("{watchlistId}"), requests.WATCHLISTS.path, "watchlists", 0, "id")

    def __init__(self, ask: Ask, *place: str | int) -> None:
        self.ask = ask
        self.path = unquote(ask.path)
        self.place = place

    def called(self, item: str) -> str:
        """Return the path with the id of an item."""
        return _ID.sub(lambda _: item, self.path)


class Exchange(Struct, frozen=True):
    """A read and its masked answer. `path` is the template, `called` the path with masked ids.

    `body` is parsed JSON with numbers as they are written, or a text where it is no JSON.
    """

    path: str
    called: str
    query: Mapping[str, str]
    status: int
    body: Any

    @property
    def read(self) -> Read | None:
        """Return which read it is; None for one that only another version knows."""
        keys = (self.path, *self.query)
        return next((one for one in Read if keys == (one.path, *one.ask.params)), None)

    @property
    def name(self) -> str:
        """Name the read: `GET /markets?epics`."""
        parameter = f"?{next(iter(self.query))}" if self.read in {Read.SEARCH, Read.MARKETS} else ""
        return f"GET {self.path}{parameter}"


class Recorded(Struct, frozen=True):
    """A recording that was written."""

    file: str
    requests: tuple["RecordedRequest", ...]


class RecordedRequest(Struct, frozen=True):
    """One read of a recording, and the broker's HTTP status."""

    request: str
    status: int


class Difference(Struct, frozen=True):
    """A difference from the paper broker's answer, or an unreadable field. `field` is its place."""

    request: str
    field: str
    recorded: str
    expected: str


class RecordingChecked(Struct, frozen=True):
    """The result of checking a recording; nothing new if `differences` is empty."""

    file: str
    checked: int
    differences: tuple[Difference, ...]
    sentence: str


def record(broker: "CapitalBroker", mask: Mask | None) -> tuple[Exchange, ...]:
    """Read everything once, unmasked without a mask; a read whose id no answer gives is left out.

    Raises what keeps a read from being answered.
    """
    answers: Any = {}
    found = []
    for read in Read:
        item: Any = ""
        if read.place:
            with suppress(KeyError, IndexError, TypeError):
                item = reduce(getitem, read.place, answers)
            if not (isinstance(item, str) and item):
                continue
        status, body = broker.raw(replace(read.ask, path=quote(read.called(item))))
        text = body.decode("utf-8", "replace")
        try:
            answer = parse(text)
        except (ValueError, RecursionError):
            answer = text
        answers.setdefault(read.path, answer)
        if mask is not None:
            item, answer = mask.text(item), mask.value(answer)
        found.append(Exchange(read.path, read.called(item), read.ask.params, status, answer))
    return tuple(found)


def document(exchanges: tuple[Exchange, ...]) -> str:
    """Write a recording: one read a line, so that a person can look through it."""
    rows = ",\n".join(written(asdict(one)) for one in exchanges)
    return f'{{"format": "{FORMAT}", "reads": [\n{rows}\n]}}\n'


def loaded(text: str, name: str) -> tuple[Exchange, ...]:
    """Read a recording. Raises UsageError for any other file."""
    try:
        content = parse(text)
        if content["format"] == FORMAT:
            return tuple(
                Exchange(
                    str(row["path"]),
                    str(row["called"]),
                    {str(key): str(value) for key, value in row["query"].items()},
                    int(row["status"]),
                    row["body"],
                )
                for row in content["reads"]
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise UsageError(f"{name} is not a recording of the format {FORMAT}.", next="capcli record --help")
