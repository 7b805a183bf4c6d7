"""The stream for callers that cannot wait: bounded reads with a cursor to continue.

Nothing is received between two reads, so a continued one begins with a gap.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, MsgspecError, Struct, field, json

from capcli import ids
from capcli.context import Context
from capcli.domain.alerts import Level, Way
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Resolution
from capcli.domain.money import NotANumber, parse_decimal, plain
from capcli.domain.stream import Quiet, StreamBar, StreamEvent, StreamGap, Tick
from capcli.errors import UsageError
from capcli.marketdata.alerts import Alarms
from capcli.marketdata.live_book import LivePortfolio, LivePosition
from capcli.marketdata.streams import Streams, Throttle, Watch, Watching, chosen
from capcli.reply import Reply

LONGEST_S = 43  # including start and end, so that a call takes less than 45 s
MOST_ROWS = 250  # an answer stays below 20 kB
MOST_CANDLE_EPICS = 10
_LOOK_S = 0.2
_FORM = (
    'alerts is an object of epics with levels above 0, such as {"GOLD": {"above": 2700, "below": 2600}}; '
    'a level may be a list, and {"GOLD": 2700} waits for it from where the price is.'
)
Stopped = Callable[[], bool]


class Price(Struct, frozen=True):
    """A tick, in the instrument's currency; `at` is the broker's time."""

    epic: str
    bid: Decimal
    offer: Decimal
    at: datetime


class PricesSeen(Struct, frozen=True):
    """Ticks in the order in which they came, at most one in `interval_s` for each market.

    `seen` counts all that came. `silent` names markets without ticks, with their status. `gaps` are ISO 8601
    intervals in which ticks may be missing.
    """

    ticks: tuple[Price, ...]
    seen: int
    interval_s: Decimal
    silent: Mapping[str, str]
    gaps: tuple[str, ...]
    cursor: str


class Reached(Struct, frozen=True):
    """A level reached by the bid."""

    epic: str
    way: Way
    level: Decimal
    bid: Decimal
    at: datetime


class AlertsSeen(Struct, frozen=True):
    """The levels that fired during this read, and how many still wait."""

    fired: tuple[Reached, ...]
    waiting: int
    prices: Mapping[str, Decimal]
    gaps: tuple[str, ...]
    cursor: str


class PlPoint(Struct, frozen=True):
    """The book's P&L at an instant, in account currency."""

    at: datetime
    pl: Decimal | None


class PortfolioSeen(Struct, frozen=True):
    """The book at the end of the read, with P&L from the latest ticks, and the course of the total.

    `pl` is the total in `currency`, the account's; None without an exchange rate.
    """

    positions: tuple[LivePosition, ...]
    pl: Decimal | None
    currency: str | None
    history: tuple[PlPoint, ...]
    opened: tuple[str, ...]
    closed: tuple[str, ...]
    gaps: tuple[str, ...]
    cursor: str


class ClosedBar(Struct, frozen=True):
    """A bar that is over, in bid prices; `time` is its opening instant."""

    epic: str
    time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None


class CandlesSeen(Struct, frozen=True):
    """Bars that closed since the cursor, or during this read, oldest first, without omissions."""

    candles: tuple[ClosedBar, ...]
    cursor: str


class _Cursor(Struct, frozen=True, omit_defaults=True):
    """The end of a call: which one, when (ms since 1970), and the state of an alert's levels."""

    kind: str
    at: Annotated[int, Meta(gt=0, lt=1 << 43)]
    met: Mapping[str, bool] = field(default_factory=dict)
    ways: Mapping[str, Way] = field(default_factory=dict)


class StreamSnapshots:
    """Bounded reads of the stream, at most 43 s each. `stopped` ends one whose caller has gone."""

    def __init__(self, context: Context, streams: Streams) -> None:
        self._context = context
        self._broker = context.broker
        self._streams = streams
        self._watching = Watching(context, streams)

    def prices(
        self,
        epics: Sequence[str],
        *,
        duration_s: float,
        interval_s: float = 1.0,
        cursor: str | None = None,
        stopped: Stopped = lambda: False,
    ) -> Reply[PricesSeen]:
        """Return the ticks of 1 to 40 markets. Raises EpicUnknown, UsageError, Unreachable."""
        before, ends = _read(cursor, "prices"), self._ends(duration_s)
        wanted = chosen(epics)
        every_s = max(interval_s, min(duration_s, LONGEST_S) * len(wanted) / MOST_ROWS)
        throttle, kept, seen = Throttle(int(every_s * 1000)), list[Tick](), 0
        watch = self._watching.watch(wanted)
        missed = self._since(before)
        try:
            for events in self._looks(watch.receive, ends, stopped):
                seen += sum(type(event) is Tick for event in events)
                passed = throttle.pass_on(events, self._now_ms())
                kept += [event for event in passed if isinstance(event, Tick)]
                missed += _missed(events)
        finally:
            rest = watch.close()
        seen += sum(type(event) is Tick for event in rest)
        late = throttle.pass_on(rest, self._now_ms() + int(every_s * 1000))
        kept += [event for event in late if isinstance(event, Tick)]
        heard = {tick.epic for tick in kept}
        found = PricesSeen(
            tuple(Price(one.epic, one.bid, one.offer, _instant(one.at_ms)) for one in kept[-MOST_ROWS:]),
            seen,
            Decimal(str(every_s)),
            {epic: watch.status[epic].value for epic in watch.markets if epic not in heard},
            tuple(missed),
            self._cursor("prices"),
        )
        return Reply(found, watch.account_id)

    def alerts(
        self,
        alerts: Mapping[str, Any],
        *,
        duration_s: float,
        auto_close: bool = False,
        cursor: str | None = None,
        stopped: Stopped = lambda: False,
    ) -> Reply[AlertsSeen]:
        """Wait for levels: `{"GOLD": {"above": 2700, "below": [2600, 2500]}}`, or `{"GOLD": 2700}`.

        Each fires once, also across cursors. Ends when all fired; with `auto_close` at the first. Raises as
        `prices`.
        """
        before, ends = _read(cursor, "alerts"), self._ends(duration_s)
        wanted = _levels_of(alerts)
        watch = self._watching.watch([epic for epic, _, _ in wanted])
        ways = dict(before.ways) if before else {}
        levels = [_level(watch, ways, epic, way, price) for epic, way, price in wanted]
        alarms = Alarms(levels, met=before.met if before else None)
        fired, prices, missed = list[Reached](), dict[str, Decimal](), self._since(before)
        try:
            for events in self._looks(watch.receive, ends, stopped):
                missed += _missed(events)
                for event in events:
                    if isinstance(event, Tick):
                        prices[event.epic] = event.bid
                        for one in (each.level for each in alarms.fire(event)):
                            at = _instant(event.at_ms)
                            fired.append(Reached(one.epic, one.way, one.price, event.bid, at))
                if not alarms.waiting or (auto_close and fired):
                    break
        finally:
            watch.close()
        firsts = {epic: one.first for epic, one in watch.markets.items()}
        known = {epic: tick.bid for epic, tick in firsts.items() if tick} | prices
        after = self._cursor("alerts", met=alarms.met, ways=ways)
        found = AlertsSeen(tuple(fired), len(alarms.waiting), known, tuple(missed), after)
        return Reply(found, watch.account_id)

    def portfolio(
        self,
        *,
        duration_s: float,
        interval_s: float = 5.0,
        cursor: str | None = None,
        stopped: Stopped = lambda: False,
    ) -> Reply[PortfolioSeen]:
        """Return the open positions with P&L from their ticks. Raises as any read, and Unreachable."""
        before, ends = _read(cursor, "portfolio"), self._ends(duration_s)
        every_s = max(interval_s, min(duration_s, LONGEST_S) / MOST_ROWS)
        book, missed = LivePortfolio(self._context, self._streams), self._since(before)
        history, opened, closed = list[PlPoint](), list[str](), list[str]()
        try:
            latest, due = book.snapshot(), self._context.monotonic() + every_s
            for events in self._looks(book.receive, ends, stopped):
                missed += _missed(events)
                if self._context.monotonic() >= due:
                    due = self._context.monotonic() + every_s
                    latest = book.snapshot()
                    history.append(PlPoint(_instant(latest.at_ms), latest.totals.pl))
                    opened += latest.opened
                    closed += latest.closed
            latest = book.snapshot()
        finally:
            book.close()
        found = with_fields_of(
            latest.totals,
            PortfolioSeen,
            positions=latest.positions,
            history=tuple(history),
            opened=(*opened, *latest.opened),
            closed=(*closed, *latest.closed),
            gaps=tuple(missed),
            cursor=self._cursor("portfolio"),
        )
        return Reply(found, book.account_id)

    def candles(
        self,
        epics: Sequence[str],
        resolution: Resolution,
        *,
        duration_s: float,
        cursor: str | None = None,
        stopped: Stopped = lambda: False,
    ) -> Reply[CandlesSeen]:
        """Return closing bars of 1 to 10 markets; bars missed on the stream are read. Raises as `prices`."""
        before, ends = _read(cursor, "candles"), self._ends(duration_s)
        wanted = chosen(epics)
        if len(wanted) > MOST_CANDLE_EPICS:
            raise UsageError(f"Name 1 to {MOST_CANDLE_EPICS} epics, not {len(wanted)}.")
        for epic in wanted:
            self._broker.details(epic)
        began = int(self._context.now().timestamp() * 1000)
        since = _instant(before.at if before else began)
        stream = self._streams.open(wanted, resolution)
        found: dict[tuple[str, datetime], ClosedBar] = {}
        try:
            for events in self._looks(stream.receive, ends, stopped):
                bars = [one for one in events if isinstance(one, StreamBar) and one.side == "bid"]
                for bar in (one for one in bars if one.resolution == resolution.value):
                    opened = _instant(bar.at_ms)
                    found[bar.epic, opened] = with_fields_of(bar, ClosedBar, time=opened)
        finally:
            stream.close()
        until = int(self._context.now().timestamp() * 1000)
        found |= self._read_closed(wanted, resolution, since, _instant(until))
        every = sorted(found.values(), key=lambda bar: (bar.time, bar.epic))
        latest_bars = tuple(bar for bar in every if bar.time + resolution.span > since)[-MOST_ROWS:]
        reply = CandlesSeen(latest_bars, self._cursor("candles", at=until))
        return Reply(reply, self._broker.account_id)

    def _read_closed(
        self, epics: Sequence[str], resolution: Resolution, since: datetime, until: datetime
    ) -> dict[tuple[str, datetime], ClosedBar]:
        """Read the bars that closed in a span, if one can have closed (API page 12.3)."""
        if int(since.timestamp()) // 60 == int(until.timestamp()) // 60:
            return {}
        start = max(since - resolution.span, until - (MOST_ROWS * resolution.span))
        rows = {}
        for epic in epics:
            for candle in self._broker.candles(epic, resolution, start=start, end=until):
                if since < candle.time + resolution.span <= until:
                    prices = (candle.bid_open, candle.bid_high, candle.bid_low, candle.bid_close)
                    rows[epic, candle.time] = ClosedBar(epic, candle.time, *prices, candle.volume)
        return rows

    def _looks(
        self, receive: Callable[[float], Sequence[StreamEvent | Quiet]], ends: float, stopped: Stopped
    ) -> Iterator[Sequence[StreamEvent | Quiet]]:
        while (left := ends - self._context.monotonic()) > 0 and not stopped():
            yield receive(min(_LOOK_S, left))

    def _ends(self, duration_s: float) -> float:
        return self._context.monotonic() + min(duration_s, LONGEST_S)

    def _since(self, before: _Cursor | None) -> list[str]:
        return [_span(before.at, self._now_ms())] if before else []

    def _cursor(self, kind: str, *, at: int | None = None, **facts: Any) -> str:
        text = json.encode(_Cursor(kind, at or self._now_ms(), **facts))
        return urlsafe_b64encode(text).decode().rstrip("=")

    def _now_ms(self) -> int:
        return int(self._context.clock().timestamp() * 1000)


def _read(cursor: str | None, kind: str) -> _Cursor | None:
    """Return what a cursor holds; None without one. Raises UsageError for another call's."""
    if cursor is None:
        return None
    with suppress(ValueError, MsgspecError):
        found = json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=_Cursor)
        if found.kind == kind:
            return found
    raise UsageError("The cursor is not one that this call returned. Leave it out to start again.")


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC) + timedelta(milliseconds=at_ms % 1000)


def _missed(events: Sequence[StreamEvent | Quiet]) -> list[str]:
    gaps = [event for event in events if isinstance(event, StreamGap)]
    return [_span(gap.from_ms, gap.to_ms) for gap in gaps]


def _span(since_ms: int, until_ms: int) -> str:
    """Format a span as an ISO 8601 interval."""
    return "/".join(f"{_instant(ms):%Y-%m-%dT%H:%M:%S}Z" for ms in (since_ms, until_ms))


def _levels_of(alerts: Mapping[str, Any]) -> list[tuple[str, Way | None, Decimal]]:
    """Read the levels of each market. Raises UsageError that shows the form."""
    found: list[tuple[str, Way | None, Decimal]] = []
    for name, given in alerts.items():
        epic = ids.epic(name)
        if isinstance(given, Mapping):
            known = set(given) <= set(Way) and bool(given)
            pairs = [(Way(way), value) for way, value in given.items()] if known else [(None, None)]
        else:
            pairs = [(None, given)]
        for way, value in pairs:
            found += [(epic, way, _number(one)) for one in (value if isinstance(value, list) else [value])]
    if not found:
        raise UsageError(_FORM)
    return found


def _number(value: Any) -> Decimal:
    if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
        with suppress(NotANumber):
            if (number := parse_decimal(str(value))) > 0:
                return number
    raise UsageError(_FORM)


def _level(watch: Watch, ways: dict[str, Way], epic: str, way: Way | None, price: Decimal) -> Level:
    """Return the side from which a plain number is reached; the cursor stores it."""
    if way is None:
        first, key = watch.markets[epic].first, f"{epic} {price:f}"
        if first is None and key not in ways:
            raise UsageError(
                f"The broker sends no price for {epic} now, so {plain(price)} may lie above or below it: say "
                f'which, as in {{"{epic}": {{"above": {plain(price)}}}}}.'
            )
        way = ways.setdefault(key, Way.ABOVE if first and first.bid < price else Way.BELOW)
    return Level(epic, way, price)
