"""Accounts, positions, working orders and alarms as rows of paper.db."""

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

BUY, SELL = "BUY", "SELL"


@dataclass(frozen=True, slots=True)
class Account:
    account_id: str
    name: str
    currency: str
    cash: Decimal
    preferred: bool


@dataclass(frozen=True, slots=True)
class Legs:
    """Stop and profit of a position as levels; `trail` is a distance and replaces a fixed stop."""

    stop: Decimal | None = None
    profit: Decimal | None = None
    guaranteed: bool = False
    trail: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Position:
    deal_id: str
    account_id: str
    epic: str
    direction: str
    size: Decimal
    level: Decimal
    leverage: int
    order_id: str
    created_ms: int
    legs: Legs
    trail_since: int  # the second the trailing stop was armed

    @property
    def long(self) -> bool:
        return self.direction == BUY

    @property
    def reference(self) -> str:
        return f"p_{self.deal_id}"


@dataclass(frozen=True, slots=True)
class Order:
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
    def legs(self) -> Legs:
        return Legs(
            None if self.stop_offset is None else self.level + self.stop_offset,
            None if self.profit_offset is None else self.level + self.profit_offset,
            self.guaranteed,
            self.trail,
        )


def opposite(direction: str) -> str:
    return SELL if direction == BUY else BUY


def accounts(db: sqlite3.Connection) -> tuple[Account, ...]:
    return tuple(map(_account, db.execute("SELECT * FROM accounts ORDER BY account_id").fetchall()))


def account(db: sqlite3.Connection, account_id: str) -> Account | None:
    row = db.execute("SELECT * FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
    return _account(row) if row else None


def book_cash(db: sqlite3.Connection, account_id: str, cash: Decimal) -> None:
    db.execute("UPDATE accounts SET cash = ? WHERE account_id = ?", (str(cash), account_id))


def prefer(db: sqlite3.Connection, account_id: str) -> None:
    db.execute("UPDATE accounts SET preferred = account_id = ?", (account_id,))


def positions_of(db: sqlite3.Connection, account_id: str) -> tuple[Position, ...]:
    """Oldest first: deal ids count upwards."""
    query = "SELECT * FROM positions WHERE account_id = ? ORDER BY deal_id"
    return tuple(map(_position, db.execute(query, (account_id,)).fetchall()))


def position(db: sqlite3.Connection, deal_id: str) -> Position | None:
    row = db.execute("SELECT * FROM positions WHERE deal_id = ?", (deal_id,)).fetchone()
    return _position(row) if row else None


def save_position(db: sqlite3.Connection, p: Position) -> None:
    values = (
        p.deal_id, p.account_id, p.epic, p.direction, str(p.size), str(p.level), p.leverage, p.order_id,
        p.created_ms, _text(p.legs.stop), _text(p.legs.profit), p.legs.guaranteed, _text(p.legs.trail),
        p.trail_since,
    )  # fmt: skip
    db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def drop_position(db: sqlite3.Connection, deal_id: str) -> None:
    db.execute("DELETE FROM positions WHERE deal_id = ?", (deal_id,))
    drop_alarm(db, deal_id)


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


def set_alarm(db: sqlite3.Connection, deal_id: str, since: int, wake: int) -> None:
    db.execute("INSERT OR REPLACE INTO alarms VALUES (?, ?, ?)", (deal_id, since, wake))


def drop_alarm(db: sqlite3.Connection, deal_id: str) -> None:
    db.execute("DELETE FROM alarms WHERE deal_id = ?", (deal_id,))


def next_alarm(db: sqlite3.Connection, until: int) -> tuple[str, int, int] | None:
    """The earliest alarm at or before a second: deal, searched from, wakes at."""
    query = "SELECT deal_id, since_s, wake_s FROM alarms WHERE wake_s <= ? ORDER BY wake_s, deal_id LIMIT 1"
    row = db.execute(query, (until,)).fetchone()
    return tuple(row) if row else None


def next_serial(db: sqlite3.Connection) -> int:
    query = "UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'serial' RETURNING value"
    return int(db.execute(query).fetchone()[0])


def _account(row: sqlite3.Row) -> Account:
    return Account(
        row["account_id"], row["name"], row["currency"], Decimal(row["cash"]), bool(row["preferred"])
    )


def _position(row: sqlite3.Row) -> Position:
    fields = {**dict(row)}
    stop, profit, guaranteed, trail = (fields.pop(name) for name in ("stop", "profit", "guaranteed", "trail"))
    fields["size"], fields["level"] = Decimal(fields["size"]), Decimal(fields["level"])
    return Position(**fields, legs=Legs(_number(stop), _number(profit), bool(guaranteed), _number(trail)))


def _order(row: sqlite3.Row) -> Order:
    fields = {**dict(row)}
    for name in ("size", "level", "stop_offset", "profit_offset", "trail"):
        fields[name] = _number(fields[name])
    return Order(**{**fields, "guaranteed": bool(fields["guaranteed"])})


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
