"""Runs command lines in this process, on a paper broker of its own whose time passes only when slept."""

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from capcli.cli.io_streams import IOStreams
from capcli.cli.run import main
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.conforming import conform
from tests.support.tap import Tap

KEYS = json.dumps({"api_key": "paper", "identifier": "paper", "password": "paper"})


class Time:
    """A clock that moves by a little at every look and by as much as is slept."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=120)
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self.now.timestamp()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass
class Cli:
    """`capcli(*words)` as a person or a script would call it. `typed` makes stdin and stdout terminals."""

    home: Path
    time: Time = field(default_factory=Time)
    width: int = 200
    err: StringIO = field(default_factory=StringIO)  # of the command that runs, or ran last

    def __call__(
        self,
        *words: str,
        env: dict[str, str] | None = None,
        stdin: str = "",
        typed: str | None = None,
        width: int | None = None,
        runtime: Runtime | None = None,
    ) -> Result:
        make = StringIO if typed is None else Terminal
        out = make()
        err = self.err = make()
        environ = {"CAPCLI_HOME": str(self.home), "PATH": os.environ["PATH"], **(env or {})}
        streams = IOStreams(
            make(stdin if typed is None else typed),
            out,
            err,
            environ,
            columns=width or self.width,
            # A person takes a second to read a question and to answer it.
            monotonic=count().__next__,
        )
        runtime = runtime or Runtime(
            clock=self.time.clock, sleep=self.time.sleep, monotonic=self.time.monotonic
        )
        code = main(list(words), streams, runtime)
        conform(out.getvalue(), words, code)
        return Result(code, out.getvalue(), err.getvalue())

    def bought(self, *words: str) -> str:
        """Open a position and return its deal id."""
        preview = self("preview", "SILVER", "--size", "1.5", *words, "--json").data["preview_id"]
        done = self("execute", preview, "--confirm", "--json")
        assert done.code == 0, done
        return done.data["deal_id"]


@pytest.fixture
def capcli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")


class Memory(KeyringBackend):
    """A keychain that writes down which items were read; locked for a time if a test says so."""

    priority = 9

    def __init__(self):
        super().__init__()
        self.items, self.read, self.locked = {}, [], False

    def get_password(self, service, username):
        self.read.append(service)
        if self.locked:
            raise keyring.errors.KeyringLocked
        return self.items.get(service)

    def set_password(self, service, username, password):
        if self.locked:
            raise keyring.errors.KeyringLocked
        self.items[service] = password

    def delete_password(self, service, username):
        del self.items[service]


@pytest.fixture
def keychain(monkeypatch):
    memory = Memory()
    monkeypatch.setattr(keyring.core, "_keyring_backend", memory)
    return memory


@dataclass
class Demo:
    """Commands on demo, whose broker is a paper broker behind a tap."""

    capcli: object
    tap: Tap
    runtime: Path

    def __call__(self, *words, env=None, stdin=""):
        return self._call("--json", *words, env=env, stdin=stdin)

    def at_terminal(self, *words, typed, env=None):
        """Call it as a person who types."""
        return self._call(*words, env=env, typed=typed)

    def _call(self, *words, env, **given):
        time = self.capcli.time
        runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=self.tap)
        environ = {"XDG_RUNTIME_DIR": str(self.runtime), **(env or {})}
        return self.capcli("--env", "demo", *words, env=environ, runtime=runtime, **given)

    def logins(self):
        return self.tap.seen().count("POST /session")

    def files(self):
        return list(self.runtime.glob("capcli/session-*"))


@pytest.fixture
def demo(capcli, tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    tap = Tap(PaperTransport(tmp_path / "demo.db", capcli.time.clock))
    return Demo(capcli, tap, tmp_path / "run")


@pytest.fixture
def logged_in(demo, keychain):
    assert demo("login", "--stdin", stdin=KEYS).code == 0
    assert demo("positions").code == 0
    keychain.read.clear()
    demo.tap.requests.clear()
    return demo
