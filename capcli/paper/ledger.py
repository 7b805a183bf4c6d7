"""Cash and the transactions behind it: they move together, so their sum is the cash at every moment."""

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from capcli.paper import book
from capcli.paper.times import SECOND_MS

DEPOSIT, TRADE, SWAP = "DEPOSIT", "TRADE", "SWAP"
PROCESSED = "PROCESSED"


@dataclass(frozen=True, slots=True)
class Entry:
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


def post(db: sqlite3.Connection, entry: Entry) -> None:
    """Inside a write transaction."""
    owner = book.owner(db, entry.account_id)
    book.book_cash(db, owner.account_id, owner.cash + entry.amount)
    row = (
        entry.account_id, entry.at_ms, entry.epic, entry.type, entry.note, str(entry.amount), entry.deal_id,
        owner.currency, PROCESSED,
    )  # fmt: skip
    book.watch_margin(db, owner.account_id, entry.at_ms // SECOND_MS)
    db.execute(
        "INSERT INTO transactions"
        " (account_id, at_ms, epic, type, note, amount, deal_id, currency, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )
