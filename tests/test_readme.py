"""README is true: every console block is typed into a shell, and what comes back is what stands there.

Ids, times and numbers differ from run to run; everything else must be the same, word for word.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from capcli.cli.help import PAGES as TOPICS
from capcli.cli.pages import NAMES, page
from tests.support.children import Child
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH, ROOT

README = ROOT / "README.md"
PAGES = [ROOT / "capcli" / "cli" / "pages" / f"{name}.md" for name in NAMES]
# Named in the chapters themselves.
ELSEWHERE = {"error", "preview", "agents", "architecture"}
END = "--- that was all ---"
IDS = re.compile(r"\b[pa]_[0-9a-z]{12}\b|\b(?:o_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# A chart is another one every hour: its rows are left out, its title and its legend are not.
CHART = re.compile(r"^(?=.*[│┤█░▁▂▃▄▅▆▇])[\s\d.,k│┤█░▁▂▃▄▅▆▇]+$|^\d\d-\d\d \d\d:\d\d .*$\n?", re.MULTILINE)
VARYING = [
    (CHART, ""),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "TIME"),
    (re.compile(r"\d\d:\d\d(:\d\d)?Z?"), "TIME"),
    (re.compile(r"[+-]?(\d{1,3}(,\d{3})+(?!\d)|\d+)(\.\d+)?"), "#"),
    (re.compile(r"[─━═┄-]{3,}"), "-"),
    (re.compile(r"\s+"), " "),
]


@dataclass(frozen=True)
class Step:
    command: str
    expected: str


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


def settled(text: str) -> str:
    text = IDS.sub("ID", text)
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text.strip()


@dataclass
class Shell:
    """One shell that stays open, in a checkout, on a machine whose PATH knows nothing of capcli."""

    process: "subprocess.Popen[str]"

    def run(self, command: str) -> str:
        """Type a command, and return all that it writes."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\necho {END}\n")
        self.process.stdin.flush()
        found = []
        for line in self.process.stdout:
            if line.rstrip() == END:
                return "".join(found)
            found.append(line)
        raise AssertionError(f"the shell ended after {command}: {''.join(found)}")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    script = tmp_path / "checkout" / ".venv" / "bin" / "capcli"
    script.parent.mkdir(parents=True)
    python = shlex.join([sys.executable, *as_own_user()])
    script.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(IMPORT_PATH)} exec {python} -m capcli "$@"\n')
    script.chmod(0o755)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8", "COLUMNS": "100"}
    with Child(
        ["/bin/bash", "--noprofile", "--norc"],
        env=environ,
        cwd=tmp_path / "checkout",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield Shell(process)
        assert process.stdin is not None
        process.stdin.close()


posix = pytest.mark.skipif(sys.platform == "win32", reason="the blocks are written for a POSIX shell")


def wrong_in(shell: Shell, typed: list[Step]) -> list[str]:
    """Type every step, and return what came back otherwise than it is written."""
    ours: dict[str, str] = {}
    wrong = []
    for step in typed:
        command = step.command
        for written, actual in ours.items():
            command = command.replace(written, actual)
        output = shell.run(command)
        ours |= dict(zip(IDS.findall(step.expected), IDS.findall(output), strict=False))
        if settled(output) != settled(step.expected):
            wrong.append(f"$ {command}\n--- written\n{settled(step.expected)}\n--- now\n{settled(output)}")
    return wrong


@posix
@pytest.mark.faults
def test_whoever_follows_readme_in_one_new_shell_sees_what_stands_there(shell: Shell) -> None:
    wrong = wrong_in(shell, steps(README.read_text(encoding="utf-8")))
    assert not wrong, "\n\n".join(wrong)


@posix
@pytest.mark.faults
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_help_page_is_true(shell: Shell, page: Path) -> None:
    assert shell.run(steps(README.read_text(encoding="utf-8"))[0].command) == ""
    wrong = wrong_in(shell, steps(page.read_text(encoding="utf-8")))
    assert not wrong, "\n\n".join(wrong)


def test_readme_is_short_and_begins_with_what_a_newcomer_needs() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 350
    assert lines.index("## With a demo account") < 150
    commands = [line for line in lines if line.startswith("python3 -m venv ")]
    assert len(commands) == 2
    path, *_ = steps("\n".join(lines))
    assert path.command.startswith("export PATH=")
    assert lines.index("## Contents") > lines.index("## The five minutes that matter")


def test_the_contents_lead_to_chapters() -> None:
    text = README.read_text(encoding="utf-8")
    titles = re.findall("^## (.*)", text, re.MULTILINE)
    there = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    linked = re.findall(r"\]\(#([\w-]+)\)", text)
    assert len(linked) >= 8
    assert set(linked) <= there


def test_readme_names_every_page_that_is_written_by_hand() -> None:
    table = README.read_text(encoding="utf-8").partition("## More pages")[2]
    assert [name for name in TOPICS if f"`{name}" not in table and name not in ELSEWHERE] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_terminal(name: str) -> None:
    shown = page(name)
    assert shown
    prose = [line for line in shown.splitlines() if not line.startswith("    ")]
    assert max(map(len, prose)) <= 80
    assert not re.search(r"```|\*\*|^#", shown, re.MULTILINE)
