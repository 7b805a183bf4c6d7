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
from capcli.paper.context import Call, Context, Reply
from capcli.paper.messages import Refusal
from capcli.paper.records import find_confirm
from capcli.paper.times import DAY_MS, SECOND_MS, account_local, stamp
from capcli.paper.wire import queried, whole

DEFAULT_PERIOD_S = 600
LONGEST_PERIOD_S = 86_400
_INCOMPLETE_MS = 10_000  # of a late row: it has level 0 at first (API page 10.1)
_TERM = re.compile(r"(epic|source|status|type)(==|!=)([\w.,-]+)")
_BAD_FILTER = "error.invalid.filter"  # assumption: its code is not published, nor is any limit
_MOST_TERMS, _MOST_VALUES = 20, 100
# As published (API page 7); epics are no closed set: one that nobody knows finds nothing.
_CHOICES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "source": frozenset({"CLOSE_OUT", "DEALER", "SL", "SYSTEM", "TP", "USER"}),
        "status": frozenset(
            {
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
            }
        ),
        "type": frozenset({"POSITION", "WORKING_ORDER", "EDIT_STOP_AND_LIMIT", "SWAP", "SYSTEM"}),
    }
)
_Term = tuple[str, bool, tuple[str, ...]]  # of a column: its values, and whether one of them or none of them


def confirm(call: Call) -> Reply:
    body = find_confirm(call.context, call.account_id, call.args[0])
    if body is None:
        raise Refusal(404, "error.not-found.dealReference")
    return Reply(Raw(body))


def activity(call: Call) -> Reply:
    first, last = _window(call.query, call.context.now)
    terms = [*_filter(call.query.get("filter", "")), *_deal(call.query)]
    detailed = _flag(call.query, "detailed")
    rows = _rows(call, first, last, terms)
    if faults.ACTIVITY_LATE in call.context.faults:
        return Reply({"activities": _late(call.context, rows, detailed=detailed)})
    return Reply({"activities": [_row(row, detailed=detailed) for row in rows]})


def _flag(query: Mapping[str, str], name: str) -> bool:
    """True or false in any case, as several languages write it. Assumption: the code for others."""
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise Refusal(400, f"error.invalid.{name}")
    return text == "true"


def _rows(call: Call, first: int, last: int, terms: list[_Term]) -> list[sqlite3.Row]:
    """Newest first."""
    where = "".join(
        f" AND {field} {'IN' if wanted else 'NOT IN'} ({', '.join('?' * len(values))})"
        for field, wanted, values in terms
    )
    query = (
        f"SELECT * FROM activity WHERE account_id = ? AND at_ms BETWEEN ? AND ?{where}"  # noqa: S608  (ours)
        " ORDER BY at_ms DESC, id DESC"
    )
    values = (value for _, _, values in terms for value in values)
    return call.context.db.execute(query, (call.account_id, first, last, *values)).fetchall()


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


def _late(context: Context, rows: list[sqlite3.Row], *, detailed: bool) -> list[dict[str, Any]]:
    """What is shown of rows that come late: nothing, then level 0, then all."""
    fault = active_faults.peek(context, faults.ACTIVITY_LATE)
    since = context.now - (fault.ms if fault else 0)
    arrived = [row for row in rows if row["at_ms"] <= since]
    complete = [row for row in arrived if row["at_ms"] <= since - _INCOMPLETE_MS]
    if fault and len(complete) < len(rows):
        active_faults.spend(context, fault)
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


def _deal(query: Mapping[str, str]) -> list[_Term]:
    return [("deal_id", True, (deal,))] if (deal := query.get("dealId")) else []


def _filter(text: str) -> list[_Term]:
    """`field==a,b;field!=c`: every term must hold, a comma means any of (API page 10.1)."""
    parts = [part for part in text.split(";") if part]
    if len(parts) > _MOST_TERMS:
        raise Refusal(400, _BAD_FILTER)
    return [_term(part) for part in parts]


def _term(text: str) -> _Term:
    match = _TERM.fullmatch(text)
    if not match:
        raise Refusal(400, _BAD_FILTER)
    field, operator, values = match.groups()
    names = tuple(dict.fromkeys(values.split(",")))
    if len(names) > _MOST_VALUES or not _known(field, names):
        raise Refusal(400, _BAD_FILTER)
    return field, operator == "==", names


def _known(field: str, names: tuple[str, ...]) -> bool:
    return field not in _CHOICES or _CHOICES[field].issuperset(names)
