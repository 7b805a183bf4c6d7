"""Statistics of trades, counted anew from two CSV exports and the journal. Imports nothing of ours.

`python -m tests.support.recount TRANSACTIONS.csv ACTIVITY.csv JOURNAL.db` prints them as JSON. A test holds
`history stats` to the same figures.
"""

import csv
import json
import sqlite3
import sys
from collections import defaultdict
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

MONEY_IN_AND_OUT = {
    *("DEPOSIT", "WITHDRAWAL", "WITHDRAWAL_MONEY_BACK", "TRANSFER", "REFUND", "CHARGEBACK", "RESERVE"),
    *("UNRESERVE", "VOID", "CREDIT_FACILITY"),
}
RESULTS = {"TRADE", "TRADE_CORRECTION", "TRADE_SLIPPAGE_PROTECTION"}


def rounded(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def orders(journal: Path) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Return what the journal says of each deal and working order, and which of them were changed later."""
    known: dict[str, dict[str, Any]] = {}
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as base:
        base.row_factory = sqlite3.Row
        for row in base.execute(
            "SELECT a.kind, a.order_id, a.opened_deal_ids, a.baseline, a.sent_at, a.broker_time_at_send,"
            " p.document FROM attempts a JOIN previews p ON p.id = a.preview_id"
            " WHERE a.kind IN ('MARKET', 'WORKING')"
        ):
            order = json.loads(row["document"])
            opened = json.loads(row["opened_deal_ids"])
            risk = Decimal(order["risk"]) if order["risk"] else None
            if risk is not None and row["kind"] == "MARKET" and order["effect"]:
                planned = Decimal(str(order["effect"]["opens"]))
                sent = json.loads(row["baseline"])["effect"]
                risk = risk * Decimal(str(sent["opens"])) / planned if planned else risk
            facts = {
                "side": order["side"],
                "tag": order["tag"] or "",
                "size": Decimal(order["size"]),
                "risk": risk or None,
                "opened": datetime.fromisoformat(row["broker_time_at_send"] or row["sent_at"]),
            }
            for name in opened:
                known[name] = {**facts, "risk": None if len(opened) > 1 else facts["risk"]}
            if row["kind"] == "WORKING":
                known[row["order_id"]] = facts
        changed = {
            row["deal_id"]
            for row in base.execute(
                "SELECT deal_id, state FROM attempts WHERE kind IN ('AMEND', 'WORKING_UPDATE')"
            )
            if row["state"] not in {"NOT_SENT", "REFUSED", "REJECTED", "ABSENT"}
        }
    base.close()
    return known, changed


def recount(transactions: str, activity: str, journal: Path) -> dict[str, Any]:
    """Return the figures of all trades, and the net and the count by market, tag, side and hour."""
    booked = [row for row in csv.DictReader(transactions.splitlines()) if row["type"] not in MONEY_IN_AND_OUT]
    booked.sort(key=lambda row: row["at"])
    known, changed = orders(journal)
    seen = defaultdict(list)
    for row in csv.DictReader(activity.splitlines()):
        if (row["type"], row["status"]) == ("POSITION", "ACCEPTED"):
            seen[row["deal_id"]].append(row)
    closed = [row["deal_id"] for row in booked if row["type"] == "TRADE"]
    trades = []
    for deal in dict.fromkeys(closed):
        rows = [row for row in booked if row["deal_id"] == deal]
        last = max(row["at"] for row in rows if row["type"] == "TRADE")
        net = sum(Decimal(row["amount"]) for row in rows)
        facts = known.get(deal) or by_activity(sorted(seen[deal], key=lambda row: row["at"]), known, changed)
        r = rounded(net / facts["risk"]) if facts.get("risk") else None
        trades.append({"net": net, "r": r, "last": last, "deal": deal, "epic": rows[0]["epic"], **facts})
    trades.sort(key=lambda trade: (trade["last"], trade["deal"]))
    net = sum((Decimal(row["amount"]) for row in booked), Decimal(0))
    pl = sum((Decimal(row["amount"]) for row in booked if row["type"] in RESULTS), Decimal(0))
    return {
        **figures(trades),
        "pl": pl,
        "costs": net - pl,
        "net": net,
        "expectancy": rounded(net / len(trades)) if trades else None,
        "max_drawdown": deepest_fall(booked),
        "by": {
            "tag": groups(trades, lambda trade: trade.get("tag", "")),
            "side": groups(trades, lambda trade: trade.get("side", "")),
            "hour": groups(trades, lambda trade: f"{trade['opened']:%H}:00" if trade.get("opened") else ""),
            "market": groups(trades, lambda trade: trade["epic"]),
        },
    }


def by_activity(rows: list[Any], known: dict[str, Any], changed: set[str]) -> dict[str, Any]:
    """Return what the broker's activity tells of a deal that the journal does not know by its id."""
    if not rows:
        return {}
    first, last = rows[0], rows[-1]
    if not (first["working_order_id"] or first["side"] != last["side"]):
        # Only closes are in the span.
        return {"side": "SELL" if last["side"] == "BUY" else "BUY"}
    facts = {"side": first["side"], "opened": datetime.fromisoformat(first["at"])}
    order = known.get(first["working_order_id"])
    if order:
        untouched = Decimal(first["size"]) == order["size"] and first["working_order_id"] not in changed
        facts |= {"tag": order["tag"], "risk": order["risk"] if untouched else None}
    return facts


def figures(trades: list[dict[str, Any]]) -> dict[str, Any]:
    wins = [trade["net"] for trade in trades if trade["net"] > 0]
    losses = [trade["net"] for trade in trades if trade["net"] < 0]
    multiples = [trade["r"] for trade in trades if trade["r"] is not None]
    longest = run = 0
    for trade in trades:
        run = run + 1 if trade["net"] < 0 else 0
        longest = max(longest, run)
    return {
        "trades": len(trades),
        "wins": len(wins),
        "losses": len(losses),
        "win_rate_pct": rounded(Decimal(100 * len(wins)) / len(trades)) if trades else None,
        "average_win": rounded(sum(wins) / len(wins)) if wins else None,
        "average_loss": rounded(sum(losses) / len(losses)) if losses else None,
        "profit_factor": rounded(sum(wins, Decimal(0)) / -sum(losses)) if losses else None,
        "average_r": rounded(sum(multiples) / len(multiples)) if multiples else None,
        "r_known": len(multiples),
        "longest_losing_run": longest,
    }


def deepest_fall(booked: list[dict[str, str]]) -> Decimal:
    moments: dict[str, Decimal] = defaultdict(Decimal)
    for row in booked:
        moments[row["at"]] += Decimal(row["amount"])
    level = peak = fall = Decimal(0)
    for moment in sorted(moments):
        level += moments[moment]
        peak = max(peak, level)
        fall = max(fall, peak - level)
    return fall


def groups(trades: list[dict[str, Any]], key: Any) -> dict[str, tuple[int, Decimal]]:
    found: dict[str, tuple[int, Decimal]] = {}
    for trade in trades:
        count, net = found.get(key(trade), (0, Decimal(0)))
        found[key(trade)] = count + 1, net + trade["net"]
    return found


if __name__ == "__main__":
    bookings, rows, book = map(Path, sys.argv[1:])
    print(json.dumps(recount(bookings.read_text(), rows.read_text(), book), indent=1, default=str))
