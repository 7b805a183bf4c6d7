"""Bulk downloads of candles: pages are read in parallel, written in order, and can be resumed."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from queue import Empty, SimpleQueue
from shlex import quote
from threading import Event, Lock, Thread
from typing import Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids
from capcli.context import Context
from capcli.domain.candle_days import DownloadState, add, find_gaps
from capcli.domain.candle_gaps import Gap
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Candle, Resolution
from capcli.errors import CapcliError, Interrupted, UnreadableAnswer, UsageError
from capcli.ports import Broker, Lane
from capcli.reply import Reply

_PAGE = 1000
_IN_FLIGHT = 8
_AHEAD = 16
# A candle that has just closed can appear or settle in REST some seconds later (API page 11).
_SETTLED = timedelta(seconds=10)
_SECOND, _NOTHING = timedelta(seconds=1), timedelta(0)
_KEEP_EVERY_S = 1.0
# Windows delivers Ctrl-C to a waiting thread only between waits.
_LOOK_S = 0.2
_RATE_OVER = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRICES = tuple(f"{side}_{price}" for side in ("bid", "ask") for price in ("open", "high", "low", "close"))
_MIDNIGHT = datetime.min.time()

_Page = tuple[Candle, ...] | BaseException
"""The candles of one window, or why there are none; it is told when its turn comes."""


class CandleTarget(Protocol):
    """The target of a download. Raises OutputUnusable for disk errors."""

    def begin(self, terms: dict[str, str], command: str) -> DownloadState | None:
        """Open the target; return an earlier run's state. Raises UsageError, Busy, ExtraMissing."""
        ...

    def append(self, candles: tuple[Candle, ...]) -> None: ...

    def keep(self, kept: DownloadState) -> None:
        """Make all appended rows durable, with the state."""
        ...

    def finish(self, kept: DownloadState) -> None:
        """Move the complete result to its name."""
        ...

    def close(self) -> None: ...


class DownloadOrder(Struct, frozen=True):
    """A download: a market's candles between two times (UTC, both included), into a file.

    `target` is the file as typed, or `-` for stdout. Without an `end`, up to now. `last` is the span as typed
    (24h): the same line later continues the same download.
    """

    epic: str
    resolution: Resolution
    start: datetime
    end: datetime | None
    target: str
    last: str | None = None

    @property
    def command(self) -> str:
        """Return the command line that resumes it."""
        until = f" --to {_typed(self.end)}" if self.end else ""
        window = f"--last {quote(self.last)}" if self.last else f"--from {_typed(self.start)}{until}"
        return (
            f"capcli prices {quote(self.epic)} --resolution {self.resolution.value} {window}"
            f" --output {quote(self.target)}"
        )

    @property
    def terms(self) -> dict[str, str]:
        """Return the terms that identify a download."""
        return {
            "epic": self.epic,
            "resolution": self.resolution.value,
            "last": self.last or "",
            "from": "" if self.last else _typed(self.start),
            "to": _typed(self.end) if self.end else "",
        }


class Progress(Struct, frozen=True):
    """A download's progress: candles, pages of pages, this run's requests a second, seconds left."""

    candles: int
    pages: int
    of_pages: int
    rate: float
    left_s: float | None


class Download(Struct, frozen=True):
    """A finished download. `first` and `last` are the opening instants of the outermost candles.

    `asked_from` is the first instant asked for. `requests` counts the pages of all runs. `gaps` are holes
    inside sessions; `days_unjudged` counts days that may be holidays or have nothing to compare with.
    `forming_left_out`: the window reaches past the last candle that had closed.
    """

    epic: str
    resolution: Resolution
    file: str
    rows: int
    asked_from: datetime
    first: datetime | None
    last: datetime | None
    requests: int
    gaps: int
    missing: int
    longest_gap: Gap | None
    days_unjudged: int
    forming_left_out: bool
    resumed: bool
    seconds: Decimal


class Downloads:
    """Fetches candles in the lowest request lane."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._broker = context.broker

    def download(
        self, order: DownloadOrder, target: CandleTarget, progress: Callable[[Progress], None]
    ) -> Reply[Download]:
        """Fetch all closed candles of a window into a target, oldest first, each once.

        Raises EpicUnknown, UsageError for an empty window, OutputUnusable, and what stops a read: what was
        kept stays, and the same order continues there.
        """
        order = replace(order, epic=ids.epic(order.epic))
        began = self._context.monotonic()
        try:
            kept = target.begin(order.terms, order.command)
            market = self._broker.details(order.epic)
            start, end = self._window(order, kept)
            run = _Run(
                order,
                target,
                start=start,
                kept=kept or DownloadState(end, start=start, price_places=max(market.decimals, 0)),
                progress=progress,
                monotonic=self._context.monotonic,
            )
            with run.going_on():
                done = run.through(self._broker.in_lane(Lane.BULK))
                target.finish(done)
        finally:
            target.close()
        took = Decimal(str(round(self._context.monotonic() - began, 3)))
        found_gaps = find_gaps(done.days, order.resolution.span, market.hours, self._context.now())
        found = with_fields_of(
            done,
            Download,
            epic=order.epic,
            resolution=order.resolution,
            file=order.target,
            asked_from=done.start or order.start,
            gaps=found_gaps.gaps.count,
            missing=found_gaps.gaps.candles,
            longest_gap=found_gaps.gaps.longest,
            days_unjudged=found_gaps.days_unjudged,
            forming_left_out=order.end is None or done.end < order.end,
            resumed=kept is not None,
            seconds=took,
        )
        return Reply(found, self._broker.account_id)

    def _window(self, order: DownloadOrder, kept: DownloadState | None) -> tuple[datetime, datetime]:
        """Return the first and the last instant to ask for."""
        now = self._context.now()
        # The opening of the first candle at or after the start, if known.
        off_grid = (_EPOCH - order.start) % order.resolution.span if _has_grid(order.resolution) else _NOTHING
        start = (kept and kept.start) or order.start + off_grid
        # The last candle that has closed and settled; the forming one is left out.
        closed = now - _SETTLED - order.resolution.span
        end = kept.end if kept else min(order.end or closed, closed)
        if start > end:
            raise UsageError(
                f"There is no closed {order.resolution.value} candle from {order.start:%Y-%m-%d %H:%M}Z to "
                f"{min(order.end or now, now):%Y-%m-%d %H:%M}Z. Nothing was written.",
                next="capcli prices --help",
            )
        return start, end


def windows(start: datetime, end: datetime, resolution: Resolution) -> Iterator[tuple[datetime, datetime]]:
    """Split a span into windows for single requests, both ends included (API page 11), oldest first.

    Candles up to an hour begin on the clock's grid. Where wider ones begin is not documented, so their
    windows cover every second.
    """
    span = resolution.span
    page = (_PAGE - 1) * span
    while start <= end:
        stop = min(start + page, end)
        yield start, stop
        start = stop + (span if _has_grid(resolution) else _SECOND)


class _Run:
    """One run of a download: threads read pages in any order, the target gets them in sequence."""

    def __init__(
        self,
        order: DownloadOrder,
        target: CandleTarget,
        *,
        start: datetime,
        kept: DownloadState,
        progress: Callable[[Progress], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._order = order
        self._target = target
        self._windows = tuple(windows(start, kept.end, order.resolution))
        self._kept = kept
        self._days = dict(kept.days)
        self._saved = kept.pages
        self._progress = progress
        self._monotonic = monotonic
        self._times: deque[float] = deque([monotonic()], maxlen=_RATE_OVER)

    def through(self, broker: Broker) -> DownloadState:
        """Fetch the missing pages, and return the final state."""
        saved_at = self._monotonic()
        todo = self._windows[self._kept.pages :]
        with _Pages(broker, self._order, todo) as pages:
            for candles in pages:
                if isinstance(candles, BaseException):
                    self._save()
                    raise candles
                self._take(candles)
                if self._monotonic() - saved_at >= _KEEP_EVERY_S:
                    self._save()
                    saved_at = self._monotonic()
        self._save()
        return self._kept

    def _take(self, candles: tuple[Candle, ...]) -> None:
        kept = self._kept
        candles = tuple(one for one in candles if kept.last is None or one.time > kept.last)
        self._target.append(candles)
        add(self._days, (one.time for one in candles), self._order.resolution.span)
        prices = (getattr(one, name) for one in candles for name in _PRICES)
        self._kept = replace(
            kept,
            pages=kept.pages + 1,
            rows=kept.rows + len(candles),
            requests=kept.requests + 1,
            first=kept.first or (candles[0].time if candles else None),
            last=candles[-1].time if candles else kept.last,
            days=self._days,
            price_places=max(kept.price_places, *map(_places, prices), 0),
            volume_places=max(kept.volume_places, *(_places(one.volume) for one in candles), 0),
        )
        self._times.append(self._monotonic())
        took = self._times[-1] - self._times[0]
        rate = (len(self._times) - 1) / took if took > 0 else 0.0
        missing = len(self._windows) - self._kept.pages
        left = missing / rate if rate else None
        self._progress(Progress(self._kept.rows, self._kept.pages, len(self._windows), rate, left))

    def _save(self) -> None:
        self._target.keep(self._kept)
        self._saved = self._kept.pages

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Add to the error of an aborted run what is stored, and how to resume."""
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"Interrupted. {self._where}", next=self._order.command) from None
        except CapcliError as error:
            error.message = f"{error.message} {self._where}"
            error.next = self._order.command
            raise

    @property
    def _where(self) -> str:
        if self._order.target == "-":
            return f"{self._kept.rows} candles were written; stdout cannot be continued."
        total = len(self._windows)
        return f"{self._saved} of {total} pages are stored; the same command continues from there."


class _Pages:
    """The pages of a download in order, read ahead by several threads."""

    def __init__(
        self, broker: Broker, order: DownloadOrder, todo: tuple[tuple[datetime, datetime], ...]
    ) -> None:
        self._broker = broker
        self._order = order
        self._todo = todo
        self._next = iter(range(len(todo)))
        self._lock = Lock()
        self._found: SimpleQueue[tuple[int, _Page]] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._over = Event()

    def __enter__(self) -> Self:
        for _ in range(min(_AHEAD, len(self._todo))):
            self._room.put(None)
        for _ in range(min(_IN_FLIGHT, len(self._todo))):
            Thread(target=self._fetch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for _thread in range(_IN_FLIGHT):
            self._room.put(None)

    def __iter__(self) -> Iterator[_Page]:
        early: dict[int, _Page] = {}
        for turn in range(len(self._todo)):
            while turn not in early:
                with suppress(Empty):
                    number, found = self._found.get(timeout=_LOOK_S)
                    early[number] = found
            yield early.pop(turn)
            self._room.put(None)

    def _fetch(self) -> None:
        while True:
            self._room.get()
            with self._lock:
                number = next(self._next, None)
            if number is None or self._over.is_set():
                return
            page = self._page(number)
            if isinstance(page, BaseException):
                # Earlier pages are on their way; later ones are not needed.
                self._over.set()
            self._found.put((number, page))

    def _page(self, number: int) -> _Page:
        start, stop = self._todo[number]
        try:
            found = self._broker.candles(
                self._order.epic, self._order.resolution, last=_PAGE, start=start, end=stop
            )
        except BaseException as error:  # noqa: BLE001  handed to the thread that writes
            return error
        if not found.unreadable:
            return found
        # The file must be complete: a missing candle would look like a gap.
        row = found.unreadable[0]
        return UnreadableAnswer(
            f"The broker's candle of {row.words} cannot be read: {row.why}. What came before it is kept.",
            next="capcli health --report",
        )


def _places(number: Decimal | None) -> int:
    return 0 if number is None else max(-int(number.as_tuple().exponent), 0)


def _has_grid(resolution: Resolution) -> bool:
    return resolution.span <= Resolution.HOUR.span


def _typed(at: datetime) -> str:
    """Format an instant for `--from` and `--to`."""
    return f"{at:%Y-%m-%d}" if at.time() == _MIDNIGHT else f"{at:%Y-%m-%dT%H:%M:%S}"
