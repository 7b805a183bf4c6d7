"""Commands on demo against the venue's answers, over loopback."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from capcli.runtime import Runtime
from tests.cli.conftest import Cli, Result, Time

from .loopback import Script, served

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass
class Venue:
    """`venue(*words)` runs a command; `venue.script` says what is answered."""

    capcli: Cli
    script: Script
    url: str

    def __call__(self, *words: str, **env: str) -> Result:
        time = self.capcli.time
        runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic)
        keys = {
            "CAP_API_KEY": "key-of-the-venue",
            "CAP_IDENTIFIER": "me@example.com",
            "CAP_API_PASSWORD": "pw-1",
        }
        given = {"CAP_ENV": "demo", "CAP_API_URL": self.url, "CAP_ALLOW_TRADING": "true", **keys, **env}
        return self.capcli("--json", *words, env=given, runtime=runtime)

    def mutations(self) -> list[str]:
        """List what was sent that changes something."""
        return [line for line in self.script.seen if line.split()[0] != "GET" and "/session" not in line]

    def on(self, **answers: Any) -> None:
        self.script.answers.update(answers)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    time = Time()
    time.now = NOW
    script = Script(lambda: time.now)
    with served(script) as url:
        yield Venue(Cli(tmp_path / "home", time), script, url)
