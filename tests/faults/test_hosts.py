"""No host but the chosen environment's is ever looked up or connected to, by any process of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp.test_process import greet, hear, say, started
from tests.store.builders import CHILD_ENV
from tests.support.launched import as_own_user

pytestmark = pytest.mark.faults

DEMO = "demo-api-capital.backend-capital.com"
LIVE = "api-capital.backend-capital.com"
LOGIN = {"CAP_API_KEY": "k3y", "CAP_IDENTIFIER": "a@example.com", "CAP_API_PASSWORD": "pa55"}
# In every Python process: names and addresses are written down, and nothing is reached.
WATCH = """
import os, socket
def note(name):
    with open(os.environ["CONTACTED"], "a") as log:
        log.write(f"{name}\\n")
def lookup(host, *args, **options):
    note(host.decode() if isinstance(host, bytes) else host)
    raise socket.gaierror(-2, "Name or service not known")
real = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        note(address[0])
        raise ConnectionRefusedError(111, "refused")
    return real(self, address)
socket.getaddrinfo = lookup
socket.socket.connect = socket.socket.connect_ex = connect
"""
COMMANDS = (
    ("positions",),
    ("quote", "SILVER"),
    ("preview", "SILVER", "--size", "1", "--stop", "24.5"),
    ("prices", "SILVER"),
    ("close", "--all", "--confirm"),
    ("reconcile",),
    ("history", "executions"),
    ("health",),
    ("logout",),
)


@pytest.fixture
def watched(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    environ = {name: value for name, value in CHILD_ENV.items() if not name.startswith("CAP")}
    paths = f"{folder}:{environ.get('PYTHONPATH', '')}"
    home = str(tmp_path / "home")
    return environ | {"PYTHONPATH": paths, "CONTACTED": str(tmp_path / "contacted"), "CAPCLI_HOME": home}


def contacted(environ: dict[str, str]) -> set[str]:
    log = Path(environ["CONTACTED"])
    return set(log.read_text().split()) if log.exists() else set()


def run(environ: dict[str, str], *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *as_own_user(), "-m", "capcli", *words],
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("env", "host"), [("demo", DEMO), ("live", LIVE)])
def test_commands_reach_only_their_broker(watched: dict[str, str], env: str, host: str) -> None:
    for words in COMMANDS:
        run(watched | LOGIN, *words, "--env", env)
    typed = {"api_key": "k3y", "identifier": "a@example.com", "password": "pa55"}
    with_keychain = watched | {"PYTHON_KEYRING_BACKEND": "tests.credentials.stores.Store"}
    assert run(with_keychain, "login", "--env", env, "--stdin", stdin=json.dumps(typed)).returncode == 7
    assert contacted(watched) == {host}


def test_paper_and_help_reach_nobody(watched: dict[str, str]) -> None:
    assert run(watched, "preview", "SILVER", "--size", "1").returncode == 0
    assert run(watched, "health").returncode == 0
    assert run(watched, "--help").returncode == 0
    assert contacted(watched) == set()


def test_the_assistants_server_reaches_only_its_broker(watched: dict[str, str], tmp_path: Path) -> None:
    more = LOGIN | {"CAP_ENV": "demo", "CONTACTED": watched["CONTACTED"], "PYTHONPATH": watched["PYTHONPATH"]}
    with started(tmp_path / "home", tmp_path, **more) as process:
        greet(process)
        for number, tool in enumerate(("cap_account_list", "cap_health"), start=2):
            say(process, {"id": number, "method": "tools/call", "params": {"name": tool, "arguments": {}}})
            assert hear(process)["id"] == number
    assert contacted(watched) == {DEMO}
