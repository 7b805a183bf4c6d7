"""Runs command lines in this process, on a paper broker of its own whose time passes only when slept."""

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from capcli.app import Surroundings
from capcli.cli.outlet import Outlet
from capcli.cli.run import main


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

    def __call__(
        self,
        *words: str,
        env: dict[str, str] | None = None,
        stdin: str = "",
        typed: str | None = None,
        width: int | None = None,
        around: Surroundings | None = None,
    ) -> Result:
        make = StringIO if typed is None else Terminal
        out, err = make(), make()
        environ = {"CAPCLI_HOME": str(self.home), "PATH": os.environ["PATH"], **(env or {})}
        outlet = Outlet(
            make(stdin if typed is None else typed), out, err, environ, columns=width or self.width
        )
        around = around or Surroundings(
            clock=self.time.clock, sleep=self.time.sleep, monotonic=self.time.monotonic
        )
        code = main(list(words), outlet, around)
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
