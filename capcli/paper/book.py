"""Accounts, bookings, positions with their sums, working orders and alarms as rows of paper.db."""

import sqlite3
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from capcli.paper.store import DEAL, FEE, MARGIN, OVERNIGHT
from capcli.paper.times import SECOND_MS

BUY, SELL = "BUY", "SELL"
DEPOSIT, TRADE, SWAP = "DEPOSIT", "TRADE", "SWAP"
PROCESSED = "PROCESSED"


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
    deal_id: str
    account_id: str
    epic: str
    direction: str
    size: Decimal
    level: Decimal
    leverage: int
    order_id: str
    created_ms: int
    legs: ExitOrders
    trail_since: int  # the second the trailing stop was armed

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
    stop_offset: Decimal | None
    profit_offset: Decimal | None
    guaranteed: bool
    trail: Decimal | None

    @property
    def long(self) -> bool:
        return self.direction == BUY

    @property
    def legs(self) -> ExitOrders:
        return ExitOrders(
            None if self.stop_offset is None else self.level + self.stop_offset,
            None if self.profit_offset is None else self.level + self.profit_offset,
            self.guaranteed,
            self.trail,
        )


class Holding(NamedTuple):
    """All rows of one account, market, side and leverage together; `cost` is the sum of size x level.

    Both sums are decimals in text, as they are stored.
    """

    epic: str
    direction: str
    leverage: int
    size: str
    cost: str


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


class Alarm(NamedTuple):
    """What it stands under is a deal, an account or OVERNIGHT, as its rank says."""

    name: str
    since: int
    wake: int
    rank: int


def opposite(direction: str) -> str:
    return SELL if direction == BUY else BUY


def accounts(db: sqlite3.Connection) -> tuple[Account, ...]:
    return tuple(map(_account, db.execute("SELECT * FROM accounts ORDER BY account_id").fetchall()))


def account(db: sqlite3.Connection, account_id: str) -> Account | None:
    row = db.execute("SELECT * FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
    return _account(row) if row else None


def owner(db: sqlite3.Connection, account_id: str) -> Account:
    found = account(db, account_id)
    assert found, "every deal, booking and session belongs to an account of the same database"
    return found


def book_cash(db: sqlite3.Connection, account_id: str, cash: Decimal) -> None:
    db.execute("UPDATE accounts SET cash = ? WHERE account_id = ?", (str(cash), account_id))


def post(db: sqlite3.Connection, *entries: Entry) -> None:
    """Bookings of one account and one instant, inside a write transaction."""
    account = owner(db, entries[0].account_id)
    book_cash(db, account.account_id, sum((entry.amount for entry in entries), account.cash))
    watch_margin(db, account.account_id, entries[0].at_ms // SECOND_MS)
    db.executemany(
        "INSERT INTO transactions"
        " (account_id, at_ms, epic, type, note, amount, deal_id, currency, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_row(entry, account.currency) for entry in entries],
    )


def _row(entry: Entry, currency: str) -> tuple[object, ...]:
    return (
        entry.account_id, entry.at_ms, entry.epic, entry.type, entry.note, str(entry.amount), entry.deal_id,
        currency, PROCESSED,
    )  # fmt: skip


def prefer(db: sqlite3.Connection, account_id: str) -> None:
    db.execute("UPDATE accounts SET preferred = account_id = ?", (account_id,))


def positions_of(db: sqlite3.Connection, account_id: str) -> tuple[Position, ...]:
    """Oldest first: deal ids count upwards."""
    query = "SELECT * FROM positions WHERE account_id = ? ORDER BY deal_id"
    return tuple(map(read_position, db.execute(query, (account_id,)).fetchall()))


def oldest_against(db: sqlite3.Connection, account_id: str, epic: str, direction: str) -> Position | None:
    """The row that a trade nets against first."""
    query = (
        "SELECT * FROM positions WHERE account_id = ? AND epic = ? AND direction = ? ORDER BY deal_id LIMIT 1"
    )
    row = db.execute(query, (account_id, epic, opposite(direction))).fetchone()
    return read_position(row) if row else None


def accounts_with_positions(db: sqlite3.Connection) -> tuple[Account, ...]:
    query = "SELECT * FROM accounts WHERE account_id IN (SELECT account_id FROM holdings) ORDER BY account_id"
    return tuple(map(_account, db.execute(query).fetchall()))


def holdings_of(db: sqlite3.Connection, account_id: str) -> tuple[Holding, ...]:
    query = "SELECT epic, direction, leverage, size, cost FROM holdings WHERE account_id = ?"
    return tuple(map(Holding._make, db.execute(query, (account_id,)).fetchall()))


def position(db: sqlite3.Connection, deal_id: str) -> Position | None:
    row = db.execute("SELECT * FROM positions WHERE deal_id = ?", (deal_id,)).fetchone()
    return read_position(row) if row else None


def add_position(db: sqlite3.Connection, p: Position) -> None:
    values = (
        p.deal_id, p.account_id, p.epic, p.direction, str(p.size), str(p.level), p.leverage, p.order_id,
        p.created_ms, *_legs(p.legs), p.trail_since,
    )  # fmt: skip
    db.execute("INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    _hold(db, p, p.size, 1)


def reduce_position(db: sqlite3.Connection, p: Position, by: Decimal) -> None:
    """The row keeps its id with what is left, and goes when nothing is."""
    left = p.size - by
    _hold(db, p, -by, 0 if left else -1)
    if left:
        db.execute("UPDATE positions SET size = ? WHERE deal_id = ?", (str(left), p.deal_id))
    else:
        db.execute("DELETE FROM positions WHERE deal_id = ?", (p.deal_id,))
        drop_alarm(db, p.deal_id)


def save_exit_orders(db: sqlite3.Connection, p: Position) -> None:
    columns = "stop = ?, profit = ?, guaranteed = ?, trail = ?, trail_since = ?"
    row = (*_legs(p.legs), p.trail_since, p.deal_id)
    db.execute(f"UPDATE positions SET {columns} WHERE deal_id = ?", row)  # noqa: S608  (our own columns)


def _legs(legs: ExitOrders) -> tuple[str | None, str | None, bool, str | None]:
    return _text(legs.stop), _text(legs.profit), legs.guaranteed, _text(legs.trail)


def _hold(db: sqlite3.Connection, p: Position, size: Decimal, deals: int) -> None:
    """Moves the sums, in Decimal: SQLite would add them as floats."""
    key = (p.account_id, p.epic, p.direction, p.leverage)
    where = "WHERE account_id = ? AND epic = ? AND direction = ? AND leverage = ?"
    row = db.execute(f"SELECT deals, size, cost FROM holdings {where}", key).fetchone()  # noqa: S608
    before = (row[0], Decimal(row[1]), Decimal(row[2])) if row else (0, Decimal(0), Decimal(0))
    count = before[0] + deals
    if not count:
        db.execute(f"DELETE FROM holdings {where}", key)  # noqa: S608
        return
    values = (*key, count, str(before[1] + size), str(before[2] + size * p.level))
    db.execute("INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def orders_of(db: sqlite3.Connection, account_id: str) -> tuple[Order, ...]:
    query = "SELECT * FROM orders WHERE account_id = ? ORDER BY deal_id"
    return tuple(map(_order, db.execute(query, (account_id,)).fetchall()))


def order(db: sqlite3.Connection, deal_id: str) -> Order | None:
    row = db.execute("SELECT * FROM orders WHERE deal_id = ?", (deal_id,)).fetchone()
    return _order(row) if row else None


def save_order(db: sqlite3.Connection, o: Order) -> None:
    values = (
        o.deal_id, o.account_id, o.epic, o.direction, o.type, str(o.size), str(o.level), o.leverage,
        o.created_ms, o.good_till_ms, _text(o.stop_offset), _text(o.profit_offset), o.guaranteed,
        _text(o.trail),
    )  # fmt: skip
    db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def drop_order(db: sqlite3.Connection, deal_id: str) -> None:
    db.execute("DELETE FROM orders WHERE deal_id = ?", (deal_id,))
    drop_alarm(db, deal_id)


def set_alarm(db: sqlite3.Connection, name: str, since: int, wake: int, rank: int = DEAL) -> None:
    db.execute("INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?)", (name, since, wake, rank))


def drop_alarm(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM alarms WHERE deal_id = ?", (name,))


def watch_margin(db: sqlite3.Connection, account_id: str, second: int) -> None:
    """Whatever changes an account's cash or positions has its margin looked at from the next second on."""
    set_alarm(db, account_id, second + 1, second + 1, MARGIN)


def expect_fee(db: sqlite3.Connection, second: int) -> None:
    """The overnight alarm of the first open position; one that is set stays."""
    row = (OVERNIGHT, second, second, FEE)
    db.execute("INSERT OR IGNORE INTO alarms VALUES (?, ?, ?, ?)", row)


def next_alarm(db: sqlite3.Connection, until: int) -> Alarm | None:
    """The earliest alarm at or before a second."""
    query = (
        "SELECT deal_id, since_s, wake_s, rank FROM alarms WHERE wake_s <= ?"
        " ORDER BY wake_s, rank, deal_id LIMIT 1"
    )
    row = db.execute(query, (until,)).fetchone()
    return Alarm(*row) if row else None


def next_serial(db: sqlite3.Connection) -> int:
    query = "UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'serial' RETURNING value"
    return int(db.execute(query).fetchone()[0])


def _account(row: sqlite3.Row) -> Account:
    return Account(
        row["account_id"],
        row["name"],
        row["currency"],
        Decimal(row["cash"]),
        bool(row["preferred"]),
    )


def read_position(row: sqlite3.Row) -> Position:
    (
        deal_id, account_id, epic, direction, size, level, leverage, order_id, created_ms,
        stop, profit, guaranteed, trail, trail_since,
    ) = row  # fmt: skip
    legs = ExitOrders(_number(stop), _number(profit), bool(guaranteed), _number(trail))
    return Position(
        deal_id, account_id, epic, direction, Decimal(size), Decimal(level), leverage, order_id, created_ms,
        legs, trail_since,
    )  # fmt: skip


def _order(row: sqlite3.Row) -> Order:
    fields = {**dict(row)}
    for name in ("size", "level", "stop_offset", "profit_offset", "trail"):
        fields[name] = _number(fields[name])
    return Order(**{**fields, "guaranteed": bool(fields["guaranteed"])})


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
