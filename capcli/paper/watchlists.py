"""Watchlists: named lists of markets that belong to the login, whichever account is active (API page 6.9)."""

import sqlite3
from typing import Any

from capcli.paper.book import next_serial
from capcli.paper.context import Call, Reply
from capcli.paper.markets import known, row
from capcli.paper.messages import Refusal
from capcli.paper.wire import NewWatchlist, WatchlistEntry, decode

LONGEST_NAME = 20
_DONE = {"status": "SUCCESS"}


def listing(call: Call) -> Reply:
    rows = call.context.db.execute("SELECT id, name FROM watchlists ORDER BY id").fetchall()
    return Reply({"watchlists": [_row(found) for found in rows]})


def _row(found: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": str(found["id"]),
        "name": found["name"],
        "editable": True,
        "deleteable": True,
        "defaultSystemWatchlist": False,
    }


def create(call: Call) -> Reply:
    """Unknown epics are left out, as the status says; the list is still created."""
    body = decode(call.body, NewWatchlist)
    if not 1 <= len(body.name or "") <= LONGEST_NAME:
        raise Refusal(400, "error.size.createwatchlistrequest.name", tokens=False)
    wanted = dict.fromkeys(body.epics or ())
    present = [epic for epic in wanted if epic in call.context.markets]
    list_id = next_serial(call.context.db)
    call.context.db.execute(
        "INSERT INTO watchlists VALUES (?, ?, ?)", (list_id, body.name, ",".join(present))
    )
    status = "SUCCESS" if len(present) == len(wanted) else "SUCCESS_NOT_ALL_INSTRUMENTS_ADDED"
    return Reply({"watchlistId": str(list_id), "status": status})


def show(call: Call) -> Reply:
    epics = _epics(call, "error.invalid.watchlist")
    return Reply({"markets": [row(call.context, call.context.markets[epic]) for epic in epics]})


def add(call: Call) -> Reply:
    """Assumption: one that is there already stays, and an unknown list is refused as on DELETE.

    Assumption: no market at all is refused as in a search (API page 4.2).
    """
    epics = _epics(call, "error.not-found.watchlist")
    wanted = decode(call.body, WatchlistEntry).epic
    if not wanted:
        raise Refusal(400, "error.null.epic")
    return _keep(call, [*dict.fromkeys((*epics, known(call.context, wanted).epic))])


def remove(call: Call) -> Reply:
    epics = _epics(call, "error.not-found.watchlist")
    if call.args[1] not in epics:
        raise Refusal(404, "error.not-found.epic")
    return _keep(call, [epic for epic in epics if epic != call.args[1]])


def delete(call: Call) -> Reply:
    _epics(call, "error.not-found.watchlist")
    call.context.db.execute("DELETE FROM watchlists WHERE id = ?", (call.args[0],))
    return Reply(_DONE)


def _epics(call: Call, unknown: str) -> list[str]:
    """The epics of the path's list; GET and DELETE have different codes for an unknown one."""
    found = call.context.db.execute("SELECT epics FROM watchlists WHERE id = ?", (call.args[0],)).fetchone()
    if found is None:
        raise Refusal(404, unknown)
    return [epic for epic in found["epics"].split(",") if epic]


def _keep(call: Call, epics: list[str]) -> Reply:
    call.context.db.execute("UPDATE watchlists SET epics = ? WHERE id = ?", (",".join(epics), call.args[0]))
    return Reply(_DONE)
