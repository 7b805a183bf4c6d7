"""An account's preferences: hedging, and a leverage for each class of market (API page 6.3)."""

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType

from capcli.paper import book
from capcli.paper.catalogue import COMMODITIES, CRYPTO, FOREX, INDICES, SHARES, Market
from capcli.paper.context import Call, Reply
from capcli.paper.messages import Refusal
from capcli.paper.wire import NewPreferences, decode

HEDGING = "hedgingMode"
# The published choices; the last is in force until the account chooses (assumption).
CHOICES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        SHARES.name: (1, 2, 3, 5),
        FOREX.name: (1, 10, 20, 30),
        INDICES.name: (1, 10, 20),
        CRYPTO.name: (1, 2),
        COMMODITIES.name: (1, 5, 10, 20),
    }
)


def leverage_of(db: sqlite3.Connection, account_id: str, market: Market) -> int:
    """The leverage of a new deal: the account's choice for the class, at most the market's own.

    Assumption: an open position keeps the leverage it was opened with (API page 14.5 leaves it open).
    """
    return min(_chosen(db, account_id).get(market.kind.name, market.kind.leverage), market.kind.leverage)


def hedges(db: sqlite3.Connection, account_id: str) -> bool:
    return bool(_chosen(db, account_id).get(HEDGING))


def _chosen(db: sqlite3.Connection, account_id: str) -> dict[str, int]:
    query = "SELECT name, value FROM preferences WHERE account_id = ?"
    return dict(db.execute(query, (account_id,)).fetchall())


def show(call: Call) -> Reply:
    chosen = _chosen(call.context.db, call.account_id)
    leverages = {
        group: {"current": chosen.get(group, choices[-1]), "available": choices}
        for group, choices in CHOICES.items()
    }
    return Reply({"hedgingMode": bool(chosen.get(HEDGING)), "leverages": leverages})


def update(call: Call) -> Reply:
    """Apply all requested changes, or none."""
    requested = decode(call.body, NewPreferences)
    values: dict[str, int] = {**(requested.leverages or {})}
    for group, leverage in values.items():
        if leverage not in CHOICES.get(group, ()):
            raise Refusal(400, "error.invalid.leverage.value")
    if requested.hedgingMode is not None:
        # Assumption: refused while positions are open; the code is invented (API page 17).
        changes = requested.hedgingMode != hedges(call.context.db, call.account_id)
        if changes and book.positions_of(call.context.db, call.account_id):
            raise Refusal(400, "error.invalid.hedgingMode")
        values[HEDGING] = int(requested.hedgingMode)
    rows = [(call.account_id, name, value) for name, value in values.items()]
    call.context.db.executemany("INSERT OR REPLACE INTO preferences VALUES (?, ?, ?)", rows)
    return Reply({"status": "SUCCESS"})
