"""A paper file of 100,000 closed deals and 1,000 positions against an empty one: times, never asserted.

Run it with `pytest -m bench -s tests/bench/test_paper_scale.py`. The file with 8 positions holds the same
eight markets as the one with 1,000: what these two differ by is the cost of positions, what the empty one
and they differ by is the cost of markets.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx
import msgspec
import pytest

from capcli.paper.broker import PaperBroker
from capcli.paper.messages import Request, Response
from tests.bench.paper_files import fill, rows
from tests.paper.client import FRIDAY, KEYS, Client
from tests.paper.test_crowd import client_of, served
from tests.support.launched import as_own_user

pytestmark = pytest.mark.bench

CLOSED, OPENED, ROUNDS = 100_000, 1_000, 150
SIZES = {"empty": (0, 0), "8 open": (0, 8), "1000 open": (0, OPENED), "100000 closed": (CLOSED, 0),
         "both": (CLOSED, OPENED)}  # fmt: skip
READS = {
    "GET /accounts": "/accounts",
    "GET /markets/SILVER": "/markets/SILVER",
    "GET /workingorders": "/workingorders",
    "GET /history/activity, ten minutes": "/history/activity",
    "GET /positions": "/positions",
}
COMMANDS = ("accounts --json", "quote SILVER --json", "preview SILVER --size 1 --json", "positions --json")


class Load(Client):
    """Requests whose answers nobody reads: only the broker's time counts."""

    def ask(self, method: str, url: str, body: object = None) -> Response:
        content = b"" if body is None else json.dumps(body).encode()
        path, _, query = url.partition("?")
        asked = dict(part.split("=") for part in query.split("&") if part)
        found = self.broker.handle(Request(method, f"/api/v1{path}", asked, self.tokens, content, self.now))
        assert found.status == 200, found.body
        return found

    def trade(self, direction: str) -> str:
        """A deal and its confirm; the deal id that it affects."""
        body = {"epic": "US500", "direction": direction, "size": 0.1}
        reference = json.loads(self.ask("POST", "/positions", body).body)["dealReference"]
        self.wait(milliseconds=400)
        confirm = json.loads(self.ask("GET", f"/confirms/{reference}").body)
        return str(confirm["affectedDeals"][0]["dealId"])

    def close_all(self) -> None:
        self.broker.close()
        Client.opened.remove(self.broker)


def open_file(path: Path, closed: int, opened: int) -> Load:
    """Logged in an hour after the last deal, so that every file has the same activity to show: none."""
    started = time.process_time()
    fill(path, closed=closed, opened=opened, at=FRIDAY)
    took = time.process_time() - started
    counts = ", ".join(f"{rows(path, name)} {name}" for name in ("transactions", "activity", "positions"))
    print(f"\n{path.stem}: {counts}; {path.stat().st_size >> 20} MiB, filled in {took:.0f} s", end="")
    client = Load(path, FRIDAY + timedelta(hours=1))
    client.login()
    return client


def timed(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return (time.process_time() - started) * 1000


def round_of(client: Load) -> dict[str, float]:
    """Each request a second later than the one before: prices move, so nothing answers from a cache."""
    found = {}
    for name, url in READS.items():
        client.wait(seconds=1)
        found[name] = timed(lambda url=url: client.ask("GET", url))
    client.wait(seconds=1)
    deals: list[str] = []
    found["POST /positions, its confirm"] = timed(lambda: deals.append(client.trade("BUY")))
    client.wait(seconds=1)
    found["POST /positions that closes, its confirm"] = timed(lambda: client.trade("SELL"))
    deal = client.trade("BUY")
    client.wait(seconds=1)
    found["DELETE /positions/{dealId}"] = timed(lambda: client.ask("DELETE", f"/positions/{deal}"))
    client.wait(seconds=1)
    found["GET /positions after a deal"] = timed(lambda: client.ask("GET", "/positions"))
    return found


def table(title: str, figures: dict[str, dict[str, list[float]]]) -> None:
    """Medians in ms, each with its ratio to the first column."""
    names = list(next(iter(figures.values())))
    print(f"\n\n{title:<42}" + "".join(f"{name:>19}" for name in names))
    for what, columns in figures.items():
        medians = {name: statistics.median(values) for name, values in columns.items()}
        cells = (f"{ms:.3f} ms {ms / medians[names[0]]:>6.2f}x" for ms in medians.values())
        print(f"{what:<42}" + "".join(f"{cell:>19}" for cell in cells))


def test_requests_stay_as_fast(tmp_path):
    clients = {name: open_file(tmp_path / f"{name}.db", *size) for name, size in SIZES.items()}
    found: dict[str, dict[str, list[float]]] = {}
    for number in range(ROUNDS):
        for name, client in clients.items():
            for what, ms in round_of(client).items():
                if number > 3:
                    found.setdefault(what, {}).setdefault(name, []).append(ms)
    table("In one process, CPU", found)
    for client in clients.values():
        client.close_all()


def test_a_list_costs_what_its_encoding_costs(tmp_path):
    client = open_file(tmp_path / "paper.db", 0, OPENED)
    body = client.ask("GET", "/positions").body
    value, encoder = json.loads(body, parse_float=Decimal), msgspec.json.Encoder(decimal_format="number")
    plain = json.loads(body)

    def read() -> None:
        client.wait(seconds=1)
        client.ask("GET", "/positions")

    acts = {
        "GET /positions, prices moved": read,
        "msgspec encodes the same from ready objects": lambda: encoder.encode(value),
        "json.dumps of the same": lambda: json.dumps(plain),
    }
    print(f"\n\n{len(body)} bytes, {OPENED} rows")
    for name, act in acts.items():
        print(f"{name:<45}{statistics.median(timed(act) for _ in range(40)):>8.2f} ms")
    client.close_all()


def test_served_over_loopback(tmp_path):
    """Wall time of one kept-alive client; real seconds pass, so quotes move as they do for users."""
    found: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        clients = {}
        for name in ("empty", "8 open", "1000 open"):
            home = tmp_path / name
            home.mkdir()
            fill(
                home / "paper.db", closed=0, opened=SIZES[name][1], at=datetime.now(UTC) - timedelta(hours=1)
            )
            http = stack.enter_context(client_of(stack.enter_context(served(home))))
            answer = http.post("/session", json=KEYS, headers={"X-CAP-API-KEY": "paper"})
            http.headers.update({key: answer.headers[key] for key in ("CST", "X-SECURITY-TOKEN")})
            clients[name] = http
        for _ in range(ROUNDS):
            for name, http in clients.items():
                for what, ms in over_http(http).items():
                    found.setdefault(what, {}).setdefault(name, []).append(ms)
    table("Served over loopback, wall time", found)


def over_http(http: httpx.Client) -> dict[str, float]:
    def took(act: Callable[[], httpx.Response]) -> float:
        started = time.perf_counter()
        assert act().status_code == 200
        return (time.perf_counter() - started) * 1000

    new = {"epic": "BCHUSD", "direction": "BUY", "size": 0.1}  # of which no file holds any
    return {
        **{what: took(partial(http.get, url)) for what, url in READS.items()},
        "POST /positions that opens": took(lambda: http.post("/positions", json=new)),
        "POST /positions that closes": took(
            lambda: http.post("/positions", json={**new, "direction": "SELL"})
        ),
    }


def test_commands_as_new_processes(tmp_path):
    homes = {}
    for name in ("empty", "both"):
        homes[name] = tmp_path / name
        homes[name].mkdir()
        closed, opened = SIZES[name]
        fill(
            homes[name] / "paper.db", closed=closed, opened=opened, at=datetime.now(UTC) - timedelta(hours=1)
        )
    found: dict[str, dict[str, list[float]]] = {}
    for command in COMMANDS:
        for number in range(12):
            for name, home in homes.items():
                ms = process(home, command)
                if number:
                    found.setdefault(command, {}).setdefault(name, []).append(ms)
    table("capcli as a new process, CPU", found)


def process(home: Path, command: str) -> float:
    environ = {**os.environ, "CAPCLI_HOME": str(home)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *as_own_user(), "-m", "capcli", *command.split()],
        env=environ,
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def test_time_away_is_caught_up_with(tmp_path):
    path = tmp_path / "paper.db"
    fill(path, closed=0, opened=OPENED, at=FRIDAY)
    for days in (1, 7, 30):
        broker = PaperBroker(path)
        client = Client(path, FRIDAY + timedelta(days=days))
        started = time.process_time()
        client.login()
        print(f"\nafter {days} days with 1000 positions: {time.process_time() - started:.2f} s, "
              f"{rows(path, 'transactions')} transactions", end="")  # fmt: skip
        broker.close()
        client.broker.close()
        Client.opened.remove(client.broker)
