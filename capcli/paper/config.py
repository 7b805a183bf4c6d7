"""The paper world's settings, clock and accounts: read from paper.db, filled in on first use."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct, convert
from msgspec.structs import asdict, replace

from capcli.paper import book, market_files, recordings
from capcli.paper.catalogue import CURRENCIES, DOLLAR, catalogue
from capcli.paper.price_feed import PriceFeed
from capcli.paper.recordings import Bars
from capcli.paper.store import TABLES, insert, writing
from capcli.paper.times import SECOND_MS

DEFAULT_SEED = "capcli"
_FIRST_ID, _MOST_ACCOUNTS, _MOST_CASH = 100482915730264817, 10, Decimal(10) ** 9


class NewAccount(NamedTuple):
    """An account as it is on the first day."""

    account_id: str
    name: str
    currency: str
    cash: Decimal


class BadAccounts(ValueError):
    """Accounts that cannot be opened; the message says why."""


def openings(*wanted: tuple[str, Decimal]) -> tuple[NewAccount, ...]:
    """Accounts by currency and cash; the first is the preferred one. Raises BadAccounts."""
    found: list[NewAccount] = []
    for place, (currency, cash) in enumerate(wanted):
        if currency not in CURRENCIES:
            known = ", ".join(sorted(CURRENCIES))
            raise BadAccounts(f"{currency[:20]!a} is no currency of the paper broker; there are: {known}.")
        if not 0 < cash <= _MOST_CASH:
            raise BadAccounts(f"An account begins with more than 0, at most {_MOST_CASH}.")
        like = sum(other.currency == currency for other in found)
        name = f"{currency} paper {like + 1}" if like else f"{currency} paper"
        found.append(NewAccount(str(_FIRST_ID + 8 * place), name, currency, cash.quantize(Decimal("0.01"))))
    if not 0 < len(found) <= _MOST_ACCOUNTS:
        raise BadAccounts(f"A paper broker has 1 to {_MOST_ACCOUNTS} accounts.")
    return tuple(found)


OPENINGS = openings((DOLLAR, Decimal(10_000)), ("EUR", Decimal(5_000)))


class Settings(Struct, frozen=True):
    seed: str
    epoch_ms: int  # real time of the reset
    start_ms: int | None = None  # market time then; None: the market runs on real time
    speed: Decimal = Decimal(1)
    limits: bool = True
    session_cap: bool = False  # sessions die after an hour however busy (API page 2.5)
    confirm_delay_ms: int | None = None  # for every confirm; None: decided per reference
    ticks: int | None = None  # a second of every open market on the stream; None: as many as it trades
    replays: str | None = None  # identifies this world's recordings
    real_hours: bool = False  # also for README's markets
    own_markets: str | None = None  # as market_files keeps them

    def market_ms(self, at_ms: int) -> int:
        if self.start_ms is None:
            return at_ms
        return self.start_ms + int((at_ms - self.epoch_ms) * self.speed)


def load(db: sqlite3.Connection) -> Settings | None:
    """Each value is stored as its text, None as NULL."""
    rows = dict(db.execute("SELECT name, value FROM settings WHERE value IS NOT NULL").fetchall())
    if "seed" not in rows or "epoch_ms" not in rows:
        return None
    return convert({"limits": False, **rows}, Settings, strict=False)


def save(db: sqlite3.Connection, settings: Settings) -> None:
    for name, value in asdict(settings).items():
        insert(db, "settings", name=name, value=None if value is None else str(value))


def load_or_create(db: sqlite3.Connection, at_ms: int) -> Settings:
    if settings := load(db):
        return settings
    with writing(db):
        if settings := load(db):  # another process was first
            return settings
        return create(db, Settings(DEFAULT_SEED, at_ms))


def recreate(
    db: sqlite3.Connection,
    wanted: Settings,
    replays: Sequence[Bars] = (),
    accounts: Sequence[NewAccount] = OPENINGS,
) -> Settings:
    """Start over in one transaction; the world begins now, or with its first recording."""
    start = wanted.start_ms
    if start is None and replays:
        start = min(bars.starts[0] for bars in replays) * SECOND_MS
    elif start is None and wanted.speed != 1:
        start = wanted.epoch_ms
    with writing(db):
        for table in TABLES:
            db.execute(f"DELETE FROM {table}")  # noqa: S608  (names from our own table)
        return create(db, replace(wanted, start_ms=start, replays=recordings.save(db, replays)), accounts)


def create(db: sqlite3.Connection, settings: Settings, accounts: Sequence[NewAccount] = OPENINGS) -> Settings:
    save(db, settings)
    # Deal ids begin at the time of the reset, so that no old id is used again.
    insert(db, "settings", name="serial", value=settings.epoch_ms)
    began = settings.market_ms(settings.epoch_ms)
    for index, opening in enumerate(accounts):
        insert(db, "accounts", **{**opening._asdict(), "cash": "0.00"}, preferred=index == 0)
        book.post(db, book.Entry(opening.account_id, began, book.DEPOSIT, "Deposit", opening.cash))
    return settings


def switch(
    db: sqlite3.Connection, *, session_cap: bool | None = None, confirm_delay_ms: int | None = None
) -> None:
    """Set the two switches for testing clients; None leaves a switch unchanged."""
    wanted = {"session_cap": session_cap, "confirm_delay_ms": confirm_delay_ms}
    with writing(db):
        if settings := load(db):
            changes = {name: value for name, value in wanted.items() if value is not None}
            save(db, replace(settings, **changes))


class PriceFeeds:
    """A cache of the price feeds of a file's latest worlds."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], PriceFeed] = {}

    def of(self, db: sqlite3.Connection, settings: Settings) -> PriceFeed:
        key = (settings.seed, settings.replays, settings.real_hours, settings.own_markets)
        if key not in self._kept:
            if len(self._kept) > 1:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = price_feed(db, settings)
        return self._kept[key]


def price_feed(db: sqlite3.Connection, settings: Settings) -> PriceFeed:
    recorded = recordings.load(db) if settings.replays else ()
    own = market_files.restored(settings.own_markets)
    markets = catalogue(real_hours=settings.real_hours, own=own, replayed=[bars.epic for bars in recorded])
    return PriceFeed(settings.seed, recordings.playing(settings.seed, recorded, markets), markets)
