"""Confirms and activity on the wire (API pages 6.6, 10.1)."""

import json
import re
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from msgspec import Raw

from capcli.paper import active_faults, faults
from capcli.paper.context import Call, Reply
from capcli.paper.messages import Refusal
from capcli.paper.records import find_confirm
from capcli.paper.times import DAY_MS, account_local, stamp
from capcli.paper.wire import period, queried

LONGEST_PERIOD_S = 86_400
_INCOMPLETE_MS = 10_000  # of a late row: it has level 0 at first (API page 10.1)
_TERM = re.compile(r"(epic|source|status|type)(==|!=)([\w.,-]+)")
_BAD_FILTER = "error.invalid.filter"  # assumption: its code is not published, nor is any limit
_MOST_TERMS, _MOST_VALUES = 20, 100
# As published (API page 7); epics are not a closed set: an unknown one finds nothing.
_CHOICES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "source": frozenset({"CLOSE_OUT", "DEALER", "SL", "SYSTEM", "TP", "USER"}),
        "status": frozenset(
            [
                "ACCEPTED",
                "CREATED",
                "EXECUTED",
                "EXPIRED",
                "REJECTED",
                "MODIFIED",
                "MODIFY_REJECT",
                "CANCELLED",
                "CANCEL_REJECT",
                "UNKNOWN",
            ]
        ),
        "type": frozenset({"POSITION", "WORKING_ORDER", "EDIT_STOP_AND_LIMIT", "SWAP", "SYSTEM"}),
    }
)
_Term = tuple[str, bool, tuple[str, ...]]  # by column: its values, and whether one or none must match


def confirm(call: Call) -> Reply:
    body = find_confirm(call.context, call.account_id, call.args[0])
    if body is None:
        raise Refusal(404, "error.not-found.dealReference")
    return Reply(Raw(body))


def activity(call: Call) -> Reply:
    """Newest first; late rows are missing at first, then have level 0."""
    context, query = call.context, call.query
    first, last = _window(query, context.now)
    terms = _filter(query.get("filter", ""))
    if deal := query.get("dealId"):
        terms.append(("deal_id", True, (deal,)))
    # In any case, as several languages write it. Assumption: the code for other words.
    detailed = query.get("detailed", "false").lower()
    if detailed not in {"true", "false"}:
        raise Refusal(400, "error.invalid.detailed")
    where, values = "account_id = ? AND at_ms BETWEEN ? AND ?", [call.account_id, first, last]
    for field, wanted, choices in terms:
        where += f" AND {field} {'IN' if wanted else 'NOT IN'} ({', '.join('?' * len(choices))})"
        values += choices
    select = f"SELECT * FROM activity WHERE {where} ORDER BY at_ms DESC, id DESC"  # noqa: S608  (ours)
    rows = [(_row(row), row["details"], row["at_ms"]) for row in context.db.execute(select, values)]
    late = active_faults.peek(context, faults.ACTIVITY_LATE)
    arrived = context.now - (late.ms if late else 0)
    complete = arrived - (_INCOMPLETE_MS if late else 0)
    if late and any(at_ms > complete for _, _, at_ms in rows):
        active_faults.spend(context.db, late)
    if detailed == "true":
        for row, details, at_ms in rows:
            emptied = {**json.loads(details, parse_float=Decimal), "level": 0} if at_ms > complete else None
            row["details"] = emptied or Raw(details)
    return Reply({"activities": [row for row, _, at_ms in rows if at_ms <= arrived]})


def _row(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "date": stamp(account_local(row["at_ms"])),
        "dateUTC": stamp(row["at_ms"]),
        "epic": row["epic"],
        "dealId": row["deal_id"],
        "source": row["source"],
        "type": row["type"],
        "status": row["status"],
    }


def _window(query: Mapping[str, str], now: int) -> tuple[int, int]:
    first, last = queried(query, "from"), queried(query, "to")
    if first is None and last is None:
        return now - period(query, LONGEST_PERIOD_S), now
    if first is None:
        first = (last or now) - DAY_MS
    if last is None:
        last = min(first + DAY_MS, now)
    if last > now or not 0 <= last - first <= DAY_MS:
        raise Refusal(400, "error.invalid.daterange")
    return first, last


def _filter(text: str) -> list[_Term]:
    """`field==a,b;field!=c`: every term must hold, a comma means any of (API page 10.1)."""
    terms: list[_Term] = []
    for part in filter(None, text.split(";")):
        match = _TERM.fullmatch(part)
        if not match or len(terms) == _MOST_TERMS:
            raise Refusal(400, _BAD_FILTER)
        field, operator, values = match.groups()
        names = tuple(dict.fromkeys(values.split(",")))
        if len(names) > _MOST_VALUES or not _CHOICES.get(field, {*names}).issuperset(names):
            raise Refusal(400, _BAD_FILTER)
        terms.append((field, operator == "==", names))
    return terms
