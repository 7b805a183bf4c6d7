"""The workflows cannot run here: they are read, and their commands for Linux run in a copy of this tree."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.ours import REPOSITORY, ROOT, addressed, copied

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
# What needs GitHub itself.
ONLY_THERE = "gh release create"


@dataclass(frozen=True)
class Step:
    workflow: str
    job: str
    name: str
    run: str


def workflow(file: Path) -> dict[Any, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [(file.name, name, job) for file in WORKFLOWS for name, job in workflow(file)["jobs"].items()]


def steps() -> list[Step]:
    """List the commands, each once: both workflows build and try the wheel."""
    found = {
        step["run"]: Step(file, name, step["name"], step["run"])
        for file, name, job in jobs()
        for step in job["steps"]
        if "run" in step
    }
    return list(found.values())


def test_both_workflows_are_read():
    assert [file.name for file in WORKFLOWS] == ["ci.yml", "release.yml"]
    assert len(steps()) >= 10


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_pinned_by_commit(file):
    lines = [line.strip().removeprefix("- ") for line in file.read_text(encoding="utf-8").splitlines()]
    used = [line for line in lines if line.startswith("uses:")]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_rights_are_given_to_jobs_alone(file):
    assert workflow(file)["permissions"] == {}
    assert all(job["permissions"] and job["timeout-minutes"] <= 60 for job in workflow(file)["jobs"].values())


def test_only_the_job_that_publishes_can_publish():
    publishing = workflow(ROOT / ".github/workflows/release.yml")["jobs"]
    signing = {name for name, job in publishing.items() if "id-token" in job["permissions"]}
    assert signing == {"attest", "publish"}
    assert not any("run" in step for name in signing for step in publishing[name]["steps"])


def test_three_systems_and_four_pythons_are_tested():
    matrix = workflow(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert [system.partition("-")[0] for system in matrix["system"]] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.name)
def test_every_file_in_a_command_is_there_and_nothing_is_pasted_into_it(step):
    for word in re.findall(r"(?<![\w.])\.(?:ci|github)/[\w./-]+", step.run):
        assert (ROOT / word).exists(), word
    assert "${{" not in step.run, "a value of GitHub's goes through the environment"


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="the commands for Linux")
def test_the_commands_of_the_workflows_run(tmp_path):
    tree = tmp_path / "tree"
    copied(tree)
    addressed(tree, REPOSITORY)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    (tmp_path / "home").mkdir()
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}} | {
        "PATH": f"{tmp_path / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "RUNNER_OS": "Linux",
        "GITHUB_REF_NAME": "v0.1.0",
        "GITHUB_REPOSITORY": REPOSITORY,
        # What the tests say is said elsewhere in this run.
        "PYTEST_ADDOPTS": "--collect-only",
    }
    env.pop("CAPCLI_HOME", None)
    for step in steps():
        if ONLY_THERE in step.run:
            continue
        argv = [shutil.which("bash"), "--noprofile", "--norc", "-eo", "pipefail", "-c", step.run]
        done = subprocess.run(
            argv, cwd=tree, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        assert done.returncode == 0, f"{step.workflow}, {step.job}, {step.name}:\n{done.stdout[-4000:]}"
    assert (tree / "notes.md").read_text().startswith("The first version")
    assert '"name": "typer"' in (tree / "sbom.cdx.json").read_text()
