"""The faults that are set, in paper.db: all processes on the file meet them and count them together."""

import sqlite3
from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from capcli.paper import faults
from capcli.paper.context import Context
from capcli.paper.faults import Fault

NONE: frozenset[str] = frozenset()


class _Dated(Protocol):
    @property
    def created_ms(self) -> int: ...


_Deal = TypeVar("_Deal", bound=_Dated)


def armed(db: sqlite3.Connection, method: str, path: str, at_ms: int) -> frozenset[str]:
    """The names of the faults that a request meets; one empty read when nothing is set."""
    rows = db.execute("SELECT value FROM faults").fetchall()
    if not rows:
        return NONE
    met = faults.kinds(method, path)
    return frozenset(f.name for f in map(_decode, rows) if f.on in met and f.holds(at_ms))


def put(db: sqlite3.Connection, fault: Fault) -> None:
    db.execute("INSERT OR REPLACE INTO faults VALUES (?, ?)", (fault.name, msgspec.json.encode(fault)))


def drop(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM faults WHERE name = ?", (name,))


def holding(db: sqlite3.Connection, at_ms: int) -> list[Fault]:
    rows = db.execute("SELECT value FROM faults ORDER BY name").fetchall()
    return [fault for fault in map(_decode, rows) if fault.holds(at_ms)]


def strike(context: Context, name: str) -> Fault | None:
    """A fault that this request meets, counted. Inside a write transaction, as the two below."""
    fault = peek(context, name)
    if fault:
        spend(context, fault)
    return fault


def strike_stream(db: sqlite3.Connection, name: str, at_ms: int) -> bool:
    """The same for a fault of streams, which meets no request."""
    fault = next((one for one in holding(db, at_ms) if one.name == name), None)
    if fault:
        _spend(db, fault)
    return fault is not None


def peek(context: Context, name: str) -> Fault | None:
    """The same without counting; None when another process had the last of it."""
    if name not in context.faults:
        return None
    row = context.db.execute("SELECT value FROM faults WHERE name = ?", (name,)).fetchone()
    return _decode(row) if row else None


def spend(context: Context, fault: Fault) -> None:
    _spend(context.db, fault)


def _spend(db: sqlite3.Connection, fault: Fault) -> None:
    if fault.times is None:
        return
    if fault.times > 1:
        put(db, replace(fault, times=fault.times - 1))
    else:
        drop(db, fault.name)


def listed(context: Context, deals: Sequence[_Deal]) -> Sequence[_Deal]:
    """Those of an account's deals that lists show already (API page 9.6)."""
    fault = peek(context, faults.DEAL_LATE)
    if fault is None:
        return deals
    since = context.now - fault.ms
    shown = [deal for deal in deals if deal.created_ms <= since]
    if len(shown) < len(deals):
        spend(context, fault)
    return shown


def hides_confirm(context: Context, recorded_ms: int) -> bool:
    if strike(context, faults.CONFIRM_NEVER):
        return True
    late = peek(context, faults.CONFIRM_LATE)
    # Recorded in the future: this computer's clock was set back, and the confirm is not late.
    if late is None or not 0 <= context.at - recorded_ms < late.ms:
        return False
    spend(context, late)
    return True


def _decode(row: sqlite3.Row) -> Fault:
    return msgspec.json.decode(row[0], type=Fault)
