"""Runs the commands of the workflows, those for Linux, in a copy: `python -m tests.packaging.steps`.

It takes this Python's environment for the one that README's second command made.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from capcli import __version__
from tests.packaging.ours import REPOSITORY, ROOT, addressed, copied

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# `.ci/run` runs the first four itself; the last two need GitHub and a list of vulnerabilities.
ELSEWHERE = (
    "README's first command, a preview",
    "README's second command, the default tests",
    "Install",
    "The slow tests",
    "Make the release",
    "Known vulnerabilities in what it brings",
)
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


@dataclass(frozen=True)
class Step:
    workflow: str
    name: str
    run: str


def workflow(file: Path) -> dict[Any, Any]:
    """Read a workflow."""
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def steps() -> list[Step]:
    """List the commands of all jobs, each once: both workflows build and try the wheel."""
    found = {}
    for file in WORKFLOWS:
        for job in workflow(file)["jobs"].values():
            for step in job["steps"]:
                if "run" in step:
                    found.setdefault(step["run"], Step(file.name, step["name"], step["run"]))
    return list(found.values())


def main() -> None:
    with TemporaryDirectory() as folder:
        work = Path(folder)
        tree = work / "tree"
        copied(tree)
        addressed(tree, REPOSITORY)
        (tree / ".venv").symlink_to(sys.prefix)
        subprocess.run([sys.executable, "-m", "venv", work / "python"], check=True)
        for step in steps():
            if step.name not in ELSEWHERE:
                print(f"-- {step.workflow}: {step.name}", flush=True)
                subprocess.run([*SHELL, step.run], cwd=tree, env=environ(work), check=True)
        assert (tree / "notes.md").read_text(encoding="utf-8").startswith("The first version")
        assert '"name": "typer"' in (tree / "sbom.cdx.json").read_text(encoding="utf-8")


def environ(work: Path) -> Mapping[str, str]:
    """Return what GitHub's runner sets, beside this environment without what a test run sets."""
    ours = ("PYTHONPATH", "VIRTUAL_ENV", "CAPCLI_HOME")
    return {name: value for name, value in os.environ.items() if name not in ours} | {
        "PATH": f"{work / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_OS": "Linux",
        "GITHUB_REF_NAME": f"v{__version__}",
        "GITHUB_REPOSITORY": REPOSITORY,
    }


if __name__ == "__main__":
    main()
