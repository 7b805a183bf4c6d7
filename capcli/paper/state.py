"""Controls of the paper world: reset, status, faults."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from capcli.paper import active_faults, book, candle_files, config, faults, market_files, recordings
from capcli.paper.catalogue import catalogue
from capcli.paper.config import OPENINGS, NewAccount
from capcli.paper.context import Context
from capcli.paper.generator import SPANS
from capcli.paper.price_feed import RESOLUTIONS
from capcli.paper.recordings import Bars
from capcli.paper.settle import settle
from capcli.paper.store import Store, writing
from capcli.paper.times import SECOND_MS, from_ms, to_ms

NORMAL_SPEED = Decimal(1)


class PaperAccount(Struct, frozen=True):
    account_id: str
    name: str
    currency: str
    cash: Decimal


class PaperReplay(Struct, frozen=True):
    """A market that replays a file's candles; closed before the first, in gaps and after the last."""

    epic: str
    source: str
    resolution: str
    first: datetime
    until: datetime  # the end of the last bar
    bars: int
    rounded: int  # how many of the file's numbers were off the market's price grid


class PaperStatus(Struct, frozen=True):
    path: Path
    seed: str
    started: datetime  # real time of the reset
    market_time: datetime
    speed: Decimal
    ticks: int | None  # a second of every open market on the stream; None: as many as it trades
    limits: bool
    real_hours: bool  # also for SILVER, GOLD and EURUSD
    own_markets: tuple[str, ...]  # epics from a file of markets
    replays: tuple[PaperReplay, ...]
    accounts: tuple[PaperAccount, ...]
    open_positions: int
    working_orders: int
    deals_closed: int
    faults: int  # how many are set
    settled: tuple[str, ...] = ()  # attempts without an answer that a reset ended in the journal


class PaperFault(Struct, frozen=True):
    """A fault that is set; without `times` and `until` it stays until it is cleared."""

    name: str
    effect: str
    on: str
    value: str | None
    times: int | None
    until: datetime | None


class PaperFaults(Struct, frozen=True):
    faults: tuple[PaperFault, ...]


def reset(
    path: Path,
    *,
    seed: str | int | None = None,
    start: datetime | None = None,
    speed: Decimal = NORMAL_SPEED,
    ticks: int | None = None,
    replays: Mapping[str, Path] = MappingProxyType({}),
    limits: bool = True,
    accounts: Sequence[NewAccount] = OPENINGS,
    late_confirms: bool = True,
    real_hours: bool = False,
    markets: Path | None = None,
    at: datetime,
) -> None:
    """Delete everything; market time runs from `start`, `speed` times as fast as real time.

    Without a start it begins with the first bar that is replayed, or now. Raises candle_files.BadReplay
    and market_files.BadMarkets before anything was changed.
    """
    own = market_files.read(markets) if markets else None
    known = catalogue(own=market_files.restored(own))
    recorded = [candle_files.read(epic, file, known) for epic, file in replays.items()]
    settings = config.Settings(
        config.DEFAULT_SEED if seed is None else str(seed),
        to_ms(at),
        to_ms(start) if start else None,
        speed,
        limits,
        confirm_delay_ms=None if late_confirms else 0,
        ticks=ticks,
        real_hours=real_hours,
        own_markets=own,
    )
    with closing(Store(path)) as store, store.lent() as db:
        config.recreate(db, settings, recorded, accounts)


def switches(
    path: Path, *, at: datetime, session_cap: bool | None = None, confirm_delay_ms: int | None = None
) -> None:
    """Set switches for testing clients: an hour's cap on sessions, a fixed delay of confirms."""
    with _opened(path, at) as context:
        config.switch(context.db, session_cap=session_cap, confirm_delay_ms=confirm_delay_ms)


def set_fault(
    path: Path,
    name: str,
    *,
    at: datetime,
    times: int | None = None,
    lasts_s: float | None = None,
    on: str | None = None,
    value: str | None = None,
) -> None:
    """Set a fault for every process on the file, replacing one of that name. Raises faults.BadFault.

    `times` counts the requests it changes; `lasts_s` runs from `at`; it ends with the first to run out.
    """
    until = None if lasts_s is None else to_ms(at + timedelta(seconds=lasts_s))
    fault = faults.fault(name, on=on, value=value, times=times, until_ms=until)
    with _opened(path, at) as context, writing(context.db):
        active_faults.put(context.db, fault)


def clear_faults(path: Path, name: str | None = None, *, at: datetime) -> None:
    """Clear one fault, or all. Raises faults.BadFault for an unknown name."""
    if name is not None:
        faults.spec_of(name)
    with _opened(path, at) as context, writing(context.db):
        for fault in active_faults.holding(context.db, 0):
            if name in {None, fault.name}:
                active_faults.drop(context.db, fault.name)


def faults_set(path: Path, at: datetime) -> PaperFaults:
    with _opened(path, at) as context:
        found = active_faults.holding(context.db, context.at)
    return PaperFaults(
        tuple(
            PaperFault(
                fault.name,
                faults.SPECS[fault.name].effect,
                fault.on,
                fault.value,
                fault.times,
                None if fault.until_ms is None else from_ms(fault.until_ms),
            )
            for fault in found
        )
    )


@contextmanager
def _opened(path: Path, at: datetime) -> Iterator[Context]:
    with closing(Store(path)) as store, store.lent() as db:
        settings = config.load_or_create(db, to_ms(at))
        yield Context(db, config.price_feed(db, settings), settings, to_ms(at), settings.market_ms(to_ms(at)))


def status(path: Path, at: datetime) -> PaperStatus:
    with _opened(path, at) as context, writing(context.db):
        settle(context)
        settings = context.settings
        accounts = (PaperAccount(a.account_id, a.name, a.currency, a.cash) for a in book.accounts(context.db))
        return PaperStatus(
            path=path,
            seed=settings.seed,
            started=from_ms(settings.epoch_ms),
            market_time=from_ms(context.now),
            speed=settings.speed,
            ticks=settings.ticks,
            limits=settings.limits,
            real_hours=settings.real_hours,
            own_markets=tuple(one.epic for one in market_files.restored(settings.own_markets)),
            replays=tuple(map(_replay, recordings.load(context.db))),
            accounts=tuple(accounts),
            open_positions=_count(context, "positions"),
            working_orders=_count(context, "orders"),
            deals_closed=_count(context, "transactions WHERE type = 'TRADE'"),
            faults=len(active_faults.holding(context.db, context.at)),
        )


def _replay(bars: Bars) -> PaperReplay:
    return PaperReplay(
        bars.epic,
        bars.source,
        next(name for name, level in RESOLUTIONS.items() if level == bars.level),
        from_ms(bars.starts[0] * SECOND_MS),
        from_ms((bars.starts[-1] + SPANS[bars.level]) * SECOND_MS),
        len(bars.starts),
        bars.rounded,
    )


def _count(context: Context, rows: str) -> int:
    return int(context.db.execute(f"SELECT count(*) FROM {rows}").fetchone()[0])  # noqa: S608  (our own)
