"""Paper files of any size: many closed deals, many open positions."""

import sqlite3
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from capcli.paper import book, config, overnight, records
from capcli.paper.book import Entry, Position
from capcli.paper.catalogue import MARKETS
from capcli.paper.context import Context
from capcli.paper.matching import close
from capcli.paper.price_feed import PriceFeed
from capcli.paper.scheduler import arm
from capcli.paper.state import reset
from capcli.paper.store import Store, writing
from capcli.paper.times import to_ms

EPICS = ("SILVER", "GOLD", "EURUSD", "BTCUSD", "ETHUSD", "SOLUSD", "XRPUSD", "LTCUSD")
CASH = Decimal("100000000.00")


def fill(path: Path, *, closed: int, opened: int, at: datetime) -> None:
    """A day of history ends at `at`: deals that opened and closed again, then positions that stay open."""
    reset(path, limits=False, at=at)
    with closing(Store(path)) as store, store.lent() as db:
        settings = config.load_or_create(db, to_ms(at))
        context = Context(db, PriceFeed(settings.seed), settings, to_ms(at), to_ms(at))
        with writing(db):
            account = book.accounts(db)[0].account_id
            book.post(db, Entry(account, context.now, book.DEPOSIT, "Deposit", CASH))
            for number in range(closed):
                _round_trip(context.moved_to(context.second - 86_400 * 30 + number * 25), account, number)
            for number in range(opened):
                _open(context, account, number, guarded=True)


def _open(context: Context, account: str, number: int, *, guarded: bool) -> Position:
    market = MARKETS[EPICS[number % len(EPICS)]]
    quote = context.quote(market)
    stop = market.on_grid(quote.bid * Decimal("0.7")) if guarded and number % 2 else None
    position = Position(
        records.new_deal_id(context, account), account, market.epic, book.BUY, market.min_size * 50,
        quote.offer, market.kind.leverage, records.new_deal_id(context, account), context.now,
        stop, None, False, None, context.second,
    )  # fmt: skip
    book.add_position(context.db, position)
    deal = records.deal_of(position, position.reference)
    records.confirm(context, deal, "OPEN", (records.Affected(position.deal_id, "OPENED"),))
    records.activity(context, deal, kind="POSITION", source="USER", status="ACCEPTED")
    if guarded:
        overnight.expect(context)
        book.watch_margin(context.db, account, context.second)
        arm(context, position, context.second + 1)
    return position


def _round_trip(context: Context, account: str, number: int) -> None:
    position = _open(context, account, number, guarded=False)
    close(context, position, position.size, position.level, "USER")
    book.drop_alarm(context.db, account)


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
