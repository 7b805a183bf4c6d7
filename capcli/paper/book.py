"""Accounts, bookings, positions with their sums, working orders and alarms as rows of paper.db."""

import sqlite3
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct, convert
from msgspec.structs import asdict

from capcli.paper.store import DEAL, FEE, MARGIN, OVERNIGHT, insert
from capcli.paper.times import SECOND_MS

BUY, SELL = "BUY", "SELL"
DEPOSIT, TRADE, SWAP = "DEPOSIT", "TRADE", "SWAP"
PROCESSED = "PROCESSED"
_Row = TypeVar("_Row", bound=Struct)


class Account(Struct, frozen=True):
    account_id: str
    name: str
    currency: str
    cash: Decimal
    preferred: bool


class ExitOrders(Struct, frozen=True):
    """Stop and profit of a position as levels; `trail` is a distance and replaces a fixed stop."""

    stop: Decimal | None = None
    profit: Decimal | None = None
    guaranteed: bool = False
    trail: Decimal | None = None


class Position(Struct, frozen=True):
    """Stop, profit and `trail` as in `ExitOrders`."""

    deal_id: str
    account_id: str
    epic: str
    direction: str
    size: Decimal
    level: Decimal
    leverage: int
    order_id: str
    created_ms: int
    stop: Decimal | None
    profit: Decimal | None
    guaranteed: bool
    trail: Decimal | None
    trail_since: int  # the second in which the trailing stop was armed

    @property
    def long(self) -> bool:
        return self.direction == BUY

    @property
    def reference(self) -> str:
        return f"p_{self.deal_id}"


class Order(Struct, frozen=True):
    """A working order; its stop and profit are kept as signed offsets from its level (API page 6.5)."""

    deal_id: str
    account_id: str
    epic: str
    direction: str
    type: str
    size: Decimal
    level: Decimal
    leverage: int
    created_ms: int
    good_till_ms: int | None
    stop_offset: Decimal | None = None
    profit_offset: Decimal | None = None
    guaranteed: bool = False
    trail: Decimal | None = None

    @property
    def long(self) -> bool:
        return self.direction == BUY

    @property
    def exits(self) -> ExitOrders:
        offsets = (self.stop_offset, self.profit_offset)
        stop, profit = (None if offset is None else self.level + offset for offset in offsets)
        return ExitOrders(stop, profit, self.guaranteed, self.trail)


class Entry(Struct, frozen=True):
    """One booking, in the account's currency, rounded to 0.01 already.

    `deal_id` is the position of a TRADE; fees and deposits carry none (API page 10.2).
    """

    account_id: str
    at_ms: int
    type: str
    note: str
    amount: Decimal
    epic: str | None = None
    deal_id: str | None = None


class ScheduledCheck(Struct, frozen=True):
    """A row of `alarms`. By rank, `deal_id` is a deal, an account or OVERNIGHT. Times in seconds."""

    deal_id: str
    since_s: int
    wake_s: int
    rank: int


def opposite(direction: str) -> str:
    return SELL if direction == BUY else BUY


def _rows(shape: type[_Row], db: sqlite3.Connection, query: str, *values: object) -> tuple[_Row, ...]:
    rows = db.execute(query, values).fetchall()
    return tuple(convert(dict(row), shape, strict=False) for row in rows)


def _row(shape: type[_Row], db: sqlite3.Connection, query: str, *values: object) -> _Row | None:
    row = db.execute(query, values).fetchone()
    return convert(dict(row), shape, strict=False) if row else None


def accounts(db: sqlite3.Connection) -> tuple[Account, ...]:
    return _rows(Account, db, "SELECT * FROM accounts ORDER BY account_id")


def account(db: sqlite3.Connection, account_id: str) -> Account | None:
    return _row(Account, db, "SELECT * FROM accounts WHERE account_id = ?", account_id)


def owner(db: sqlite3.Connection, account_id: str) -> Account:
    found = account(db, account_id)
    assert found, "every deal, booking and session belongs to an account of the same database"
    return found


def post(db: sqlite3.Connection, *entries: Entry) -> None:
    """Bookings of one account and one instant, inside a write transaction: their sum is always the cash."""
    account = owner(db, entries[0].account_id)
    cash = sum((entry.amount for entry in entries), account.cash)
    db.execute("UPDATE accounts SET cash = ? WHERE account_id = ?", (str(cash), account.account_id))
    watch_margin(db, account.account_id, entries[0].at_ms // SECOND_MS)
    for entry in entries:
        insert(db, "transactions", **asdict(entry), currency=account.currency, status=PROCESSED)


def prefer(db: sqlite3.Connection, account_id: str) -> None:
    db.execute("UPDATE accounts SET preferred = account_id = ?", (account_id,))


def positions_of(db: sqlite3.Connection, account_id: str) -> tuple[Position, ...]:
    """Oldest first: deal ids count upwards."""
    return _rows(Position, db, "SELECT * FROM positions WHERE account_id = ? ORDER BY deal_id", account_id)


def oldest_against(db: sqlite3.Connection, account_id: str, epic: str, direction: str) -> Position | None:
    """The row that a trade closes first."""
    query = (
        "SELECT * FROM positions WHERE account_id = ? AND epic = ? AND direction = ? ORDER BY deal_id LIMIT 1"
    )
    return _row(Position, db, query, account_id, epic, opposite(direction))


def accounts_with_positions(db: sqlite3.Connection) -> tuple[Account, ...]:
    query = (
        "SELECT * FROM accounts WHERE account_id IN (SELECT account_id FROM positions) ORDER BY account_id"
    )
    return _rows(Account, db, query)


def position(db: sqlite3.Connection, deal_id: str) -> Position | None:
    return _row(Position, db, "SELECT * FROM positions WHERE deal_id = ?", deal_id)


def reduce_position(db: sqlite3.Connection, p: Position, by: Decimal) -> None:
    """The rest keeps the row's id; without a rest the row is deleted."""
    left = p.size - by
    if left:
        db.execute("UPDATE positions SET size = ? WHERE deal_id = ?", (str(left), p.deal_id))
    else:
        db.execute("DELETE FROM positions WHERE deal_id = ?", (p.deal_id,))
        drop_alarm(db, p.deal_id)


def save(db: sqlite3.Connection, row: Position | Order) -> None:
    insert(db, "positions" if isinstance(row, Position) else "orders", **asdict(row))


def orders_of(db: sqlite3.Connection, account_id: str) -> tuple[Order, ...]:
    return _rows(Order, db, "SELECT * FROM orders WHERE account_id = ? ORDER BY deal_id", account_id)


def order(db: sqlite3.Connection, deal_id: str) -> Order | None:
    return _row(Order, db, "SELECT * FROM orders WHERE deal_id = ?", deal_id)


def drop_order(db: sqlite3.Connection, deal_id: str) -> None:
    db.execute("DELETE FROM orders WHERE deal_id = ?", (deal_id,))
    drop_alarm(db, deal_id)


def set_alarm(db: sqlite3.Connection, name: str, since: int, wake: int, rank: int = DEAL) -> None:
    insert(db, "alarms", deal_id=name, since_s=since, wake_s=wake, rank=rank)


def drop_alarm(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM alarms WHERE deal_id = ?", (name,))


def watch_margin(db: sqlite3.Connection, account_id: str, second: int) -> None:
    """Called after every change of cash or positions: the margin is checked from the next second on."""
    set_alarm(db, account_id, second + 1, second + 1, MARGIN)


def expect_fee(db: sqlite3.Connection, second: int) -> None:
    """Schedule the overnight fee, unless it is scheduled already."""
    row = (OVERNIGHT, second, second, FEE)
    db.execute("INSERT OR IGNORE INTO alarms VALUES (?, ?, ?, ?)", row)


def next_due(db: sqlite3.Connection, until: int) -> ScheduledCheck | None:
    """The earliest check at or before a second."""
    query = "SELECT * FROM alarms WHERE wake_s <= ? ORDER BY wake_s, rank, deal_id LIMIT 1"
    return _row(ScheduledCheck, db, query, until)


def next_serial(db: sqlite3.Connection) -> int:
    query = "UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'serial' RETURNING value"
    return int(db.execute(query).fetchone()[0])
