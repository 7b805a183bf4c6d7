"""Compares a recording of the broker's answers with our own client and the paper broker."""

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
from capcli.domain.account import OrderType
from capcli.domain.market import Resolution, Side
from capcli.domain.masking import Mask, forms, written
from capcli.domain.numbers import counted
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.errors import CapcliError
from capcli.health.recording import SHOWN_EPICS, Difference, Exchange, Read, RecordingChecked, loaded, record
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
_RECORDED = "recorded"  # the id of whatever is asked for: its answer is there
_FIRST, *_ = SHOWN_EPICS


@dataclass
class _Clock:
    """A clock that only sleeping advances."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - _START).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


def mask_for(random_numbers: random.Random) -> Mask:
    """Return a mask that lets the vocabulary through and nothing else."""
    return Mask(*vocabulary(), random_numbers)


def vocabulary() -> tuple[set[str], set[str]]:
    """Return the words and the field names that may stay: our own, and what a paper broker says."""
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
    return words | {*SHOWN_EPICS}, names


def check(text: str, name: str) -> RecordingChecked:
    """Compare a recording with what our client reads and with the paper broker. Raises UsageError."""
    exchanges = loaded(text, name)
    expected = defaultdict[str, list[Exchange]](list)
    for exchange in _reference(mask_for(random.Random(0))):  # noqa: S311  nothing secret
        expected[exchange.name].append(exchange)
        if exchange.read is Read.POSITIONS:  # any of them may be the one read alone
            one = replace(exchange, path=Read.POSITION.path)
            expected[one.name] += [replace(one, body=row) for row in exchange.body["positions"]]
    found = [*_unread(exchanges), *(row for one in exchanges for row in _compared(one, expected[one.name]))]
    lead = f"{counted(len(found), 'difference')} in" if found else "No difference in"
    sentence = f"{lead} {counted(len(exchanges), 'answer')}."
    return RecordingChecked(name, len(exchanges), tuple(found), sentence)


def _gather(value: Any, words: set[str], names: set[str]) -> None:
    """Collect the field names of an answer, and its texts that are codes."""
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
    """Yield a paper broker's answers before and after some trading; unmasked without a mask."""
    for at in (_START, _SUNDAY):
        with _paper(at=at) as broker:
            yield from record(broker, mask)
            _trade(broker)
            yield from record(broker, mask)


@contextmanager
def _paper(replay: "_Replay | None" = None, *, at: datetime = _START) -> Iterator[CapitalBroker]:
    """Yield our client, logged in at its own paper broker; `replay` answers first."""
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
    """Create deals of every kind: with stops, limits or neither, trailing, waiting and closed."""
    away = ExitOrder(ExitForm.DISTANCE, Decimal(3))
    silver = OrderRequest(epic=_FIRST, side=Side.BUY, size=Decimal(2))
    both = replace(silver, stop=away, limit=away)
    level = (broker.market(_FIRST).quote.bid * Decimal("0.8")).quantize(Decimal("0.01"))
    for order in (
        both,
        silver,
        replace(silver, stop=away, trailing=True),
        OrderRequest(epic="GOLD", side=Side.BUY, size=Decimal(1)),
        replace(both, trigger=Trigger(level, good_till=_START + timedelta(days=30))),
        replace(silver, trigger=Trigger(level)),
    ):
        broker.send(*broker.requests.open_order(order, OrderType.LIMIT))
    *_, last = broker.positions()
    broker.send(*broker.requests.close_position(last.deal_id))
    broker.send(*broker.requests.create_watchlist("Metals", (_FIRST,)))


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
        """Do nothing: the paper broker below is closed by its owner."""


_READERS: Mapping[Read | None, Callable[[CapitalBroker], Any]] = {
    Read.TIME: CapitalBroker.server_time,
    Read.PING: CapitalBroker.ping,
    Read.SESSION: CapitalBroker.session,
    Read.ACCOUNTS: CapitalBroker.accounts,
    Read.PREFERENCES: CapitalBroker.preferences,
    Read.POSITIONS: CapitalBroker.list_positions,
    Read.POSITION: lambda broker: broker.position(_RECORDED),
    Read.CONFIRM: lambda broker: broker.confirm(_RECORDED),
    Read.ORDERS: CapitalBroker.list_orders,
    Read.ACTIVITY: lambda broker: broker.activity(_START - timedelta(hours=1), None),
    Read.TRANSACTIONS: lambda broker: broker.transactions(_START - timedelta(hours=1), None),
    Read.NODES: lambda broker: broker.navigation(None),
    Read.NODE: lambda broker: broker.navigation(_RECORDED),
    Read.SEARCH: lambda broker: broker.search(_FIRST),
    Read.MARKETS: lambda broker: broker.markets(SHOWN_EPICS),
    Read.MARKET: lambda broker: broker.market(_FIRST),
    Read.PRICES: lambda broker: broker.candles(_FIRST, Resolution.HOUR),
    Read.SENTIMENTS: lambda broker: broker.sentiments(SHOWN_EPICS),
    Read.SENTIMENT: lambda broker: broker.sentiment(_FIRST),
    Read.WATCHLISTS: CapitalBroker.watchlists,
    Read.WATCHLIST: lambda broker: broker.watchlist_markets(_RECORDED),
}


def _unread(exchanges: Iterable[Exchange]) -> Iterator[Difference]:
    """Yield the fields of recorded answers that our client cannot read."""
    replay = _Replay()
    with _paper(replay) as broker:
        for one in exchanges:
            replay.exchange = one
            if one.status != _OK or one.read not in _READERS:
                continue
            try:
                found = _READERS[one.read](broker)
            except CapcliError as error:
                yield Difference(one.name, "", error.message, "an answer that capcli reads")
                continue
            for row in getattr(found, "unreadable", ()):
                yield Difference(one.name, "", f"{row.words}: {row.why}", "a row that capcli reads")


@dataclass
class _Seen:
    """The places in some answers: how often each occurs, and in which forms."""

    times: Counter[str] = field(default_factory=Counter)
    forms: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, body: Any) -> None:
        def note(where: str, form: str) -> None:
            self.times[where] += 1
            self.forms[where].add(form)

        forms(body, note)

    def is_always(self, where: str) -> bool:
        """Whether a field is in every object that could have it."""
        holder, dot, _ = where.rpartition(".")
        return self.times[where] == (self.times[holder] if dot else self.times[""])


def _compared(exchange: Exchange, expected: Iterable[Exchange]) -> Iterator[Difference]:
    """Yield the differences from the paper broker's answers."""
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
            # Only the outermost new field is reported: its parent is known.
            holder = where.removesuffix("[]") if where.endswith("[]") else where.rpartition(".")[0]
            if holder in ours.forms:
                yield Difference(name, where, _named(kinds), "no such field")
            continue
        known = ours.forms[where]
        # A word also fits where texts are expected: some names are one word in capitals.
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
