import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from capcli.paper import state
from tests.paper.client import FRIDAY, Client


def test_a_first_use_creates_the_default_world(path):
    status = state.status(path, FRIDAY)
    assert (status.seed, status.speed, status.limits) == ("capcli", Decimal(1), True)
    assert status.market_time == status.started == FRIDAY
    assert [(a.currency, a.cash) for a in status.accounts] == [("USD", 10000), ("EUR", 5000)]
    assert (status.open_positions, status.working_orders, status.deals_closed) == (0, 0, 0)
    assert status.path == path


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_the_file_is_private(path):
    state.status(path, FRIDAY)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_status_counts_what_happened(client):
    client.buy()
    client.buy("GOLD")
    client.order(level=20)
    client.delete(f"/positions/{client.positions()[0]['dealId']}")
    status = state.status(client.path, client.now)
    assert (status.open_positions, status.working_orders, status.deals_closed) == (1, 1, 1)
    assert status.accounts[0].cash < 10000


def test_status_settles_first(client):
    client.sell(stopDistance=0.05)
    assert state.status(client.path, client.now + timedelta(days=2)).open_positions == 0


def test_a_reset_forgets_everything_even_under_an_open_broker(client):
    client.buy()
    state.reset(client.path, seed=7, limits=False, at=client.now)
    assert client.get("/ping").code == "error.invalid.session.token"
    client.login()
    assert client.positions() == []
    assert client.activity() == []
    assert state.status(client.path, client.now).seed == "7"


def test_a_start_sets_the_market_clock_apart_from_the_real_one(path):
    start = datetime(2024, 3, 1, 12, tzinfo=UTC)
    state.reset(path, start=start, limits=False, at=FRIDAY)
    client = Client(path, FRIDAY)
    answer = client.login()
    assert answer.headers["Date"] == "Fri, 01 Mar 2024 12:00:00 GMT"
    client.wait(minutes=5)
    assert client.get("/time").json["serverTime"] == int((start + timedelta(minutes=5)).timestamp() * 1000)
    client.buy()
    assert client.positions()[0]["createdDateUTC"] == "2024-03-01T12:05:00.000"
    assert client.get("/prices/SILVER?max=1").json["prices"][0]["snapshotTimeUTC"] == "2024-03-01T12:05:00"


def test_another_seed_is_another_market(path):
    quotes = []
    for seed in ("a", "b"):
        state.reset(path, seed=seed, limits=False, at=FRIDAY)
        client = Client(path)
        client.login()
        quotes.append(client.quote())
    assert quotes[0] != quotes[1]
