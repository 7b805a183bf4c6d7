"""One home, one broker, and any number of processes' views of them: what the cases are played on."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from capcli.app import App
from capcli.broker.client import CapitalBroker
from capcli.domain.account import OrderType
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.errors import CapcliError
from capcli.paper.transport import PaperTransport
from capcli.ports.login import Credentials
from capcli.runtime import Options, Runtime
from tests.faults.checker import Books, Evidence, Ledger, Told, counts, mismatches, violations
from tests.faults.matrix import Case, Outcome
from tests.faults.wire import FaultTransport
from tests.support.clock import Time
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Ids, stop_at

PAPER_KEYS = Credentials("paper", "paper", "paper")
UNDECIDED = {"UNKNOWN", "ACKED", "SENDING"}
# A quiet period, then two clean reads: how long the second step waits before each of its looks (seconds).
LOOKS_S = (1, 121, 31)


def order(
    size: str = "1.5",
    *,
    side: Side = Side.BUY,
    stop: str | None = None,
    level: str | None = None,
) -> OrderRequest:
    """A market order, or a working order when it has a level."""
    leg = ExitOrder(ExitForm.LEVEL, Decimal(stop)) if stop else None
    trigger = Trigger(Decimal(level), OrderType.LIMIT) if level else None
    return OrderRequest("SILVER", side, Decimal(size), stop=leg, trigger=trigger)


WORKING = order(level="25")


def tell(preview_id: str, work: Callable[[], Any]) -> Told:
    """Run a use case and return what a face would tell its user."""
    try:
        reply = work()
    except CapcliError as error:
        problem = error.problem()
        return Told(
            problem.exit_code, problem.message, preview_id, code=problem.code, retry_safe=problem.retry_safe
        )
    data = reply.data
    return Told(
        exit=reply.exit_code,
        sentence=data.sentence,
        preview_id=getattr(data, "preview_id", preview_id),
        attempt_id=data.attempt_id,
        state=data.state.value,
        code=reply.problem.code if reply.problem else "",
        replayed=getattr(data, "replayed", False),
        retry_safe=getattr(data, "retry_safe", False),
    )


class Hand:
    """Somebody else at the same broker: a second platform, on connections of its own that nothing breaks.

    Slow enough that its requests and capcli's never meet the broker's limit of ten a second together.
    """

    def __init__(self, path: Path, time: Time) -> None:
        self._time = time
        self.broker = CapitalBroker(
            "http://paper",
            lambda: PAPER_KEYS,
            clock=time.now,
            transport=PaperTransport(path, time.now),
            monotonic=time.monotonic,
            sleep=time.sleep,
            sealed_login=False,
        )

    def trades(self, side: str = "BUY", size: str = "1.5", epic: str = "SILVER") -> str | None:
        """Open something, and return its reference."""
        body = f'{{"epic":"{epic}","direction":"{side}","size":{size}}}'.encode()
        self._time.tick(1)
        answer = self.broker.send("POST", "/positions", body)
        assert answer.status == 200
        self._time.tick(1)
        return answer.deal_reference

    def closes_all(self) -> None:
        self._time.tick(1)
        for position in self.broker.positions():
            assert self.broker.send("DELETE", f"/positions/{position.deal_id}", None).status == 200
        self._time.tick(1)

    def near(self, below: str = "0.02") -> str:
        """Return a level at which a limit order to buy is filled before long."""
        return str(self.broker.market("SILVER").quote.offer - Decimal(below))

    def waits_for_fills(self) -> None:
        """Let time pass until no working order waits; each of them became a position."""
        for _ in range(500):
            self._time.tick(60)
            if not self.broker.orders():
                return
        raise AssertionError("the price never came there")

    def moves_to(self, account_id: str) -> None:
        self._time.tick(1)
        self.broker.switch_account(account_id)
        self._time.tick(1)

    def close(self) -> None:
        self.broker.close()


class Bench:
    """A home with a paper broker in it. Every process on it shares the log of what left."""

    def __init__(self, home: Path, time: Time, stack: ExitStack) -> None:
        self.home = home
        self.time = time
        self.paper = home / "paper.db"
        self.journal = home / "journal.db"
        self.told: list[Told] = []
        self.wires: list[FaultTransport] = []
        self._stack = stack
        self._apps = 0
        self.app = self.process()
        self.wire = self.wires[0]

    def process(
        self, options: Options | None = None, *, clock: Callable[[], datetime] | None = None, **settings: str
    ) -> App:
        """Another process of the same user: an App with its own connections and its own wire."""
        self._apps += 1
        wire = FaultTransport(PaperTransport(self.paper, self.time.now), journal=self.journal)
        self.wires.append(wire)
        app = App.build(
            options,
            environ={"CAPCLI_HOME": str(self.home), **settings},
            runtime=Runtime(
                clock=clock or self.time.now,
                ids=Ids(self._apps),
                sleep=self.time.sleep,
                monotonic=self.time.monotonic,
                lock_wait_s=0.2,
                transport=wire,
            ),
        )
        return self._stack.enter_context(closing(app))

    def restart(self, **settings: str) -> None:
        """End the process and begin another one, which is the one that is broken from now on."""
        self.app.close()
        self.app = self.process(**settings)
        self.wire = self.wires[-1]

    def hand(self) -> Hand:
        return self._stack.enter_context(closing(Hand(self.paper, self.time)))

    def preview(self, request: OrderRequest | None = None) -> str:
        preview = self.app.previews.preview(request or order()).data
        assert preview.executable, preview.failed
        return preview.preview_id

    def execute(self, preview_id: str, app: App | None = None, **options: Any) -> Told:
        executions = (app or self.app).executions
        told = tell(preview_id, lambda: executions.execute(preview_id, confirmed=True, **options))
        self.told.append(told)
        return told

    def settle(self, preview_id: str) -> Told:
        """The second step: the same preview again, as often as a verdict may take."""
        told = self.execute(preview_id)
        for pause in LOOKS_S:
            if told.state not in UNDECIDED:
                break
            self.time.tick(pause)
            told = self.execute(preview_id)
        return told

    def evidence(self) -> Evidence:
        seam = tuple(one for wire in self.wires for one in wire.seen)
        return Evidence(Ledger.read(self.paper), Books.read(self.journal), seam, tuple(self.told))

    def judge(self, case: Case, want: Outcome, told: Told | None, preview_id: str) -> None:
        found = self.evidence()
        assert violations(found) + mismatches(case, want, told, found, preview_id) == []

    def finish(self, case: Case, preview_id: str) -> None:
        """Play the second step, whatever is known by now, and compare what is due with the matrix."""
        self.wire.mend()
        before = self.evidence().posts
        told = self.settle(preview_id)
        found = self.evidence()
        assert violations(found) + counts(case, found) == []
        assert found.posts == before, "the second step sent something"
        if case.then:
            self.judge(case, case.then, told, preview_id)

    def play(self, case: Case, request: OrderRequest | None = None, **options: Any) -> Told:
        """Preview, execute, compare; then the second step. The wire is broken by the caller before."""
        preview_id = self.preview(request)
        told = self.execute(preview_id, **options)
        self.judge(case, case.first, told, preview_id)
        self.finish(case, preview_id)
        return told


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


__all__ = [
    "FIRST_ACCOUNT",
    "SECOND_ACCOUNT",
    "WORKING",
    "Bench",
    "Hand",
    "Outcome",
    "hours",
    "order",
    "stop_at",
    "tell",
]
