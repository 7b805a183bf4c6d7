"""A process that talks to a served broker as fast as it is let: `python -m tests.faults.traveller TRIP`.

It writes one line of JSON for each of its processes: how long each request waited for its turn, and what
became of it all. With `copies` it imports everything once and forks, so that all start at the same instant.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from capcli.app import App
from capcli.broker.limits import Pace, RequestKind
from capcli.domain.market import Resolution
from capcli.errors import CapcliError
from capcli.ports import Lane

STEP_S = 0.1


@dataclass
class Trip:
    """What is done, `after` some seconds: reads of the positions, a download, the execution of a preview."""

    environ: dict[str, str]
    after: float = 0
    reads: int = 0
    seconds: float = 0
    preview: str = ""
    copies: int = 1

    def write(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Told:
    """What a process tells: the wait for each turn (seconds), pages, the state of its order, its errors.

    `turns` are the instants (since 1970) from which and to which each turn was waited for.
    `stalled` are the seconds in which it was too slow itself to ask again in time.
    """

    stalled: float = 0
    waits: list[float] = field(default_factory=list)
    turns: list[tuple[float, float]] = field(default_factory=list)
    pages: int = 0
    state: str = ""
    errors: list[str] = field(default_factory=list)


def measure(told: Told) -> None:
    """Note how long each request of this process waits for its turn."""
    real = Pace.turn
    given = [time.monotonic()]

    @contextmanager
    def turn(self: Pace, lane: Lane, kind: RequestKind = RequestKind.PLAIN) -> Iterator[None]:
        began, since = time.monotonic(), time.time()
        told.stalled += max(0.0, began - given[-1] - STEP_S) if told.waits else 0
        with real(self, lane, kind):
            given.append(time.monotonic())
            told.waits.append(given[-1] - began)
            told.turns.append((since, time.time()))
            yield

    owner: Any = Pace
    owner.turn = turn


def travel(trip: Trip) -> Told:
    told = Told()
    measure(told)
    time.sleep(trip.after)
    with closing(App.build(environ=trip.environ)) as app:
        try:
            _go(app, trip, told)
        except CapcliError as error:
            told.errors.append(f"{error.code}: {error.message}")
    return told


def _go(app: App, trip: Trip, told: Told) -> None:
    for _ in range(trip.reads):
        app.broker.positions()
    until = time.monotonic() + trip.seconds
    bulk = app.broker.in_lane(Lane.BULK)
    while time.monotonic() < until:
        told.pages += len(bulk.candles("GOLD", Resolution.HOUR, last=1000)) == 1000
    if trip.preview:
        told.state = app.executions.execute(trip.preview, confirmed=True).data.state.value


def main() -> None:
    trip = Trip(**json.loads(sys.argv[1]))
    gate_out, gate_in = os.pipe()
    started = []
    for _ in range(trip.copies):
        pid = os.fork()
        if not pid:
            os.close(gate_in)
            os.read(gate_out, 1)
            line = json.dumps(asdict(travel(trip))).encode() + b"\n"
            os.write(1, line)
            os._exit(0)
        started.append(pid)
    os.close(gate_in)
    for pid in started:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
