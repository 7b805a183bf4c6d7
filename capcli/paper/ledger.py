"""Cash and the transactions behind it: they move together, so their sum is the cash at every moment."""

import sqlite3
from decimal import Decimal

from msgspec import Struct

from capcli.paper import book
from capcli.paper.times import SECOND_MS

DEPOSIT, TRADE, SWAP = "DEPOSIT", "TRADE", "SWAP"
PROCESSED = "PROCESSED"


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


def post(db: sqlite3.Connection, *entries: Entry) -> None:
    """Bookings of one account and one instant, inside a write transaction."""
    owner = book.owner(db, entries[0].account_id)
    book.book_cash(db, owner.account_id, sum((entry.amount for entry in entries), owner.cash))
    book.watch_margin(db, owner.account_id, entries[0].at_ms // SECOND_MS)
    db.executemany(
        "INSERT INTO transactions"
        " (account_id, at_ms, epic, type, note, amount, deal_id, currency, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_row(entry, owner.currency) for entry in entries],
    )


def _row(entry: Entry, currency: str) -> tuple[object, ...]:
    return (
        entry.account_id, entry.at_ms, entry.epic, entry.type, entry.note, str(entry.amount), entry.deal_id,
        currency, PROCESSED,
    )  # fmt: skip
