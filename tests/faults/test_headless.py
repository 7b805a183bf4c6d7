"""The recipes of `capcli help cron`, run with the environment and files that their starters give."""

import configparser
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.faults.served import served
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH, ROOT

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="cron, systemd and containers"),
]

CRON_PAGE = ROOT / "capcli" / "cli" / "pages" / "cron.md"
NAMES = ("api-key", "identifier", "password")
CRON = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "me"}


def recipe(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", CRON_PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


@dataclass
class Host:
    """A machine of the page's: its paths lie in a folder, its demo host is the paper broker."""

    root: Path
    url: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home" / "me"

    def here(self, text: str) -> str:
        return re.sub(
            r"(?<![\w.])/(home/me|etc/capcli|run/secrets)\b", lambda found: f"{self.root}/{found[1]}", text
        )

    def keys(self, folder: str, *, mode: int = 0o600, password: str = "paper") -> Path:
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            file = place / name
            file.write_text(f"{password if name == 'password' else 'paper'}\n")
            file.chmod(mode)
        return place

    def sh(self, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a line as `env -i` would have it, with the address of the broker as all that is added."""
        return subprocess.run(
            ["/bin/sh", "-c", line],
            env=environ | {"CAP_API_URL": self.url},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    root = tmp_path / "root"
    program = root / "home" / "me" / ".venv" / "bin" / "capcli"
    program.parent.mkdir(parents=True)
    python = f"PYTHONPATH={shlex.quote(IMPORT_PATH)} exec {shlex.join([sys.executable, *as_own_user()])}"
    program.write_text(f'#!/bin/sh\n{python} -m capcli "$@"\n')
    program.chmod(0o755)
    with served(tmp_path / "paper.db") as (name, port):
        yield Host(root, f"http://{name}:{port}")


def report(text: str) -> Any:
    """Read the one document that stdout must hold."""
    (line,) = text.splitlines()
    document = json.loads(line)
    assert (document["command"], document["env"]) == ("health", "demo")
    return document


def cron_line(host: Host) -> tuple[dict[str, str], str]:
    """Return the variables and the command of the crontab."""
    lines = host.here(recipe("crontab")).splitlines()
    variables = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    (entry,) = [line for line in lines if line.startswith("*")]
    return variables, entry.split(maxsplit=5)[5]


def test_the_cron_recipe_runs(host: Host) -> None:
    host.keys("home/me/capcli-keys")
    variables, command = cron_line(host)

    done = host.sh(command, HOME=str(host.home), **CRON, **variables)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert report((host.home / "health.json").read_text())["ok"] is True


def test_the_cron_recipe_tells_what_is_wrong_by_its_exit_code(host: Host) -> None:
    host.keys("home/me/capcli-keys", password="login-password")
    variables, command = cron_line(host)

    done = host.sh(command, HOME=str(host.home), **CRON, **variables)

    assert done.stdout == "capcli: exit 4\n"
    text = (host.home / "health.json").read_text()
    assert report(text)["error"]["message"].startswith("Authentication failed")
    assert "login-password" not in text


def test_the_keys_are_made_as_the_page_says_and_are_private(host: Host) -> None:
    (block,) = [
        text for text in re.findall(r"```sh\n(.*?)```", CRON_PAGE.read_text(), re.DOTALL) if "umask" in text
    ]
    done = host.sh(host.here(block), HOME=str(host.home), **CRON)
    assert done.returncode == 0
    folder = host.home / "capcli-keys"
    assert {(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()} == {
        (name, 0o600) for name in NAMES
    }
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_bare_environment_is_one_document_and_exit_3(host: Host) -> None:
    program = host.home / ".venv" / "bin"
    line = f"env -i HOME={host.home} PATH={program}:/usr/bin:/bin capcli health --env demo --json"

    done = host.sh(line)

    assert (done.returncode, done.stderr) == (3, "")
    document = report(done.stdout)
    assert (document["ok"], document["error"]["code"]) == (False, "KEYCHAIN_MISSING")


def test_the_systemd_recipe_runs_with_what_LoadCredential_puts_into_its_folder(host: Host) -> None:  # noqa: N802
    host.keys("etc/capcli")
    unit = recipe("ini").partition("\n\n#")[0]
    loaded = [
        line.partition("=")[2].partition(":")
        for line in unit.splitlines()
        if line.startswith("LoadCredential=")
    ]
    service = configparser.ConfigParser(strict=False)
    service.read_string(host.here(unit))
    folder = host.root / "run" / "credentials"
    folder.mkdir(parents=True)
    for name, _, source in loaded:
        (folder / name).write_bytes(Path(host.here(source)).read_bytes())
        (folder / name).chmod(0o440)  # as systemd 252 leaves them, with an access list for the user

    command = service["Service"]["ExecStart"]
    done = host.sh(command, HOME=str(host.home), PATH="/usr/bin:/bin", CREDENTIALS_DIRECTORY=str(folder))

    assert (done.returncode, done.stderr) == (0, "")
    assert report(done.stdout)["ok"] is True


@pytest.mark.parametrize(("mode", "code"), [(0o600, 0), (0o400, 0), (0o444, 3)])
def test_the_docker_recipe_runs_with_its_secrets_mounted(host: Host, mode: int, code: int) -> None:
    host.keys("run/secrets", mode=mode)
    service = yaml.safe_load(recipe("yaml"))["services"]["capcli"]
    environ = {name: host.here(text) for name, text in service["environment"].items()}
    path = f"{host.home / '.venv' / 'bin'}:/usr/bin:/bin"

    done = host.sh(service["command"], HOME=str(host.home), PATH=path, **environ)

    assert (done.returncode, done.stderr) == (code, "")
    document = report(done.stdout)
    assert document["ok"] is (code == 0)
    if code:
        assert "0600 is required" in document["error"]["message"]


def test_every_recipe_names_its_environment() -> None:
    section = CRON_PAGE.read_text()
    for language in ("crontab", "ini", "yaml", "bat"):
        for line in recipe(language).splitlines():
            assert ("capcli health" in line or "capcli.exe health" in line) <= ("--env demo" in line)
    assert "<string>--env</string><string>demo</string>" in recipe("xml")
    assert section.count("--env demo") >= 5
