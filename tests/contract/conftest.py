"""Worlds of the paper broker to ask, and at the end of a run how much of the contract was compared."""

from collections.abc import Iterator

import pytest

from tests.contract.stage import Worlds
from tests.paper.client import FRIDAY, Client

_COMPARED = {
    "test_the_paper_broker_takes_the_requests_of_the_collection": "requests",
    "test_the_paper_broker_answers_as_published": "example responses",
    "test_the_paper_broker_has_the_fields_that_came_later": "newer answers",
    "test_the_bodies_of_a_cassette_are_as_published": "cassettes",
}


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = [report.nodeid for report in terminalreporter.stats.get("passed", [])]
    counts = {what: sum(f"::{test}[" in name for name in passed) for test, what in _COMPARED.items()}
    if any(counts.values()):
        said = ", ".join(f"{count} {what}" for what, count in counts.items())
        terminalreporter.write_line(f"The paper broker is as published in {said}.")
