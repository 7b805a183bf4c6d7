"""`watch` and `alert` in processes of their own, against a served paper broker that misbehaves."""

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capcli.paper.state import reset, set_fault
from tests.faults.test_stream import MONDAY, serving
from tests.support.flood import flood
from tests.support.launched import as_own_user

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="a console signal would reach the test run as well"),
]


class Watch:
    """A running command whose lines are read one by one."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def event(self, seconds: float = 15) -> dict:
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        assert ready, "nothing is said"
        document = json.loads(self.process.stdout.readline())
        return document.get("data", document.get("error"))

    def until(self, name: str, seconds: float = 20) -> dict:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            event = self.event()
            if event.get("event") == name:
                return event
        pytest.fail(f"no {name}")

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker" / "paper.db"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    runtime = tmp_path / "run"  # where the processes of one user share a session
    runtime.mkdir(mode=0o700)
    keys = {"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}
    return {
        **os.environ,
        **keys,
        "CAP_ENV": "demo",
        "CAPCLI_HOME": str(tmp_path / "client"),
        "XDG_RUNTIME_DIR": str(runtime),
    }


@contextmanager
def running(environ: dict[str, str], url: str, *words: str) -> Iterator[Watch]:
    """Run a command with its output unbuffered: what is not read stays in the pipe for `select` to see."""
    command = (sys.executable, *as_own_user(), "-m", "capcli", *words, "--json", "--quiet")
    process = subprocess.Popen(
        command,
        env={**environ, "CAP_API_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    try:
        yield Watch(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def fresh(path: Path, **options) -> None:
    reset(path, start=MONDAY, limits=False, at=datetime.now(UTC), **options)


def arm(path: Path, name: str, **options) -> None:
    set_fault(path, name, at=datetime.now(UTC), **options)


def test_a_cut_stream_comes_back_and_says_what_may_be_missing(path, environ):
    fresh(path)
    with serving(path) as (url, _), running(environ, url, "watch", "EURUSD", "--every", "0") as watch:
        before = watch.until("tick")
        arm(path, "stream-cut")
        lost, gap = watch.until("lost"), watch.until("gap")
        after = watch.until("tick")
        assert "1006" in lost["reason"]
        assert before["received_at"] <= gap["from"] <= gap["to"] <= after["received_at"]
        assert watch.end() == (0, b"")


def test_a_session_that_was_ended_elsewhere_is_renewed_without_a_question(path, environ):
    fresh(path)
    with serving(path) as (url, _), running(environ, url, "watch", "EURUSD", "--every", "0") as watch:
        watch.until("tick")
        logout = (sys.executable, *as_own_user(), "-m", "capcli", "logout", "--quiet")
        subprocess.run(logout, env={**environ, "CAP_API_URL": url}, check=True, stdout=subprocess.DEVNULL)
        assert "1000" in watch.until("lost")["reason"]
        watch.until("gap")
        watch.until("tick")
        assert watch.end(signal.SIGTERM) == (0, b"")


def test_a_broker_that_went_away_is_waited_for(path, environ):
    fresh(path)
    with serving(path) as (url, process), running(environ, url, "watch", "EURUSD") as watch:
        watch.until("tick")
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert "1012" in watch.until("lost")["reason"]
        assert "Server not responding" in watch.until("lost", 30)["reason"]
        assert watch.end() == (0, b"")


def test_a_crowded_account_is_refused_with_the_wait(path, environ):
    fresh(path)
    with serving(path) as (url, _), running(environ, url, "watch", "EURUSD") as first:
        first.until("tick")
        arm(path, "one-stream")
        time.sleep(0.5)
        with running(environ, url, "watch", "GOLD") as second:
            assert second.event()["code"] == "RATE_LIMITED"
            assert second.process.wait(60) == 11


@pytest.mark.parametrize(
    ("words", "number", "code"),
    [
        (("watch", "EURUSD"), signal.SIGINT, 0),
        (("watch", "EURUSD"), signal.SIGTERM, 0),
        (("watch", "--positions"), signal.SIGINT, 0),
        (("alert", "EURUSD", "--above", "1", "--above", "999", "--repeat"), signal.SIGINT, 0),
        (("alert", "EURUSD", "--above", "1", "--above", "999", "--all"), signal.SIGTERM, 130),
        (("alert", "EURUSD", "--above", "1", "--above", "999", "--all"), signal.SIGINT, 130),
    ],
)
def test_a_signal_ends_a_stream_in_order(path, environ, words, number, code):
    fresh(path)
    with serving(path) as (url, _), running(environ, url, *words) as watch:
        watch.event()
        assert watch.end(number) == (code, b"")


def test_a_reader_that_leaves_ends_it_quietly(path, environ):
    fresh(path)
    with serving(path) as (url, _):
        python = shlex.join([sys.executable, *as_own_user()])
        command = f"{python} -m capcli watch EURUSD --every 0 --quiet | head -1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ("bash", "-c", command),
            env={**environ, "CAP_API_URL": url},
            capture_output=True,
            timeout=30,
            text=True,
            check=True,
        )
    first, status = done.stdout.splitlines()
    assert json.loads(first)["data"]["epic"] == "EURUSD"
    assert (status, done.stderr) == ("0", "")


def test_the_stream_of_a_broker_with_tls_is_trusted_by_its_own_authority(path, environ):
    fresh(path)
    with serving(path, "tls") as (url, _):
        trusted = environ | {"SSL_CERT_FILE": str(path.parent / "paper-ca.pem")}
        with running(trusted, url, "watch", "EURUSD", "--once") as watch:
            assert watch.event()["event"] == "tick"
            assert watch.process.wait(60) == 0


def test_another_stream_host_is_used_when_it_is_set_and_a_wrong_one_is_told(path, environ):
    fresh(path)
    elsewhere = environ | {"CAP_STREAM_URL": "ws://127.0.0.1:9"}
    with serving(path) as (url, _), running(elsewhere, url, "watch", "EURUSD") as watch:
        error = watch.event()
        assert error["code"] == "NETWORK"
        assert "127.0.0.1:9" in error["message"]
        assert watch.process.wait(60) == 7


def test_forty_markets_at_250_ticks_a_second_are_all_printed(tmp_path):
    found = flood(tmp_path, 8)
    print(found.sent, found.printed, found.cpu / found.took, found.delay(99))

    assert found.epics == 40
    assert found.sent == found.printed > 0
