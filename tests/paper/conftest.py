"""A paper broker for each test, in a directory of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from capcli.paper.state import reset
from tests.paper.client import FRIDAY, Client


@pytest.fixture(autouse=True)
def _every_broker_closed() -> Iterator[None]:
    yield
    while Client.opened:
        Client.opened.pop().close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capcli" / "paper.db"


@pytest.fixture
def client(path: Path) -> Client:
    """Logged in, without request limits."""
    reset(path, limits=False, at=FRIDAY)
    client = Client(path)
    client.login()
    return client


@pytest.fixture
def limited(path: Path) -> Client:
    """Logged in, with the broker's own limits."""
    client = Client(path)
    client.login()
    client.wait(seconds=2)
    return client
