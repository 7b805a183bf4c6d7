"""Group A over real sockets: a served broker behind a proxy that resets, halves and falls silent.

Read timeouts of mutations are 30 s and no setting shortens them, which is a promise to the user. These tests
replace the constant itself, in this process only, so that A13 and A14 do not take half a minute each.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capcli.app import App
from capcli.broker import transport
from capcli.paper.state import reset
from capcli.runtime import utc_now
from tests.faults import proxy as wire
from tests.faults.bench import WORKING, order, tell
from tests.faults.checker import Books, Evidence, Ledger, Told, counts, mismatches, violations
from tests.faults.matrix import Case, as_working_orders, cases
from tests.faults.processes import MONDAY
from tests.faults.proxy import Proxy, proxied
from tests.faults.served import served

pytestmark = pytest.mark.faults

READ_S = 0.6

Breaking = Callable[[Proxy], None]


def does(deed: wire.Deed) -> Breaking:
    return lambda proxy: setattr(proxy, "deed", deed)


# What is set up in the moment before the order leaves; every read before it has passed.
BREAKING: dict[str, Breaking] = {
    "A1": does(wire.passes),
    "A2": lambda proxy: proxy.shut(),
    "A6": lambda proxy: setattr(proxy, "reset_on_accept", True),
    "A7": lambda proxy: setattr(proxy, "reset_in_request", True),
    "A9": does(wire.reset_after_body),
    "A10": does(wire.closed_without_answer),
    "A11": does(wire.half_of_the_headers),
    "A12": does(wire.half_of_the_body),
    "A13": does(wire.silence_after_forwarding),
    "A14": does(wire.silence),
    "A15": does(wire.gateway_error_after),
    "A16": does(wire.unavailable_before),
}


@dataclass
class Line:
    """An App that talks to the served broker through the proxy."""

    app: App
    home: Path
    paper: Path
    proxy: Proxy
    told: list[Told]

    def breaks(self, breaking: Breaking, patch: pytest.MonkeyPatch) -> None:
        """Arm the proxy when the client is about to send, and not before."""
        broker = self.app.orders.broker
        real = broker.send

        def send(*args: Any, **options: Any) -> Any:
            breaking(self.proxy)
            return real(*args, **options)

        patch.setattr(broker, "send", send)

    def execute(self, preview_id: str) -> Told:
        told = tell(preview_id, lambda: self.app.executions.execute(preview_id, confirmed=True))
        self.told.append(told)
        return told

    def evidence(self) -> Evidence:
        books = Books.read(self.home / "journal.db")
        return Evidence(Ledger.read(self.paper), books, tuple(self.proxy.seen), tuple(self.told))


@pytest.fixture(scope="module")
def broker() -> Iterator[tuple[Path, tuple[str, int]]]:
    with tempfile.TemporaryDirectory() as folder:
        paper = Path(folder) / "paper.db"
        with served(paper) as address:
            yield paper, address


@pytest.fixture
def connection(
    broker: tuple[Path, tuple[str, int]], memory: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Line]:
    paper, address = broker
    reset(paper, start=MONDAY, limits=False, at=utc_now())
    monkeypatch.setattr(transport, "MUTATION_READ_S", READ_S)
    with proxied(address) as proxy:
        environ = {
            "CAPCLI_HOME": str(memory / "home"),
            "CAP_ENV": "demo",
            "CAP_ALLOW_TRADING": "true",
            "CAP_API_URL": proxy.url,
            "CAP_API_KEY": "paper",
            "CAP_IDENTIFIER": "paper",
            "CAP_API_PASSWORD": "paper",
        }
        with closing(App.build(environ=environ)) as app:
            yield Line(app, memory / "home", paper, proxy, [])


def _play(case: Case, line: Line, request: Any, patch: pytest.MonkeyPatch) -> None:
    preview_id = line.app.previews.preview(request).data.preview_id
    line.breaks(BREAKING[case.id], patch)
    told = line.execute(preview_id)
    found = line.evidence()
    wrong = violations(found) + mismatches(case, case.first, told, found, preview_id) + counts(case, found)
    assert wrong == []


@cases(*BREAKING)
def test_case(case: Case, connection: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    _play(case, connection, order(), monkeypatch)


@as_working_orders(BREAKING)
def test_case_with_a_working_order(case: Case, connection: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    _play(case, connection, WORKING, monkeypatch)


def test_a_lost_order_is_not_sent_again(connection: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same id after the wire is mended: nothing leaves, whatever is known by then."""
    preview_id = connection.app.previews.preview(order()).data.preview_id
    connection.proxy.deed = wire.reset_after_body
    assert connection.execute(preview_id).state == "UNKNOWN"
    connection.proxy.deed = wire.passes
    for _ in range(3):
        assert connection.execute(preview_id).replayed
    found = connection.evidence()
    assert (violations(found), found.posts, len(found.ledger.orders)) == ([], 1, 1)
