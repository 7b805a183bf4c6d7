"""One login and one allowance for all processes, as a served broker counts them, its real limits on."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from capcli.app import App
from capcli.broker.limits import REQUESTS, WINDOW_S
from capcli.paper.state import reset, switches
from capcli.runtime import utc_now
from tests.faults.bench import order
from tests.faults.processes import MONDAY
from tests.faults.served import Passed, passed_by, served, traffic
from tests.faults.traveller import Told, Trip
from tests.store.builders import CHILD_ENV
from tests.support.children import Child
from tests.support.launched import as_own_user

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="forked processes"),
]

PATIENCE_S = 90


@dataclass
class Place:
    """A home, a runtime folder, and a served broker that keeps its limits and writes down what it counts."""

    folder: Path
    address: str
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "CAPCLI_HOME": str(self.folder / "home"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "CAP_ENV": "demo",
            "CAP_ALLOW_TRADING": "true",
            "CAP_API_URL": self.address,
            "CAP_API_KEY": "paper",
            "CAP_IDENTIFIER": "paper",
            "CAP_API_PASSWORD": "paper",
            **self.settings,
        }

    def app(self) -> App:
        return App.build(environ=self.environ)

    def starts(self, **trip: object) -> "subprocess.Popen[str]":
        what = Trip(self.environ, **trip)  # type: ignore[arg-type]
        command = [sys.executable, *as_own_user(), "-m", "tests.faults.traveller", what.write()]
        return Child(command, text=True, env=CHILD_ENV, stdout=subprocess.PIPE)

    def command(self, *words: str) -> "subprocess.Popen[str]":
        plain = {name: text for name, text in CHILD_ENV.items() if not name.startswith("CAP")}
        return Child(
            [sys.executable, *as_own_user(), "-m", "capcli", *words],
            text=True,
            env=plain | self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def seen(self) -> list[Passed]:
        return traffic(self.folder / "traffic.jsonl")

    def waits_for(self, answers: int) -> None:
        """Wait until the broker has answered so many requests with 200."""
        deadline, log = time.monotonic() + PATIENCE_S, self.folder / "traffic.jsonl"
        while True:
            lines = log.read_text().split("\n")[:-1] if log.exists() else []
            if sum(json.loads(line)["status"] == 200 for line in lines) >= answers:
                return
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def sessions_end(self) -> None:
        """Let the broker forget every session, as it does after ten idle minutes."""
        with closing(sqlite3.connect(self.folder / "paper.db", timeout=10)) as db, db:
            db.execute("DELETE FROM sessions")


@pytest.fixture
def place(memory: Path) -> Iterator[Place]:
    (memory / "run").mkdir(mode=0o700)
    paper = memory / "paper.db"
    reset(paper, start=MONDAY, limits=True, at=utc_now())
    switches(paper, at=utc_now(), confirm_delay_ms=0)
    with served(paper, traffic=str(memory / "traffic.jsonl")) as (host, port):
        yield Place(memory, f"http://{host}:{port}")


def ends(process: "subprocess.Popen[str]") -> list[Told]:
    out, _ = process.communicate(timeout=PATIENCE_S)
    return [Told(**json.loads(line)) for line in out.splitlines()]


def most_in_a_second(seen: list[Passed]) -> int:
    """Count the fullest second, as the broker counts: less than 1000 milliseconds apart."""
    times = [round(one.at * 1000) for one in seen]
    return max(sum(start <= at < start + 1000 for at in times) for start in times)


def logins(seen: list[Passed]) -> int:
    return sum((one.method, one.path) == ("POST", "/session") for one in seen)


def test_twenty_commands_at_once_with_a_cold_session_log_in_once(place: Place) -> None:
    commands = [place.command("positions", "--json") for _ in range(20)]
    answers = [command.communicate(timeout=PATIENCE_S) for command in commands]

    assert [command.returncode for command in commands] == [0] * 20, answers
    seen = place.seen()
    print(f"20 commands: {logins(seen)} login(s), {most_in_a_second(seen)} requests in the fullest second")
    assert logins(seen) <= 2
    assert [one for one in seen if one.status == 429] == []
    assert most_in_a_second(seen) <= 10
    assert all(json.loads(out)["data"]["positions"] == [] for out, _ in answers)


def test_twenty_processes_at_the_same_instant_log_in_once_and_never_meet_the_limit(place: Place) -> None:
    """Forked and let go together: what import times spread out above comes in one heap here."""
    told = ends(place.starts(copies=20, reads=3))

    seen = place.seen()
    took = seen[-1].at - seen[0].at
    print(
        f"20 x 3 reads: {logins(seen)} login(s), {most_in_a_second(seen)} in the fullest second, {took:.1f} s"
    )
    assert (len(told), [one.errors for one in told]) == (20, [[]] * 20)
    assert logins(seen) <= 2
    assert {one.status for one in seen} == {200}
    assert most_in_a_second(seen) <= 10
    assert len(seen) == 60 + 2 * logins(seen)


def test_an_order_is_sent_in_time_beside_a_download_that_misses_nothing(place: Place) -> None:
    with closing(place.app()) as app:
        preview_id = app.previews.preview(order()).data.preview_id
    # Both are there before it begins: what counts is the limiter, not who has the processor.
    bulk, executes = place.starts(after=2, seconds=10), place.starts(after=6, preview=preview_id)
    (sent,), (loaded,) = ends(executes), ends(bulk)

    seen = place.seen()
    pages = [one for one in seen if one.path == "/prices/GOLD"]
    first, last = pages[0].at, pages[-1].at
    others = sum(first < one.at < last for one in seen) - (len(pages) - 2)
    took = last - first
    left, raw = (took - loaded.stalled) * REQUESTS / WINDOW_S - others, took * REQUESTS - others
    share = (len(pages) - 1) / left
    print(
        f"order: {len(sent.waits)} requests, longest wait {max(sent.waits):.3f} s; "
        f"bulk: {len(pages)} pages in {took:.2f} s beside {others} others, {share:.1%} of what was left "
        f"({(len(pages) - 1) / raw:.1%} of ten a second; it stalled for {loaded.stalled:.2f} s itself)"
    )
    assert (sent.state, sent.errors, loaded.errors) == ("LANDED", [], [])
    assert others >= 8
    assert passed_by(pages, sent.turns) <= REQUESTS // 2
    assert most_in_a_second(seen) <= 10
    assert [one for one in seen if one.status == 429] == []


def test_processes_killed_in_the_queue_and_under_way_hold_nobody_up(place: Place) -> None:
    heap = place.starts(copies=20, reads=50)
    place.waits_for(25)
    children = Path(f"/proc/{heap.pid}/task/{heap.pid}/children")
    if not children.exists():
        pytest.skip("the children of a process are found in /proc")
    for pid in children.read_text().split():
        os.kill(int(pid), 9)
    heap.communicate(timeout=PATIENCE_S)

    (told,) = ends(place.starts(reads=1))

    # Fifty reads of each of twenty killed ones would be a hundred seconds of the whole allowance.
    assert (told.errors, len(told.turns)) == ([], 1)
    assert passed_by(place.seen(), told.turns) <= REQUESTS


def test_a_session_killed_at_the_broker_between_two_commands_is_renewed(place: Place) -> None:
    for _ in range(2):
        command = place.command("positions", "--json")
        out, err = command.communicate(timeout=PATIENCE_S)
        assert command.returncode == 0, out + err
        place.sessions_end()

    assert logins(place.seen()) == 2
    assert [one.status for one in place.seen()] == [200, 200, 200, 401, 200, 200, 200], (
        "each login asks for its key"
    )


def test_a_session_killed_during_a_download_is_renewed_and_the_pages_go_on(place: Place) -> None:
    bulk = place.starts(seconds=5)
    for pages in (3, 6):
        place.waits_for(pages)
        place.sessions_end()
    (told,) = ends(bulk)

    statuses = [one.status for one in place.seen() if one.path == "/prices/GOLD"]
    assert told.errors == []
    assert (statuses.count(401), statuses[-1]) == (2, 200)
    assert told.pages == statuses.count(200)
    assert logins(place.seen()) == 3


def test_a_session_killed_before_the_order_leaves_is_no_reason_to_send_twice(place: Place) -> None:
    """The order meets 401: that is a refusal, told as one, and nothing is sent again."""
    with closing(place.app()) as app:
        preview_id = app.previews.preview(order()).data.preview_id
        real = app.orders.broker.opening_wait_s

        def at_the_last_moment() -> int:
            place.sessions_end()
            return real()

        app.orders.broker.opening_wait_s = at_the_last_moment  # type: ignore[method-assign]
        done = app.executions.execute(preview_id, confirmed=True)

    posts = [one for one in place.seen() if (one.method, one.path) == ("POST", "/positions")]
    assert (done.data.state.value, done.exit_code) == ("REFUSED", 4)
    assert [one.status for one in posts] == [401]


def test_the_thousand_and_first_order_of_the_hour_is_refused_here_and_stays_ready(place: Place) -> None:
    with closing(place.app()) as app:
        preview_id = app.previews.preview(order()).data.preview_id
        book = app.broker._openings._book
        now = app.clock()
        book.update(lambda _: tuple((now - timedelta(seconds=1000 - n)).timestamp() for n in range(1000)))
        began = now.timestamp()
    before = len(place.seen())

    refused = place.command("execute", preview_id, "--confirm", "--json")
    answer = json.loads(refused.communicate(timeout=PATIENCE_S)[0])

    assert (refused.returncode, answer["error"]["code"]) == (11, "RATE_LIMITED")
    with closing(place.app()) as app:
        ended = app.clock().timestamp()
    # The oldest was 1000 s old when this began, so its hour ends 2600 s after that.
    asked_at = began + 2600 - answer["error"]["details"]["retry_after_s"]
    assert began - 1 <= asked_at <= ended
    assert not [one for one in place.seen()[before:] if one.method == "POST"]
    with closing(place.app()) as app:
        preview = app.journal.preview(preview_id)
        assert preview is not None
        assert preview.state.value == "READY"
