"""The workflows cannot run here: they are read, and `.ci/run` runs their commands for Linux."""

import re

import pytest

from tests.packaging.ours import ROOT
from tests.packaging.steps import ELSEWHERE, WORKFLOWS, steps, workflow

PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def test_both_workflows_are_read():
    assert [file.name for file in WORKFLOWS] == ["ci.yml", "release.yml"]
    assert len(steps()) >= 10
    assert {step.name for step in steps()} >= set(ELSEWHERE)


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
