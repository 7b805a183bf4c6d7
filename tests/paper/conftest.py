"""A paper broker for each test, in a directory of its own."""

import shutil
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


@pytest.fixture(scope="session")
def logged_in(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Made once and copied for each test: making a world takes longer than most tests."""
    path = tmp_path_factory.mktemp("world") / "paper.db"
    reset(path, limits=False, at=FRIDAY)
    client = Client(path)
    client.login()
    client.broker.close()
    return client


@pytest.fixture
def client(path: Path, logged_in: Client) -> Client:
    """Logged in, without request limits."""
    path.parent.mkdir()
    shutil.copy(logged_in.path, path)
    client = Client(path)
    client.tokens = dict(logged_in.tokens)
    return client


@pytest.fixture
def limited(path: Path) -> Client:
    """Logged in, with the broker's own limits."""
    client = Client(path)
    client.login()
    client.wait(seconds=2)
    return client
