"""Confirms and activity on the wire (API pages 6.6, 10.1)."""

import json
import re
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Raw

from capcli.paper import armed, faults
from capcli.paper.desk import Call, Desk, Reply
from capcli.paper.records import find_confirm
from capcli.paper.refusal import Refusal
from capcli.paper.times import DAY_MS, SECOND_MS, account_local, stamp
from capcli.paper.wire import queried, whole

DEFAULT_PERIOD_S = 600
LONGEST_PERIOD_S = 86_400
_INCOMPLETE_MS = 10_000  # of a late row: it has level 0 at first (API page 10.1)
_TERM = re.compile(r"(epic|source|status|type)(==|!=)([\w.,-]+)")


def confirm(call: Call) -> Reply:
    body = find_confirm(call.desk, call.account_id, call.args[0])
    if body is None:
        raise Refusal(404, "error.not-found.dealReference")
    return Reply(Raw(body))


def activity(call: Call) -> Reply:
    first, last = _window(call.query, call.desk.now)
    matches = _filter(call.query.get("filter", ""))
    detailed = call.query.get("detailed", "false").lower() == "true"
    query = (
        "SELECT * FROM activity WHERE account_id = ? AND at_ms BETWEEN ? AND ? ORDER BY at_ms DESC, id DESC"
    )
    rows = call.desk.db.execute(query, (call.account_id, first, last)).fetchall()
    deal = call.query.get("dealId")
    found = [row for row in rows if (not deal or row["deal_id"] == deal) and _passes(row, matches)]
    if faults.ACTIVITY_LATE in call.desk.faults:
        return Reply({"activities": _late(call.desk, found, detailed=detailed)})
    return Reply({"activities": [_row(row, detailed=detailed) for row in found]})


def _row(row: sqlite3.Row, *, detailed: bool) -> dict[str, Any]:
    shown = {
        "date": stamp(account_local(row["at_ms"])),
        "dateUTC": stamp(row["at_ms"]),
        "epic": row["epic"],
        "dealId": row["deal_id"],
        "source": row["source"],
        "type": row["type"],
        "status": row["status"],
    }
    return {**shown, "details": Raw(row["details"])} if detailed else shown


def _late(desk: Desk, rows: list[sqlite3.Row], *, detailed: bool) -> list[dict[str, Any]]:
    """What is shown of rows that come late: nothing, then level 0, then all."""
    fault = armed.peek(desk, faults.ACTIVITY_LATE)
    since = desk.now - (fault.ms if fault else 0)
    arrived = [row for row in rows if row["at_ms"] <= since]
    complete = [row for row in arrived if row["at_ms"] <= since - _INCOMPLETE_MS]
    if fault and len(complete) < len(rows):
        armed.spend(desk, fault)
    empty = [_emptied(_row(row, detailed=detailed), row) for row in arrived[: len(arrived) - len(complete)]]
    return empty + [_row(row, detailed=detailed) for row in complete]


def _emptied(shown: dict[str, Any], row: sqlite3.Row) -> dict[str, Any]:
    if "details" not in shown:
        return shown
    return {**shown, "details": {**json.loads(row["details"], parse_float=Decimal), "level": 0}}


def _window(query: Mapping[str, str], now: int) -> tuple[int, int]:
    first, last = queried(query, "from"), queried(query, "to")
    if first is None and last is None:
        return now - _period(query) * SECOND_MS, now
    if first is None:
        first = (last or now) - DAY_MS
    if last is None:
        last = min(first + DAY_MS, now)
    elif last > now:
        raise Refusal(400, "error.invalid.daterange")
    if not 0 <= last - first <= DAY_MS:
        raise Refusal(400, "error.invalid.daterange")
    return first, last


def _period(query: Mapping[str, str]) -> int:
    seconds = whole(query.get("lastPeriod", str(DEFAULT_PERIOD_S)), most=LONGEST_PERIOD_S)
    if seconds is None:
        raise Refusal(400, "error.invalid.daterange")
    return seconds


_Term = tuple[str, bool, frozenset[str]]


def _filter(text: str) -> list[_Term]:
    """`field==a,b;field!=c`: every term must hold, a comma means any of (API page 10.1)."""
    return [_term(part) for part in text.split(";") if part]


def _term(text: str) -> _Term:
    match = _TERM.fullmatch(text)
    if not match:
        raise Refusal(400, "error.invalid.filter")
    field, operator, values = match.groups()
    return field, operator == "==", frozenset(values.split(","))


def _passes(row: sqlite3.Row, terms: list[_Term]) -> bool:
    return all((row[field] in values) is wanted for field, wanted, values in terms)
