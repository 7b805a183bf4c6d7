"""Bookings of an account on the wire (API page 10.2)."""

import sqlite3
from typing import Any

from capcli.paper.context import Call, Reply
from capcli.paper.messages import Refusal
from capcli.paper.times import account_local, stamp
from capcli.paper.wire import period, queried

_LONGEST_PERIOD_S = 10**10  # no limit is documented; more seconds than since 1970
_FIRST_REFERENCE = 100_000_000_000_000
# As published (API page 7).
TYPES = frozenset(
    {
        "INACTIVITY_FEE",
        "RESERVE",
        "VOID",
        "UNRESERVE",
        "WRITE_OFF_OR_CREDIT",
        "CREDIT_FACILITY",
        "FX_COMMISSION",
        "COMPLAINT_SETTLEMENT",
        "DEPOSIT",
        "WITHDRAWAL",
        "REFUND",
        "WITHDRAWAL_MONEY_BACK",
        "TRADE",
        "SWAP",
        "TRADE_COMMISSION",
        "TRADE_COMMISSION_GSL",
        "NEGATIVE_BALANCE_PROTECTION",
        "TRADE_CORRECTION",
        "CHARGEBACK",
        "ADJUSTMENT",
        "BONUS",
        "TRANSFER",
        "CORPORATE_ACTION",
        "CONVERSION",
        "REBATE",
        "TRADE_SLIPPAGE_PROTECTION",
    }
)


def listing(call: Call) -> Reply:
    """No maximum range (the cap of a day is for activity). Assumption: a missing end is open."""
    query, now = call.query, call.context.now
    first, last = queried(query, "from"), queried(query, "to")
    if first is None and last is None:
        first = now - period(query, _LONGEST_PERIOD_S)
    first, last = (0 if first is None else first), (now if last is None else last)
    if not first <= last <= now:
        raise Refusal(400, "error.invalid.daterange")
    terms, values = "account_id = ? AND at_ms BETWEEN ? AND ?", [call.account_id, first, last]
    if "type" in query:
        if query["type"] not in TYPES:
            raise Refusal(400, "error.invalid.type")  # assumption: the code for one that does not exist
        terms, values = f"{terms} AND type = ?", [*values, query["type"]]
    select = f"SELECT * FROM transactions WHERE {terms} ORDER BY at_ms DESC, id DESC"  # noqa: S608  (ours)
    return Reply({"transactions": [_row(row) for row in call.context.db.execute(select, values)]})


def _row(row: sqlite3.Row) -> dict[str, Any]:
    """`size` is money and a text; the currency of a demo account ends in d (API page 9.8)."""
    market = {} if row["epic"] is None else {"instrumentName": row["epic"]}
    deal = {} if row["deal_id"] is None else {"dealId": row["deal_id"]}
    return {
        "date": stamp(account_local(row["at_ms"])),
        "dateUtc": stamp(row["at_ms"]),
        **market,
        "transactionType": row["type"],
        "note": row["note"],
        "reference": str(_FIRST_REFERENCE + row["id"]),
        "size": row["amount"],
        "currency": f"{row['currency']}d",
        "status": row["status"],
        **deal,
    }
