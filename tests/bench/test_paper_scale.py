"""A paper file of 100,000 closed deals and 1,000 positions against an empty one: CPU time, never asserted.

Run it with `pytest -m bench -s tests/bench/test_paper_scale.py`.
"""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from capcli.paper.broker import PaperBroker
from tests.bench.paper_files import fill, rows
from tests.paper.client import FRIDAY, Client

pytestmark = pytest.mark.bench

CLOSED, OPENED, ROUNDS = 100_000, 1_000, 60


def client_of(path) -> Client:
    client = Client(path, FRIDAY + timedelta(seconds=5))
    client.login()
    return client


def deal(client: Client) -> None:
    """Opens and reads the confirm; the next round's netting takes it back."""
    answer = client.post("/positions", epic="US500", direction="BUY", size=0.1)
    client.wait(milliseconds=400)
    assert client.get(f"/confirms/{answer.json['dealReference']}").status == 200


def reading(url: str) -> Callable[[Client], None]:
    def read(client: Client) -> None:
        assert client.get(url).status == 200

    return read


ACTS = {
    "GET /positions": reading("/positions"),
    "GET /accounts": reading("/accounts"),
    "POST /positions, its confirm": deal,
    "GET /history/activity, the last day": reading("/history/activity?lastPeriod=86400"),
    "GET /history/activity, ten minutes": reading("/history/activity"),
    "GET /markets/SILVER": reading("/markets/SILVER"),
}


def medians(clients: dict[str, Client], act: Callable[[Client], None]) -> dict[str, float]:
    """In turn, each a second later than before: prices move, so nothing answers from a cache."""
    times: dict[str, list[float]] = {name: [] for name in clients}
    for round_number in range(ROUNDS):
        for name, client in clients.items():
            client.wait(seconds=1)
            started = time.process_time()
            act(client)
            if round_number > 3:
                times[name].append((time.process_time() - started) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def test_requests_stay_as_fast(tmp_path):
    sizes = {
        "empty": (0, 0),
        "1000 open": (0, OPENED),
        "100000 closed": (CLOSED, 0),
        "both": (CLOSED, OPENED),
    }
    clients = {}
    for name, (closed, opened) in sizes.items():
        path = tmp_path / f"{name}.db"
        started = time.process_time()
        fill(path, closed=closed, opened=opened, at=FRIDAY)
        took = time.process_time() - started
        counts = ", ".join(
            f"{rows(path, table)} {table}" for table in ("transactions", "activity", "positions")
        )
        print(f"\n{name}: {counts}; {path.stat().st_size >> 20} MiB, filled in {took:.0f} s", end="")
        clients[name] = client_of(path)
    print(f"\n\n{'':<38}" + "".join(f"{name:>20}" for name in clients))
    for what, act in ACTS.items():
        found = medians(clients, act)
        cells = (f"{ms:>9.2f} ms {ms / found['empty']:>5.1f} x" for ms in found.values())
        print(f"{what:<38}" + "".join(f"{cell:>20}" for cell in cells))
    for client in clients.values():
        client.broker.close()
        Client.opened.remove(client.broker)


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
