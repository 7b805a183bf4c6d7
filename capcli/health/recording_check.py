"""A recording of the broker's answers held against our own client and the paper broker."""

import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from capcli.broker import wire
from capcli.broker.client import CapitalBroker
from capcli.domain import account, market
from capcli.domain.market import Resolution
from capcli.domain.masking import Mask, forms, written
from capcli.domain.numbers import counted
from capcli.errors import CapcliError
from capcli.health.recording import SHOWN_EPICS, Difference, Exchange, RecordingChecked, read_document, record
from capcli.paper.state import reset, switches
from capcli.paper.transport import PaperTransport
from capcli.ports.login import Credentials

if TYPE_CHECKING:
    import httpx

# A Wednesday on which every market of the paper broker is open, and a Sunday on which few are.
_START = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
_SUNDAY = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
_OK = 200
_KEY = "paper"
_SOME = 3
_ONE_POSITION = "/positions/{dealId}"
_RECORDED = "recorded"  # the id of whatever is asked for: its answer is there
_FIRST, *_ = SHOWN_EPICS


@dataclass
class _Clock:
    """A clock that only waiting moves."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - _START).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


class Vocabulary(Struct, frozen=True):
    """Field names and words that may stay in a recording: what our client reads and the paper broker says."""

    words: frozenset[str]
    names: frozenset[str]


def mask_for(random_numbers: random.Random) -> Mask:
    """Return a mask that lets the vocabulary through and nothing else."""
    known = vocabulary()
    return Mask(known.words, known.names, random_numbers)


def vocabulary() -> Vocabulary:
    """Return what may stay: our enums, our field names, and what a paper broker without a user says."""
    kinds = [kind for module in (account, market) for kind in vars(module).values()]
    enums = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)]
    words: set[str] = {member.value for kind in enums for member in kind}
    shapes = [*vars(wire).values()]
    for kind in (one for one in kinds if isinstance(one, type) and issubclass(one, Struct)):
        with suppress(KeyError):  # it is not plain
            shapes.append(wire.plain(kind))
    names = {name for shape in shapes for name in getattr(shape, "__struct_encode_fields__", ())}
    for exchange in _reference(None):
        _gather(exchange.body, words, names)
    return Vocabulary(frozenset(words | {*SHOWN_EPICS}), frozenset(names))


def check(text: str, name: str) -> RecordingChecked:
    """Compare a recording with what our client reads and with the paper broker. Raises UsageError."""
    exchanges = read_document(text, name)
    expected = defaultdict[str, list[Exchange]](list)
    for exchange in _reference(mask_for(random.Random(0))):  # noqa: S311  nothing secret
        expected[exchange.name].append(exchange)
        if exchange.name == "GET /positions":  # any of them may be the one that is read alone
            one = replace(exchange, path=_ONE_POSITION)
            expected[one.name] += [replace(one, body=row) for row in exchange.body["positions"]]
    found = [*_unread(exchanges), *(row for one in exchanges for row in _compared(one, expected[one.name]))]
    lead = f"{counted(len(found), 'difference')} in" if found else "No difference in"
    sentence = f"{lead} {counted(len(exchanges), 'answer')}."
    return RecordingChecked(name, len(exchanges), tuple(found), sentence)


def _gather(value: Any, words: set[str], names: set[str]) -> None:
    """Take in the field names of an answer, and the texts that are codes."""
    if isinstance(value, dict):
        for key, item in value.items():
            names.add(key)
            _gather(item, words, names)
    elif isinstance(value, list):
        for item in value:
            _gather(item, words, names)
    elif isinstance(value, str) and value.isupper() and value.replace("_", "").isalnum():
        words.add(value)


def _reference(mask: Mask | None) -> Iterator[Exchange]:
    """Yield what a paper broker answers before and after some trading; without a mask as it is."""
    for at in (_START, _SUNDAY):
        with _paper(at=at) as broker:
            yield from record(broker, mask)
            _trade(broker)
            yield from record(broker, mask)


@contextmanager
def _paper(replay: "_Replay | None" = None, *, at: datetime = _START) -> Iterator[CapitalBroker]:
    """Yield our client, logged in at a paper broker of its own; `replay` answers before that one."""
    clock = _Clock(at)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "paper.db"
        reset(path, limits=False, at=clock.at)
        switches(path, at=clock.at, confirm_delay_ms=0)
        paper = PaperTransport(path, clock.now, sleep=clock.sleep)
        if replay is not None:
            replay.inner = paper
        transport: Any = replay or paper
        broker = CapitalBroker(
            "http://paper",
            lambda: Credentials(_KEY, _KEY, _KEY),
            clock=clock.now,
            transport=transport,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
        )
        try:
            broker.login()
            yield broker
        finally:
            broker.close()
            paper.close()


def _trade(broker: CapitalBroker) -> None:
    """Leave deals of every kind: with stops, limits or neither, trailing, waiting and closed."""
    quote = broker.market("SILVER").quote
    below = (quote.bid * Decimal("0.8")).quantize(Decimal("0.01"))
    until = f"{_START + timedelta(days=30):%Y-%m-%dT%H:%M:%S}"
    exits = {"stopDistance": 3, "profitDistance": 3}
    silver = {"epic": "SILVER", "direction": "BUY", "size": 2}
    for body in (
        silver | exits,
        silver,
        silver | {"trailingStop": True, "stopDistance": 3},
        {"epic": "GOLD", "direction": "BUY", "size": 1},
    ):
        broker.send("POST", "/positions", _body(body))
    for body in (silver | {"type": "LIMIT"} | exits | {"goodTillDate": until}, silver | {"type": "LIMIT"}):
        broker.send("POST", "/workingorders", _body(body | {"level": below}))
    *_, last = broker.positions()
    broker.send("DELETE", f"/positions/{last.deal_id}", None)
    broker.send("POST", "/watchlists", _body({"name": "Metals", "epics": ["SILVER"]}))


def _body(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, default=float).encode()


@dataclass
class _Replay:
    """A transport that answers the next read as it was recorded; the rest goes to the paper broker."""

    inner: "httpx.BaseTransport | None" = None
    exchange: Exchange | None = None

    def handle_request(self, request: "httpx.Request") -> "httpx.Response":
        import httpx

        one, self.exchange = self.exchange, None
        if one is None:
            assert self.inner is not None
            return self.inner.handle_request(request)
        body = one.body
        return httpx.Response(
            one.status,
            headers={"date": f"{_START:%a, %d %b %Y %H:%M:%S} GMT"},
            content=body if isinstance(body, str) else written(body),
            request=request,
        )

    def close(self) -> None:
        """Close nothing: the paper broker below has an owner."""


_Reader = Callable[[CapitalBroker, Exchange], Any]
_READERS: Mapping[str, _Reader] = {
    "GET /time": lambda broker, _: broker.server_time(),
    "GET /ping": lambda broker, _: broker.ping(),
    "GET /session": lambda broker, _: broker.session(),
    "GET /accounts": lambda broker, _: broker.accounts(),
    "GET /accounts/preferences": lambda broker, _: broker.preferences(),
    "GET /positions": lambda broker, _: broker.list_positions(),
    "GET /positions/{dealId}": lambda broker, _: broker.position(_RECORDED),
    "GET /confirms/{dealReference}": lambda broker, _: broker.confirm(_RECORDED),
    "GET /workingorders": lambda broker, _: broker.list_orders(),
    "GET /history/activity": lambda broker, _: broker.activity(_START - timedelta(hours=1), None),
    "GET /history/transactions": lambda broker, _: broker.transactions(_START - timedelta(hours=1), None),
    "GET /marketnavigation": lambda broker, _: broker.navigation(None),
    "GET /marketnavigation/{nodeId}": lambda broker, _: broker.navigation(_RECORDED),
    "GET /markets?searchTerm": lambda broker, one: broker.search(one.query["searchTerm"]),
    "GET /markets?epics": lambda broker, one: broker.markets(tuple(one.query["epics"].split(","))),
    "GET /markets/SILVER": lambda broker, _: broker.market(_FIRST),
    "GET /prices/SILVER": lambda broker, _: broker.candles(_FIRST, Resolution.HOUR, last=_SOME),
    "GET /clientsentiment": lambda broker, one: broker.sentiments(tuple(one.query["marketIds"].split(","))),
    "GET /clientsentiment/SILVER": lambda broker, _: broker.sentiment(_FIRST),
    "GET /watchlists": lambda broker, _: broker.watchlists(),
    "GET /watchlists/{watchlistId}": lambda broker, _: broker.watchlist_markets(_RECORDED),
}


def _unread(exchanges: Iterable[Exchange]) -> Iterator[Difference]:
    """Yield what our own client cannot read of recorded answers."""
    replay = _Replay()
    with _paper(replay) as broker:
        for one in exchanges:
            replay.exchange = one
            if one.status != _OK or one.name not in _READERS:
                continue
            try:
                found = _READERS[one.name](broker, one)
            except CapcliError as error:
                yield Difference(one.name, "", error.message, "an answer that capcli reads")
                continue
            for row in getattr(found, "unreadable", ()):
                yield Difference(one.name, "", f"{row.words}: {row.why}", "a row that capcli reads")


@dataclass
class _Seen:
    """The places of some answers: how often each is there, and in which forms."""

    times: Counter[str] = field(default_factory=Counter)
    forms: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, body: Any) -> None:
        def note(where: str, form: str) -> None:
            self.times[where] += 1
            self.forms[where].add(form)

        forms(body, note)

    def is_always(self, where: str) -> bool:
        """Say whether a field is in every object that could hold it."""
        holder, dot, _ = where.rpartition(".")
        return self.times[where] == (self.times[holder] if dot else self.times[""])


def _compared(exchange: Exchange, expected: Iterable[Exchange]) -> Iterator[Difference]:
    """Yield where an answer is not as the paper broker's."""
    expected = list(expected)
    statuses = sorted({one.status for one in expected})
    if not expected or exchange.status not in statuses:
        known = " or ".join(map(str, statuses)) or "no such request"
        yield Difference(exchange.name, "status", str(exchange.status), known)
        return
    ours, theirs = _Seen(), _Seen()
    theirs.add(exchange.body)
    for one in expected:
        if one.status == exchange.status:
            ours.add(one.body)
    yield from _places(exchange.name, theirs, ours)


def _places(name: str, theirs: _Seen, ours: _Seen) -> Iterator[Difference]:
    for where, kinds in theirs.forms.items():
        if where not in ours.forms:
            # Only the outermost new field is told: what holds it is known.
            holder = where.removesuffix("[]") if where.endswith("[]") else where.rpartition(".")[0]
            if holder in ours.forms:
                yield Difference(name, where, _named(kinds), "no such field")
            continue
        known = ours.forms[where]
        # A word is a text as well: where names stand, some are one word in capitals.
        new = {kind for kind in kinds - known if not (kind in {"word", "empty"} and "text" in known)}
        if new:
            yield Difference(name, where, _named(new), _named(known))
    for where in ours.forms:
        holder = where.rpartition(".")[0]
        missing = where not in theirs.forms or not theirs.is_always(where)
        if missing and ours.is_always(where) and "[]" not in where[len(holder) :] and theirs.times[holder]:
            yield Difference(name, where, "not always there", "always there")


def _named(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))
