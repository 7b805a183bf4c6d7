"""Worlds of the paper broker to ask."""

from collections.abc import Iterator

import pytest

from tests.contract.stage import Worlds
from tests.paper.client import FRIDAY, Client


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return Worlds(tmp_path_factory.mktemp("worlds"))


@pytest.fixture
def client(worlds: Worlds) -> Client:
    """Logged in on a Friday, without request limits."""
    return worlds.client(FRIDAY)


@pytest.fixture(autouse=True)
def _every_broker_closed() -> Iterator[None]:
    yield
    while Client.opened:
        Client.opened.pop().close()
