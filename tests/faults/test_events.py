"""`events --follow` in a process of its own: killed and resumed at any moment, and ended in order."""

import json
import os
import select
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest

from capcli.app import App
from capcli.errors import CapcliError
from capcli.paper.state import reset, set_fault
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime, utc_now
from tests.support.children import Child
from tests.support.launched import as_own_user

pytestmark = pytest.mark.faults

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KILLS = 50
SPEED = 1440  # a day a minute


class Follower:
    """A process that follows; every whole line that came out of it was told."""

    def __init__(self, environ: dict[str, str], *words: str) -> None:
        command = (sys.executable, *as_own_user(), "-m", "capcli", "events", "--follow", "--json", *words)
        self.process = Child(command, env=environ, stdout=-1, stderr=-1, text=False)  # type: ignore[call-overload]
        self._rest = b""

    def read(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield what is told in so many seconds."""
        ends = time.monotonic() + seconds
        out = self.process.stdout
        while (left := ends - time.monotonic()) > 0:
            if not select.select([out], [], [], left)[0]:
                return
            chunk = os.read(out.fileno(), 1 << 16)
            if not chunk:
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)["data"]

    def kill(self) -> Iterator[dict[str, Any]]:
        self.process.kill()
        yield from self.read(30)
        self.process.communicate()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return {**os.environ, "CAPCLI_HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(runtime)}


@pytest.fixture
def paper(environ: dict[str, str]) -> Path:
    path = Path(environ["CAPCLI_HOME"], "paper.db")
    path.parent.mkdir()
    reset(path, start=MONDAY, speed=Decimal(SPEED), limits=False, at=utc_now())
    return path


def trade(app: App, random: Random, stopped: Event) -> None:
    """Open, close and place orders at random until it is enough; what fails is left."""
    broker = app.broker
    while not stopped.wait(random.uniform(0.02, 0.25)):
        with suppress(CapcliError):
            act(broker, random)


def act(broker: Any, random: Random) -> None:
    epic = random.choice(("SILVER", "GOLD", "BTCUSD", "EURUSD"))
    side = random.choice(("BUY", "SELL"))
    quote = broker.market(epic).quote
    size = {"SILVER": 10, "GOLD": 1, "BTCUSD": 0.01, "EURUSD": 1000}[epic]
    match random.randrange(6):
        case 0 | 1:
            near = float(quote.bid) * random.uniform(0.002, 0.006)
            legs = {"stopDistance": round(near, 3), "profitDistance": round(near, 3)}
            post(broker, "/positions", {"epic": epic, "direction": side, "size": size, **legs})
        case 2:
            post(broker, "/positions", {"epic": epic, "direction": side, "size": size})
        case 3:
            level = float(quote.bid) * random.uniform(0.98, 0.999)
            until = broker.server_time() + timedelta(hours=random.randint(1, 9))
            order = {
                "epic": epic,
                "direction": "BUY",
                "size": size,
                "level": round(level, 2),
                "type": "LIMIT",
            }
            post(broker, "/workingorders", order | {"goodTillDate": f"{until:%Y-%m-%dT%H:%M:%S}"})
        case _:
            rows = broker.list_positions().rows
            if rows:
                broker.send("DELETE", f"/positions/{random.choice(rows).deal_id}", None)


def post(broker: Any, path: str, body: dict[str, Any]) -> None:
    broker.send("POST", path, json.dumps(body).encode())


def ledger(paper: Path, account_id: str) -> list[tuple[str, str, str]]:
    """Read from the broker's own file what has to be told: kind, deal or order, and when."""
    with closing(sqlite3.connect(paper)) as raw:
        rows = raw.execute(
            "SELECT at_ms, deal_id, source, type, status, details FROM activity"
            " WHERE account_id = ? ORDER BY id",
            (account_id,),
        ).fetchall()
    filled = {
        json.loads(details).get("workingOrderId") for *_, kind, _, details in rows if kind == "POSITION"
    }
    opened: set[str] = set()
    told = []
    for at_ms, deal, source, kind, status, _ in rows:
        if kind == "POSITION":
            name = {"SL": "stop_hit", "TP": "limit_hit", "CLOSE_OUT": "closed"}.get(source)
            name = name or ("closed" if deal in opened else "filled")
            opened.add(deal)
        elif status == "EXECUTED" and deal not in filled:
            name = "filled"
        else:
            name = {"EXPIRED": "order_expired", "REJECTED": "rejected"}.get(status)
        if name:
            told.append((name, deal, datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()[:23]))
    return told


def named(row: dict[str, Any]) -> tuple[str, str, str]:
    at = datetime.fromisoformat(row["at"]).isoformat()[:23]
    return row["kind"], row["deal_id"] or row["order_id"], at


@pytest.mark.skipif(sys.platform == "win32", reason="select takes no pipes there")
def test_a_follower_that_is_killed_and_resumed_misses_nothing(environ: dict[str, str], paper: Path) -> None:
    random, told = Random(7), list[dict[str, Any]]()
    runtime = Runtime(transport=PaperTransport(paper, utc_now))
    with closing(App.build(environ=environ, runtime=runtime)) as app:
        cursor = app.events.recent().data.cursor
        account_id = app.broker.account_id or ""
        set_fault(paper, "activity-late", value="61", at=utc_now())
        set_fault(paper, "deal-late", value="30", at=utc_now())
        stopped = Event()
        trader = Thread(target=trade, args=(app, random, stopped))
        trader.start()
        try:
            for kill in range(KILLS):
                if kill % 5 == 0:
                    fault = random.choice(("status", "not-json", "blocked", "unauthorised", "drop-before"))
                    set_fault(paper, fault, on="reads", times=random.randint(1, 6), at=utc_now())
                if kill % 10 == 3:
                    app.halting.halt("a test", by="a test")
                if kill % 10 == 7:
                    app.halting.resume(confirmed=True, by="a test")
                follower = Follower(environ, "--since", cursor, "--every", "0.1")
                told += follower.read(random.uniform(0.2, 2.5))
                told += follower.kill()
                cursor = told[-1]["cursor"] if told else cursor
        finally:
            stopped.set()
            trader.join()
        app.halting.resume(confirmed=True, by="a test")
        last = Follower(environ, "--since", cursor, "--every", "0.1")
        told += last.read(8)
        # The market goes on; what it has brought by now has to be told by the end.
        expected = ledger(paper, account_id)
        told += last.read(4)
        last.process.send_signal(signal.SIGTERM)
        told += last.read(30)
        _, errors = last.process.communicate()
    assert last.process.returncode == 0, errors
    heard = [row for row in told if row["source"] and not row["repeat"]]
    print(f"{len(expected)} in the ledger, {len(told)} told, {Counter(row['kind'] for row in told)}")
    counts = Counter(map(named, heard))
    assert [one for one in expected if not counts[one]] == []
    assert [
        one for one, count in counts.items() if count > 1 or one not in set(ledger(paper, account_id))
    ] == []
    cursors = [row["cursor"] for row in told]
    assert cursors == sorted(set(cursors))
    repeats = [row for row in told if row["repeat"]]
    assert {named(row) for row in repeats} <= set(counts)
    assert all(row["level"] for row in repeats)
    assert [row["kind"] for row in told if row["kind"] in {"halted", "resumed"}] == ["halted", "resumed"] * 5
    assert {"filled", "closed", "order_expired"} <= {row["kind"] for row in told}
    assert {"stop_hit", "limit_hit"} & {row["kind"] for row in told}
