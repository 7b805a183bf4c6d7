"""`capcli.paper.serve` in a process of its own; `python -m tests.faults.served OPTIONS` says its address.

With a log it keeps the broker's own count of the order POSTs: a line when one arrives, with what the journal
said at that instant, and one when the broker takes it up. With `traffic` it writes a line for every request:
when the broker counted it, what it was and how it was answered.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.store.builders import CHILD_ENV
from tests.support.children import Child
from tests.support.launched import as_own_user

ORDERS = ("/positions", "/workingorders")


@dataclass(frozen=True)
class Serving:
    """What is served. `latency_s` passes between an order's arrival and its acceptance, in real seconds."""

    paper: str
    journal: str = ""
    log: str = ""
    traffic: str = ""
    factor: float = 1
    latency_s: float = 0


@contextmanager
def served(paper: Path, **options: Any) -> Iterator[tuple[str, int]]:
    """Serve a paper broker's file over loopback HTTP; yield its host and port."""
    what = json.dumps(asdict(Serving(str(paper), **options)))
    command = [sys.executable, *as_own_user(), "-m", "tests.faults.served", what]
    with Child(command, text=True, env=CHILD_ENV, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            host, _, port = process.stdout.readline().strip().removeprefix("http://").partition(":")
            yield host, int(port)
        finally:
            process.terminate()


def main() -> None:
    from capcli.paper.serve import serve
    from tests.faults.scaled import FastTime

    def ready(address: str) -> None:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()

    what = Serving(**json.loads(sys.argv[1]))
    if what.log:
        _count(what)
    if what.traffic:
        _watch(Path(what.traffic))
    serve(Path(what.paper), port=0, clock=FastTime(what.factor).now, ready=ready)


@dataclass(frozen=True)
class Passed:
    """One request as the broker saw it; `at` in seconds since 1970."""

    at: float
    method: str
    path: str
    status: int


def passed_by(pages: list[Passed], turns: list[tuple[float, float]]) -> int:
    """Return how many of these requests went ahead while one turn was waited for, at most."""
    return max(sum(since <= one.at <= given for one in pages) for since, given in turns)


def traffic(log: Path) -> list[Passed]:
    """Return the requests in the order in which the broker counted them."""
    return sorted(
        (Passed(**json.loads(line)) for line in log.read_text().splitlines()), key=lambda one: one.at
    )


def _watch(log: Path) -> None:
    """Write down what passes the broker's door, inside its process."""
    from capcli.paper.broker import PaperBroker
    from capcli.paper.messages import Request, Response

    real = PaperBroker.handle

    def handle(self: PaperBroker, request: Request) -> Response:
        response = real(self, request)
        path = request.path.removeprefix("/api/v1")
        passed = Passed(request.at.timestamp(), request.method, path, response.status)
        with log.open("a") as stream:
            stream.write(json.dumps(asdict(passed)) + "\n")
        return response

    owner: Any = PaperBroker
    owner.handle = handle


def _count(what: Serving) -> None:
    """Put the log in front of the broker, inside its process."""
    from capcli.paper.broker import PaperBroker
    from capcli.paper.messages import Request, Response
    from tests.faults.wire import FaultTransport, Forward

    journal = Path(what.journal) if what.journal else None
    real = PaperBroker.handle

    def handle(self: PaperBroker, request: Request) -> Response:
        answers: list[Response] = []

        def broker(_request: httpx.Request) -> httpx.Response:
            answers.append(real(self, request))
            return httpx.Response(200)

        # A client that dies in the middle of its request has sent no order: the rest of it never comes.
        whole = len(request.body) == int(request.headers.get("content-length", 0))
        if not whole or request.method != "POST" or not request.path.endswith(ORDERS):
            return real(self, request)
        wire = FaultTransport(httpx.MockTransport(broker), journal=journal, log=Path(what.log))
        asked = httpx.Request(request.method, f"http://paper{request.path}", content=request.body)

        def slow(passed: httpx.Request, forward: Forward) -> httpx.Response:
            time.sleep(what.latency_s)
            return forward(passed)

        wire.on("POST", "/", slow)
        wire.handle_request(asked)
        return answers[0]

    owner: Any = PaperBroker
    owner.handle = handle


if __name__ == "__main__":
    main()
