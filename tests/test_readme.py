"""README is true: every console block is typed into a shell, and what comes back is what stands there.

Ids, times and numbers differ from run to run; everything else must be the same, word for word.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

README = Path(__file__).parents[1] / "README.md"
IDS = re.compile(r"\b[pa]_[0-9a-z]{12}\b|\b(?:o_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# A chart is another one every hour: its rows are left out, its title and its legend are not.
CHART = re.compile(r"^(?=.*[│┤█░▁▂▃▄▅▆▇])[\s\d.,k│┤█░▁▂▃▄▅▆▇]+$|^\d\d-\d\d \d\d:\d\d .*$\n?", re.MULTILINE)
VARYING = [
    (CHART, ""),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "TIME"),
    (re.compile(r"\d\d:\d\d(:\d\d)?Z?"), "TIME"),
    (re.compile(r"[+-]?\d[\d,]*(\.\d+)?"), "#"),
    (re.compile(r"[─━═┄-]{3,}"), "-"),
    (re.compile(r"\s+"), " "),
]


@dataclass(frozen=True)
class Step:
    command: str
    expected: str


def chapters() -> dict[str, list[Step]]:
    """Read the console blocks of each chapter; every chapter begins on a fresh machine."""
    found = {}
    for chapter in re.split(r"^## ", README.read_text(), flags=re.MULTILINE)[1:]:
        if typed := steps(chapter):
            found[chapter.partition("\n")[0]] = typed
    return found


def steps(text: str) -> list[Step]:
    """Read console blocks: a line that begins with `$ ` is typed, the rest is what it printed."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command = f"{command[:-1].rstrip()} {more.removeprefix('> ').strip()}"
            found.append(Step(command, expected.strip()))
    return found


FIRST, *REST = chapters()


def settled(text: str) -> str:
    text = IDS.sub("ID", text)
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text.strip()


@pytest.fixture
def shell(tmp_path):
    script = tmp_path / "bin" / "capcli"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *as_own_user()])} -m capcli "$@"\n')
    script.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAP")}
    env = {
        **kept,
        "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CAPCLI_HOME": str(tmp_path / "home"),
        "PYTHONPATH": IMPORT_PATH,
        "COLUMNS": "100",
    }

    def run(command: str) -> str:
        done = subprocess.run(
            command,
            shell=True,
            env=env,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are written for a POSIX shell")
@pytest.mark.parametrize("chapter", [FIRST, *(pytest.param(one, marks=pytest.mark.faults) for one in REST)])
def test_every_console_block_is_true(shell, chapter):
    ours: dict[str, str] = {}
    wrong = []
    for step in chapters()[chapter]:
        command = step.command
        for shown, actual in ours.items():
            command = command.replace(shown, actual)
        output = shell(command)
        ours |= dict(zip(IDS.findall(step.expected), IDS.findall(output), strict=False))
        if settled(output) != settled(step.expected):
            wrong.append(f"$ {command}\n--- README\n{settled(step.expected)}\n--- now\n{settled(output)}")
    assert not wrong, "\n\n".join(wrong)


def test_there_are_blocks_and_both_commands():
    text = README.read_text()
    assert len(steps(text)) >= 5
    assert len(re.findall(r"^python3 -m venv .*", text, re.MULTILINE)) == 2
