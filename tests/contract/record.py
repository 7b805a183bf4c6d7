"""Record the cassettes anew: `python -m tests.contract.record` against a paper broker over loopback HTTP.

`python -m tests.contract.record session markets` records those two alone.
`python -m tests.contract.record --demo` records the same calls against the demo host, with the credentials of
CAP_API_KEY, CAP_IDENTIFIER and CAP_API_PASSWORD. It trades the smallest sizes there and leaves nothing open.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from capcli.broker.client import CapitalBroker
from capcli.domain.hosts import HOSTS
from capcli.paper.state import reset
from capcli.ports.login import Credentials
from capcli.settings import Env
from tests.contract.cassette import FOLDER, recorder
from tests.contract.client_day import day
from tests.contract.scenarios import SCENARIOS, Caller
from tests.support.children import Child

SEED = "cassettes"
START = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@contextmanager
def paper() -> Iterator[str]:
    """Serve a fresh paper broker in a child process and yield its address."""
    import subprocess
    import sys

    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "paper.db"
        reset(path, seed=SEED, start=START, limits=False, at=datetime.now(UTC))
        command = [sys.executable, "-m", "capcli", "paper", "serve", "--port", "0"]
        with Child(
            command, env={**os.environ, "CAPCLI_HOME": home}, stdout=subprocess.PIPE, text=True
        ) as served:
            try:
                yield _announced(served.stdout)
            finally:
                served.terminate()


def _announced(stdout: object) -> str:
    for line in stdout:  # type: ignore[attr-defined]
        for word in line.split():
            if word.startswith("http://"):
                return word
    raise AssertionError("the paper broker did not start")


def record(base_url: str, credentials: Credentials, only: list[str]) -> None:
    """Run every scenario, or those named, against a broker and write what went over the wire."""
    FOLDER.mkdir(exist_ok=True)
    for name, scenario in SCENARIOS.items():
        if only and name not in only:
            continue
        (FOLDER / f"{name}.yaml").unlink(missing_ok=True)
        with recorder("all").use_cassette(f"{name}.yaml"), httpx.Client(base_url=base_url) as http:
            scenario(Caller(http, credentials.api_key, credentials.identifier, credentials.password))
        print(f"recorded {name}")
    if only and "client_day" not in only:
        return
    (FOLDER / "client_day.yaml").unlink(missing_ok=True)
    with recorder("all").use_cassette("client_day.yaml"):
        broker = CapitalBroker(base_url, lambda: credentials, clock=lambda: datetime.now(UTC))
        day(broker)
        broker.close()
    print("recorded client_day")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--demo", action="store_true", help="record against the demo host, with CAP_ credentials"
    )
    parser.add_argument(
        "only", nargs="*", choices=[*SCENARIOS, "client_day", []], help="these cassettes alone"
    )
    asked = parser.parse_args()
    if asked.demo:
        names = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD")
        record(HOSTS[Env.DEMO], Credentials(*(os.environ[name] for name in names)), asked.only)
        return
    with paper() as base_url:
        record(base_url, Credentials("paper", "paper", "paper"), asked.only)


if __name__ == "__main__":
    main()
