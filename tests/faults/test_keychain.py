"""A real keychain: gnome-keyring on a session bus of its own, and `capcli` in processes of their own.

Needs dbus-run-session, gnome-keyring-daemon and Xvfb; without them it is skipped, except in CI.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capcli import system
from tests.faults.served import served
from tests.support.children import Child
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

PROGRAMS = ("dbus-run-session", "gnome-keyring-daemon", "Xvfb")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
GOOD = json.dumps({"api_key": "paper", "identifier": "paper", "password": "paper"})
LONGEST_S = 5
LOCK = "import secretstorage as s; s.get_default_collection(s.dbus_init()).lock()"

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="gnome-keyring is a keychain of Linux"),
    pytest.mark.skipif(
        bool(MISSING) and os.environ.get("CI") != "true", reason=f"not installed: {', '.join(MISSING)}"
    ),
]

Environ = dict[str, str]


@dataclass
class Answer:
    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Place:
    """A user's home, the demo host that the paper broker stands for, and what lies in its file."""

    environ: Environ
    paper: Path

    def capcli(self, *words: str, given: str = "", **more: str) -> Answer:
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, *as_own_user(), "-m", "capcli", *words],
            env=self.environ | more,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    @property
    def logins(self) -> set[str]:
        """The sessions there are. A broker that was never asked has not even a table for them."""
        with closing(sqlite3.connect(self.paper)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").fetchone():
                return set()
            return {cst for (cst,) in db.execute("SELECT cst FROM sessions")}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    assert not MISSING, f"not installed: {', '.join(MISSING)}"
    home, runtime = tmp_path / "home", tmp_path / "run"
    home.mkdir()
    runtime.mkdir(mode=0o700)
    with served(tmp_path / "paper.db") as (host, port):
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "CAPCLI_HOME": str(home / "capcli"),
            "PYTHONPATH": IMPORT_PATH,
            "CAP_API_URL": f"http://{host}:{port}",
        }
        yield Place(environ, tmp_path / "paper.db")


@contextmanager
def bus(environ: Environ) -> Iterator[Environ]:
    """A session bus that lives as long as its first program."""
    words = ["dbus-run-session", "--", "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat']
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with Child(words, env=environ, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield environ | {"DBUS_SESSION_BUS_ADDRESS": process.stdout.readline().strip()}
        process.stdin.close()


@contextmanager
def display(environ: Environ) -> Iterator[Environ]:
    """A screen at which nobody sits."""
    words = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with Child(words, env=environ, text=True, **pipes) as process:
        try:
            assert process.stdout is not None
            yield environ | {"DISPLAY": f":{process.stdout.readline().strip()}"}
        finally:
            process.terminate()


def unlock(environ: Environ, *words: str) -> None:
    """Start the keychain's daemon with its password; it stays, so its output goes nowhere."""
    command = words or ("gnome-keyring-daemon", "--unlock", "--components=secrets")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, env=environ, input=b"pass phrase", timeout=20, check=True, **quiet)


def lock(environ: Environ) -> None:
    subprocess.run([sys.executable, "-c", LOCK], env=environ, timeout=20, check=True)


@pytest.fixture
def desktop(place: Place) -> Iterator[Callable[..., Place]]:
    """Put a keychain beside the place, with a screen or without."""
    with ExitStack() as stack:

        def start(*, screen: bool = False) -> Place:
            environ = stack.enter_context(display(place.environ)) if screen else place.environ
            environ = stack.enter_context(bus(environ))
            unlock(environ)
            return Place(environ, place.paper)

        yield start


def test_one_login_serves_the_processes_after_it_until_logout(desktop: Callable[..., Place]) -> None:
    here = desktop()

    done = here.capcli("login", "--env", "demo", "--stdin", "--json", given=GOOD)
    assert (done.code, done.err.startswith("capcli is independent software")) == (0, True)
    assert (done.json["data"]["backend"], done.json["data"]["stored_in"]) == (
        "Secret Service",
        "capcli/main/demo",
    )
    (login,) = here.logins

    positions = here.capcli("positions", "--json")
    assert (positions.code, positions.err, positions.json["env"]) == (0, "", "demo")
    assert here.logins == {login}, "no second POST /session"

    status = here.capcli("login", "--status", "--json").json["data"]
    assert (status["backend"], status["key_age_days"]) == ("Secret Service", 0)

    out = here.capcli("logout", "--forget", "--json")
    assert (out.code, out.json["data"]["ended"], out.json["data"]["forgotten"]) == (0, True, True)
    assert here.logins == set()
    after = here.capcli("positions", "--json")
    assert (after.code, after.json["error"]["code"]) == (3, "CREDENTIALS_MISSING")


def refused(here: Place, *words: str, given: str = "") -> dict[str, Any]:
    answer = here.capcli(*words, "--env", "demo", "--json", given=given)
    assert (answer.code, answer.err) == (3, "")
    error: dict[str, Any] = answer.json["error"]
    return error


COMMANDS = pytest.mark.parametrize(
    "words", [("positions",), ("login", "--stdin"), ("login", "--status"), ("logout", "--forget")]
)


@COMMANDS
def test_a_locked_keychain_is_told_at_once(desktop: Callable[..., Place], words: tuple[str, ...]) -> None:
    here = desktop()
    lock(here.environ)

    error = refused(here, *words, given=GOOD)

    assert error["code"] == "KEYCHAIN_LOCKED"
    assert here.logins == set()


def test_the_next_command_unlocks_it(desktop: Callable[..., Place]) -> None:
    here = desktop()
    assert here.capcli("login", "--env", "demo", "--stdin", given=GOOD).code == 0
    assert here.capcli("logout").code == 0
    lock(here.environ)

    unlock(here.environ, *refused(here, "positions")["next"].split())

    assert here.capcli("positions").code == 0


@COMMANDS
def test_a_window_that_nobody_answers_is_not_waited_for(
    desktop: Callable[..., Place], words: tuple[str, ...]
) -> None:
    here = desktop(screen=True)
    lock(here.environ)

    error = refused(here, *words, given=GOOD)

    assert error["code"] == "KEYCHAIN_SILENT"
    assert "within 3 s" in error["message"]
    assert error["next"] == "capcli --env demo login --status"
    assert here.logins == set()


@COMMANDS
def test_without_a_bus_there_is_no_keychain(place: Place, words: tuple[str, ...]) -> None:
    error = refused(place, *words, given=GOOD)

    assert error["code"] == "KEYCHAIN_MISSING"
    assert "CAP_API_KEY" in error["message"]
    assert error["next"] == "capcli help environment"
    assert place.logins == set()


def test_a_bare_environment_finds_the_keychain_at_the_users_own_bus(place: Place) -> None:
    """A desktop program or a service may start capcli with no address of the bus."""
    socket = system.RUNTIME_FOLDERS / str(os.getuid()) / "bus"
    socket.parent.mkdir(parents=True)
    words = ("health", "--env", "demo", "--only", "keychain", "--json")
    missing = place.capcli(*words)
    assert (missing.code, missing.json["data"]["checks"][0]["code"]) == (3, "KEYCHAIN_MISSING"), missing.err

    with bus(place.environ) as environ:
        unlock(environ)
        address = environ["DBUS_SESSION_BUS_ADDRESS"].partition("path=")[2].partition(",")[0]
        socket.symlink_to(address)
        found = place.capcli(*words)
        assert found.code == 0, found.out
        stored = place.capcli("login", "--env", "demo", "--stdin", given=GOOD)
        assert stored.code == 0, stored.err
        assert place.capcli("accounts", "--env", "demo", "--json").code == 0
