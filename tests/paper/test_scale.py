"""What a request reads does not grow with the history, nor its statements with the positions."""

import re
import sqlite3

import pytest

from tests.paper.client import Client

SMALL = {"settings", "faults", "accounts", "sessions", "alarms"}  # a handful of rows, whatever is traded
NUMBER = re.compile(r"\b\d+(\.\d+)?\b|'[^']*'|x'[0-9a-f]*'", re.IGNORECASE)


class Watched:
    """The statements of a client's requests."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.statements: list[str] = []
        with client.broker._store.lent() as db:
            db.set_trace_callback(self.statements.append)

    def of(self, act) -> list[str]:
        self.statements.clear()
        act()
        return list(self.statements)

    def scans(self) -> list[str]:
        """What the query planner would read from end to end."""
        found = []
        with sqlite3.connect(self.client.path) as db:
            for statement in self.statements:
                if statement.split()[0] in {"SELECT", "UPDATE", "DELETE"}:
                    plan = db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
                    found += [f"{row[3]}: {statement}" for row in plan if row[3].startswith("SCAN")]
        db.close()
        return [scan for scan in found if scan.split()[1].rstrip(":") not in SMALL]


def open_many(client: Client, count: int) -> None:
    for number in range(count):
        client.post("/positions", epic="SILVER", direction="BUY", size=0.1, stopDistance=5 + number / 100)


def shapes(statements: list[str]) -> list[str]:
    return [NUMBER.sub("?", statement) for statement in statements]


def deal(client: Client) -> None:
    client.confirm(client.post("/positions", epic="GOLD", direction="BUY", size=0.01))
    client.confirm(client.post("/positions", epic="GOLD", direction="SELL", size=0.01))
    client.wait(seconds=1)


ACTS = {
    "deal": deal,
    "accounts": lambda client: client.get("/accounts"),
    "history": lambda client: client.get("/history/activity?lastPeriod=86400&detailed=true"),
    "orders": lambda client: client.get("/workingorders"),
    "positions": lambda client: client.get("/positions"),
    "position": lambda client: client.get("/positions/unknown"),
    "order": lambda client: client.delete(f"/workingorders/{client.order(level=20)}"),
}


@pytest.mark.parametrize("name", ACTS)
def test_no_request_reads_a_table_from_end_to_end(client, name):
    open_many(client, 3)
    watched = Watched(client)
    assert watched.of(lambda: ACTS[name](client))
    assert watched.scans() == []


@pytest.mark.parametrize("name", ACTS)
def test_a_request_runs_the_same_statements_however_many_positions_there_are(client, name):
    open_many(client, 2)
    client.wait(seconds=1)
    client.get("/ping")
    watched = Watched(client)
    few = shapes(watched.of(lambda: ACTS[name](client)))
    open_many(client, 60)
    client.wait(seconds=1)
    client.get("/ping")
    assert shapes(watched.of(lambda: ACTS[name](client))) == few


def test_catching_up_reads_positions_only_for_the_figures_of_each_account(client):
    open_many(client, 40)
    client.wait(seconds=1)
    client.get("/ping")
    watched = Watched(client)
    client.wait(minutes=9)
    read = [text for text in watched.of(lambda: client.get("/accounts")) if "positions" in text]
    assert len(read) == len(client.get("/accounts").json["accounts"])
