"""Completion in real shells: each script is loaded where a user would, and answers as a Tab would.

PowerShell is not in Debian: its script is checked against the tree only (tests/cli/test_completions.py).
"""

import os
import select
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells and terminals"),
]
SCRIPTS = Path(__file__).parents[2] / "completions"
OWN_TIME_S = 0.1
PATIENCE_S = 60


@dataclass(frozen=True)
class Machine:
    """A home in which some commands have run, with `capcli` on the path."""

    environ: dict[str, str]
    folder: Path
    deal: str
    account: str
    preview: str


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shells")
    program = folder / "bin" / "capcli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *as_own_user()])} -m capcli "$@"\n')
    program.chmod(0o755)
    environ = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "CAPCLI_HOME": str(folder / "home"),
        "PYTHONPATH": IMPORT_PATH,
        "TERM": "vt100",
        "LANG": "C.UTF-8",
        "CAP_PREVIEW_TTL_S": "600",
    }

    def run(line):
        done = subprocess.run(line, shell=True, env=environ, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run("capcli quote SILVER GOLD")
    bought = run("capcli preview SILVER --size 1.5 --stop 24.50 -q")
    deal = run(f"capcli execute {bought} --confirm --json --fields deal_id").partition('"deal_id":"')[2][:36]
    accounts = run("capcli accounts --csv --fields account_id").split()
    preview = run("capcli preview GOLD --size 1 -q")
    return Machine(environ, folder, deal, accounts[1], preview)


class Bash:
    """Sources the script and calls its function as readline does, words split at blanks and at `=`."""

    name = "bash"

    def __init__(self, machine):
        self.machine = machine

    def __call__(self, line):
        words = line.replace("=", " = ").split(" ")
        words = [word for word in words[:-1] if word] + words[-1:]
        script = (
            f"set -u; source {SCRIPTS / 'capcli.bash'}; complete -p capcli >&2\n"
            f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}\n"
            '_capcli; printf "%s\\n" ${COMPREPLY[@]+"${COMPREPLY[@]}"}'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            env=self.machine.environ,
            cwd=self.machine.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == "complete -F _capcli capcli\n"
        return done.stdout.split()


class Fish:
    """Puts the script where fish checks it, and asks fish what it would offer."""

    name = "fish"

    def __init__(self, machine):
        self.machine = machine
        place = machine.folder / ".config" / "fish" / "completions"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(SCRIPTS / "capcli.fish", place)

    def __call__(self, line):
        done = subprocess.run(
            ["fish", "-c", "complete -C $argv[1]", line],
            env=self.machine.environ,
            cwd=self.machine.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return [row.partition("\t")[0] for row in done.stdout.splitlines()]


ZSHRC = r"""
PROMPT= RPROMPT=
fpath=($HOME/.zfunc $fpath)
autoload -Uz compinit; compinit -u -D
zstyle ':completion:*' insert-tab false
compadd() {
    if [[ " $* " == *" -"(O|A|D)" "* ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -O hits "$@"
    print -lr -- $hits >>$HOME/offered
    builtin compadd "$@"
}
zle -C offer complete-word _main_complete
press() { zle offer; print END >>$HOME/offered; zle kill-whole-line }
zle -N press; bindkey '^X' press
print END >>$HOME/offered
"""


class Zsh:
    """Types into a real zsh on a pseudo terminal, the script autoloaded, and notes what is offered."""

    name = "zsh"

    def __init__(self, machine):
        self.folder = machine.folder
        self.environ = machine.environ
        place = machine.folder / ".zfunc"
        place.mkdir(exist_ok=True)
        shutil.copy(SCRIPTS / "_capcli", place)
        (machine.folder / "setup").write_text(ZSHRC)
        self.offered = machine.folder / "offered"

    @contextmanager
    def typing(self):
        import pty

        self.offered.write_text("")
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.environ)
        try:
            os.write(terminal, b" source $HOME/setup\n")
            self._wait(terminal)
            yield terminal
        finally:
            os.close(terminal)
            os.waitpid(child, 0)

    def __call__(self, line):
        with self.typing() as terminal:
            self.offered.write_text("")
            os.write(terminal, f"{line}\x18".encode())
            return self._wait(terminal)

    def _wait(self, terminal):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.02)[0]:
                os.read(terminal, 65536)
            if (words := self.offered.read_text().split())[-1:] == ["END"]:
                return words[:-1]
        pytest.fail(f"zsh did not answer: {self.offered.read_text()!r}")


@pytest.fixture(params=[Bash, Zsh, Fish], ids=lambda kind: kind.name)
def tab(request, machine):
    """Return what offers the words for a line whose cursor stands at its end."""
    if shutil.which(request.param.name) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{request.param.name} is not installed")
        pytest.skip(f"{request.param.name} is not installed")
    return request.param(machine)


def test_commands_and_their_subcommands(tab):
    assert {"preview", "execute", "positions", "help"} <= set(tab("capcli "))
    assert tab("capcli prev") == ["preview"]
    assert set(tab("capcli --env demo history ")) >= {"activity", "report"}
    assert "__complete" not in tab("capcli ")


def test_options_of_the_command_and_of_all(tab):
    assert set(tab("capcli preview SILVER --stop-")) == {"--stop-distance", "--stop-amount"}
    assert {"--env", "--json", "--help", "--confirm"} <= set(tab("capcli close -"))
    assert "--confirm" not in tab("capcli close -- -")


def test_fixed_values(tab):
    assert tab("capcli --env ") == ["paper", "demo", "live"]
    assert set(tab("capcli preview SILVER --type ")) == {"limit", "stop"}
    assert set(tab("capcli prices GOLD --resolution HOUR")) == {"HOUR", "HOUR_4"}
    assert tab("capcli config get CAP_ALLOWED") == ["CAP_ALLOWED_EPICS"]
    assert set(tab("capcli help e")) == {"error", "exit-codes", "environment"}


def test_a_value_behind_an_equals_sign(tab):
    assert [word.rpartition("=")[2] for word in tab("capcli positions --env=d")] == ["demo"]


def test_values_that_were_seen(tab, machine):
    assert set(tab("capcli quote ")) == {"SILVER", "GOLD"}
    assert tab("capcli quote SILVER GO") == ["GOLD"]
    assert tab("capcli execute ") == [machine.preview]
    assert machine.deal in tab("capcli positions ")
    assert tab("capcli close ") == [machine.deal]
    assert machine.account in tab("capcli --json positions --account ")


def test_values_of_the_environment_of_the_line(tab):
    assert tab("capcli --env demo quote ") == []
    assert set(tab("capcli quote --env=paper ")) == {"SILVER", "GOLD"}


def test_a_second_epic_is_not_offered_where_one_is_taken(tab):
    assert tab("capcli preview SILVER ") == []


@pytest.mark.bench
@pytest.mark.parametrize("kind", ["epics", "previews"])
def test_a_tab_takes_under_a_tenth_of_a_second_of_our_own_time(machine, kind):
    """Compared with Python doing nothing, the best of some rounds: the machine may be busy."""
    lines = {
        "pass": [sys.executable, "-c", "pass"],
        "tab": [sys.executable, "-m", "capcli", "__complete", kind],
    }
    best = dict.fromkeys(lines, 9.0)
    for _ in range(7):
        for name, line in lines.items():
            started = time.perf_counter()
            subprocess.run(line, env=machine.environ, check=True, capture_output=True)
            best[name] = min(best[name], time.perf_counter() - started)
    assert best["tab"] - best["pass"] < OWN_TIME_S


def test_a_tab_opens_no_socket_and_builds_no_app(machine):
    code = (
        "import sys; from capcli.__main__ import main; sys.argv[1:] = ['__complete', 'epics']\n"
        "main(); sys.stderr.write(','.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=machine.environ, capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split(","))
    assert (
        loaded & {"socket", "ssl", "httpx", "typer", "capcli.app", "sqlite3", "asyncio", "keyring"} == set()
    )
    assert "SILVER" in done.stdout
