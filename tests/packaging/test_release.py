"""What names a release agrees everywhere, and the container runs without rights."""

import json
import re
import subprocess
import sys
import tomllib

import pytest
import typer

from capcli import __version__
from capcli.cli.main import app
from capcli.credential_names import CREDENTIAL_NAMES
from capcli.settings import TABLE
from tests.packaging.ours import REPOSITORY, ROOT, addressed
from tests.support.leaves import leaves

PACKAGING = ROOT / ".github" / "packaging"
SERVER = json.loads((PACKAGING / "server.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCKERFILE = (PACKAGING / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def tree(tmp_path):
    for name in ("pyproject.toml", "README.md", "capcli/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name in ("ready.py", "server.json"):
        (tmp_path / ".github/packaging").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".github/packaging" / name).write_bytes((PACKAGING / name).read_bytes())
    return tmp_path


def ready(tree, *words):
    argv = [sys.executable, tree / ".github/packaging/ready.py", *words]
    done = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_release_that_agrees_prints_its_notes(tree):
    addressed(tree, REPOSITORY)
    code, notes, wrong = ready(tree, f"v{__version__}", REPOSITORY)
    assert (code, wrong) == (0, "")
    assert notes.startswith("The first version")


def test_nothing_is_released_before_the_addresses_are_written(tree):
    code, notes, wrong = ready(tree, f"v{__version__}", REPOSITORY)
    assert (code, notes) == (1, "")
    assert [line.partition(":")[0] for line in wrong.splitlines()] == [
        "pyproject.toml, [project.urls]",
        ".github/packaging/server.json",
        "README.md",
    ]


def test_a_tag_of_another_version_is_refused(tree):
    addressed(tree, REPOSITORY)
    code, _, wrong = ready(tree, "v9.9.9", REPOSITORY)
    assert code == 1
    assert wrong == f"The tag is v9.9.9, but capcli/__init__.py says {__version__}.\n"


def test_the_registry_s_entry_starts_what_there_is():
    (package,) = SERVER["packages"]
    assert SERVER["version"] == package["version"] == __version__
    assert package["identifier"] == PROJECT["project"]["name"]
    line = " ".join(argument["value"] for argument in package["packageArguments"])
    assert line in set(leaves(typer.main.get_command(app)))
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])
    assert max(len(SERVER["title"]), len(SERVER["description"])) <= 100


def test_the_registry_s_entry_names_settings_that_exist_and_no_plain_secret():
    (package,) = SERVER["packages"]
    table = {setting.name: setting for setting in TABLE}
    for variable in package["environmentVariables"]:
        name = variable["name"]
        assert name in table or (name in CREDENTIAL_NAMES and name.endswith("_FILE")), name
        if "default" in variable:
            table[name].parse(variable["default"])


def test_the_container_runs_as_a_user_without_rights_and_holds_no_credential():
    last = DOCKERFILE.split("\nFROM ")[-1]
    words = [line.split() for line in last.splitlines() if line and not line.startswith(("#", " "))]
    assert ["USER", "capcli"] in words
    assert words.index(["USER", "capcli"]) < words.index(["ENTRYPOINT", '["capcli"]'])
    assert "--uid 10001" in last
    instructions = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    assert [line for line in instructions if "CAP_" in line or line.startswith("ARG")] == []


def test_the_container_is_built_from_everything_that_the_wheel_needs():
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    sources = {name for names in copied for name in names if not name.startswith(("--from", "/opt"))}
    assert all((ROOT / name).exists() for name in sources)
    shared = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    needed = {name.split("/")[0] for name in shared} | {"capcli", "README.md", "LICENSE", "pyproject.toml"}
    assert needed <= sources
