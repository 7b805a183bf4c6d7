"""Eight clients with one mandate that open, tighten and close at once, each in a process of its own.

`python -m tests.faults.mandated JOB` forks them and ends when they have. Each writes what it was told, and
the most that the broker's own rows ever showed of the mandate: realised losses, and losses at the stops.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from random import Random

from capcli.app import App
from capcli.domain.bracket import Change
from capcli.errors import CapcliError
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime, utc_now
from tests.faults.bench import order
from tests.support.seat import stop_at

CLIENTS = 8
HASTE = 30


@dataclass
class Job:
    """`file` is the secret that all clients share; `deeds` is how often each of them tries something."""

    home: str
    file: str
    seed: int
    deeds: int = 4


@dataclass
class Told:
    """What one client was told, by code, and the most that it saw used."""

    codes: list[str]
    most: str


class Client:
    """One process: an App of its own on the home and the broker that all share."""

    def __init__(self, app: App, random: Random) -> None:
        self.app = app
        self.random = random
        self.codes: list[str] = []
        self.most = Decimal(0)

    def work(self, deeds: int) -> None:
        for _ in range(deeds):
            deed = self.random.choice((self.open, self.open, self.open, self.tighten, self.close))
            try:
                self.codes.append(deed())
            except CapcliError as error:
                self.codes.append(error.code)
            self.most = max(self.most, used(self.app))

    def open(self) -> str:
        bid = self.app.broker.market("SILVER").quote.bid
        away = Decimal(self.random.randint(50, 400)) / 100
        size = str(self.random.randint(1, 12))
        preview = self.app.previews.preview(order(size, stop=str(bid - away))).data
        done = self.app.executions.execute(preview.preview_id, confirmed=True, again=True)
        return f"OPEN {done.data.state.value}"

    def tighten(self) -> str:
        deal = self._deal()
        row = self.app.broker.position(deal)
        assert row.stop_level is not None
        nearer = row.stop_level + (row.bid - row.stop_level) / 4
        change = Change(stop=stop_at(f"{nearer:.2f}"))
        return f"TIGHTEN {self.app.amendments.amend(deal, change, confirmed=True).data.state}"

    def close(self) -> str:
        return f"CLOSE {self.app.closings.close(self._deal(), confirmed=True).data.state.value}"

    def _deal(self) -> str:
        rows = self.app.broker.positions()
        return self.random.choice(rows).deal_id if rows else "0000019c-0000-0000-0000-000000000000"


def used(app: App) -> Decimal:
    """Add up what the broker shows, where nothing but the mandate's deals is on the account.

    The bookings are read first: a deal that closes between the two reads is then missed, not counted twice.
    """
    start = (app.broker.broker_time() or app.broker.server_time()).replace(hour=0, minute=0, second=0)
    booked = [row.amount for row in app.broker.transactions(start, None) if row.type != "DEPOSIT"]
    lost = sum((-amount for amount in booked if amount < 0), Decimal(0))
    at_stops = [(row.level - (row.stop_level or Decimal(0))) * row.size for row in app.broker.positions()]
    return lost + sum((max(one, Decimal(0)) for one in at_stops), Decimal(0))


def run(job: Job, number: int) -> None:
    home = Path(job.home)
    settings = {"CAPCLI_HOME": job.home, "CAP_APPROVAL": "human", "CAP_MANDATE_FILE": job.file}
    settings |= {"CAP_NOTIFY": "false"}
    runtime = Runtime(
        transport=PaperTransport(home / "paper.db", utc_now),
        lock_wait_s=120,
        # All share one pace of ten requests a second: only waiting for it goes faster here.
        monotonic=lambda: time.monotonic() * HASTE,
        sleep=lambda seconds: time.sleep(seconds / HASTE),
    )
    with closing(App.build(environ=settings, runtime=runtime)) as app:
        client = Client(app, Random(job.seed * CLIENTS + number))
        client.work(job.deeds)
    told = Told(client.codes, str(client.most))
    (home / f"told-{number}.json").write_text(json.dumps(asdict(told)))


def forked(work: Callable[[int], None]) -> list[int]:
    """Run some work in as many processes as there are clients; return their exit codes."""
    children = []
    for number in range(CLIENTS):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                work(number)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


if __name__ == "__main__":
    wanted = Job(**json.loads(sys.argv[1]))
    sys.exit(max(forked(lambda number: run(wanted, number))))
