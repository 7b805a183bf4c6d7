"""T2: any sequence of orders, lost answers, crashes, waits and strangers keeps every promise."""

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from capcli.errors import CapcliError
from tests.faults.bench import FIRST_ACCOUNT, SECOND_ACCOUNT, Bench, order
from tests.faults.checker import violations
from tests.faults.wire import (
    ALWAYS,
    Fault,
    Forward,
    after,
    although,
    before,
    cut_body,
    instead,
    meanwhile,
    passes,
    session_lost,
    too_many,
)
from tests.support.clock import Time

MEMORY = "/dev/shm"


class Killed(BaseException):
    """Ends a process in the middle: nothing catches it but the end of the execution."""


def dies_before(_request: httpx.Request, _forward: Forward) -> httpx.Response:
    raise Killed


def dies_after(request: httpx.Request, forward: Forward) -> httpx.Response:
    forward(request)
    raise Killed


WIRE: dict[str, Fault] = {
    "nothing": passes,
    "refused connection": before(httpx.ConnectError),
    "lost before": before(httpx.ReadError),
    "lost after": after(httpx.ReadTimeout),
    "half an answer": cut_body(),
    "gateway error": although(502, text="Bad Gateway"),
    "unavailable": instead(503, text="later"),
    "rate limit": too_many(),
    "dead session": session_lost(),
    "killed before": dies_before,
    "killed after": dies_after,
}
STEPS = ("SENDING", "ACKED", "LANDED")


class Desk(RuleBasedStateMachine):
    """One user, one account, and processes that come and go. Every preview has a size of its own."""

    previews = Bundle("previews")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        where = MEMORY if os.access(MEMORY, os.W_OK) else None
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="capcli-", dir=where))
        self.bench = Bench(Path(folder) / "home", Time(), self.stack)
        self.hand = self.bench.hand()
        self.made = 0

    def teardown(self) -> None:
        self.stack.close()

    @rule(target=previews, stop=st.sampled_from([None, "25"]))
    def preview(self, stop: str | None) -> Any:
        self.made += 1
        self.bench.time.tick(1)
        found = self.bench.app.previews.preview(order(f"{1 + self.made / 10}", stop=stop)).data
        return found.preview_id if found.executable else multiple()

    @rule(preview_id=previews, fault=st.sampled_from(sorted(WIRE)))
    def execute(self, preview_id: str, fault: str) -> None:
        self.bench.wire.on("POST", "/positions", WIRE[fault])
        self._run(lambda: self.bench.execute(preview_id))

    @rule(preview_id=previews, step=st.sampled_from(STEPS), late=st.booleans())
    def execute_and_die(self, preview_id: str, step: str, late: bool) -> None:
        journal = self.bench.app.journal
        real = journal.move

        def move(attempt_id: str, from_state: Any, to_state: Any, **facts: Any) -> bool:
            if to_state == step and not late:
                raise Killed
            moved = real(attempt_id, from_state, to_state, **facts)
            if to_state == step:
                raise Killed
            return moved

        journal.move = move  # type: ignore[method-assign]
        self._run(lambda: self.bench.execute(preview_id))
        journal.move = real  # type: ignore[method-assign]

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Killed:
            self.bench.restart()
        self.bench.wire.mend()

    @rule(preview_id=previews)
    def ask_again(self, preview_id: str) -> None:
        before_it = self.bench.evidence()
        if before_it.books.attempt_of(preview_id) is not None:
            self.bench.execute(preview_id)
            assert self.bench.evidence().posts == before_it.posts

    @rule(blind=st.sampled_from([None, "/positions", "/workingorders", "/history/activity"]))
    def reconcile(self, blind: str | None) -> None:
        """Look at everything that is open, now and then with one read that breaks off."""
        posts = self.bench.evidence().posts
        if blind is not None:
            self.bench.wire.on("GET", blind, cut_body(), times=ALWAYS)
        with suppress(CapcliError):
            self.bench.app.reconciliations.reconcile()
        self.bench.wire.mend()
        assert self.bench.evidence().posts == posts

    @rule(preview_id=previews)
    def a_person_says_it_was_not_placed(self, preview_id: str) -> None:
        attempt = self.bench.evidence().books.attempt_of(preview_id)
        if attempt is not None:
            with suppress(CapcliError):
                self.bench.app.resolutions.resolve(attempt["id"], not_placed=True, confirmed=True)

    @rule(seconds=st.sampled_from([1, 30, 70, 130]))
    def wait(self, seconds: int) -> None:
        self.bench.time.tick(seconds)

    @rule(side=st.sampled_from(["BUY", "SELL"]))
    def stranger_trades(self, side: str) -> None:
        self.hand.trades(side, "0.7")

    @rule()
    def stranger_switches_the_account(self) -> None:
        self.hand.moves_to(SECOND_ACCOUNT)
        self.bench.restart()
        self.bench.wire.on("GET", "/session", session_lost())
        self.hand.moves_to(FIRST_ACCOUNT)

    @rule(account=st.sampled_from([FIRST_ACCOUNT, SECOND_ACCOUNT]))
    def the_next_login_is_on(self, account: str) -> None:
        """Previews of the other account stay where they were made."""
        self.hand.moves_to(account)
        self.bench.app.logins.cache.forget()
        self.bench.restart()

    @rule(preview_id=previews, at=st.sampled_from(["/session", "/positions", "/workingorders", "/markets"]))
    def the_session_moves_in_the_middle(self, preview_id: str, at: str) -> None:
        """Somebody switches the account while an execution reads, and its session ends there."""
        self.bench.wire.on("GET", at, meanwhile(lambda: self.hand.moves_to(SECOND_ACCOUNT), session_lost()))
        self._run(lambda: self.bench.execute(preview_id))
        self.hand.moves_to(FIRST_ACCOUNT)

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert violations(self.bench.evidence()) == []


Desk.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestDesk = Desk.TestCase
