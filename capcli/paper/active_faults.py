"""The faults that are set, in paper.db: shared and counted by all processes on the file."""

import sqlite3
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from capcli.paper import faults
from capcli.paper.book import Order, Position
from capcli.paper.context import Context
from capcli.paper.faults import Fault
from capcli.paper.store import insert

_Deal = TypeVar("_Deal", Position, Order)


def names_met(db: sqlite3.Connection, method: str, path: str, at_ms: int) -> frozenset[str]:
    """The names of the faults that a request meets."""
    return frozenset(fault.name for fault in holding(db, at_ms) if fault.on in faults.kinds(method, path))


def put(db: sqlite3.Connection, fault: Fault) -> None:
    insert(db, "faults", name=fault.name, value=msgspec.json.encode(fault))


def drop(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM faults WHERE name = ?", (name,))


def holding(db: sqlite3.Connection, at_ms: int) -> list[Fault]:
    rows = db.execute("SELECT value FROM faults ORDER BY name").fetchall()
    found = (msgspec.json.decode(row[0], type=Fault) for row in rows)
    return [fault for fault in found if fault.until_ms is None or at_ms < fault.until_ms]


def strike(context: Context, name: str) -> Fault | None:
    """A fault that applies to this request, counted as used. Inside a write transaction, as `spend`."""
    fault = peek(context, name)
    if fault:
        spend(context.db, fault)
    return fault


def peek(context: Context, name: str) -> Fault | None:
    """The same without counting; None if another process used it up."""
    if name not in context.faults:
        return None
    row = context.db.execute("SELECT value FROM faults WHERE name = ?", (name,)).fetchone()
    return msgspec.json.decode(row[0], type=Fault) if row else None


def spend(db: sqlite3.Connection, fault: Fault) -> None:
    if fault.times is None:
        return
    if fault.times > 1:
        put(db, replace(fault, times=fault.times - 1))
    else:
        drop(db, fault.name)


def listed(context: Context, deals: Sequence[_Deal]) -> Sequence[_Deal]:
    """The account's deals that lists already show (API page 9.6)."""
    fault = peek(context, faults.DEAL_LATE)
    if fault is None:
        return deals
    since = context.now - fault.ms
    visible = [deal for deal in deals if deal.created_ms <= since]
    if len(visible) < len(deals):
        spend(context.db, fault)
    return visible


def hides_confirm(context: Context, recorded_ms: int) -> bool:
    if strike(context, faults.CONFIRM_NEVER):
        return True
    late = peek(context, faults.CONFIRM_LATE)
    # Recorded in the future: this computer's clock was set back, and the confirm is not late.
    if late is None or not 0 <= context.at - recorded_ms < late.ms:
        return False
    spend(context.db, late)
    return True
