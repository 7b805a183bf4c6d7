"""buy.sh, a script as a user has it: previews, checks with jq, executes once, ends with the exit code."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from capcli.cli.pages import source
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script"),
]
SCRIPT = Path(__file__).with_name("buy.sh").read_text(encoding="utf-8")


def test_the_page_about_scripts_shows_this_script():
    assert f"```sh\n{SCRIPT}```" in source("scripts")


@pytest.fixture
def shell(tmp_path):
    if shutil.which("jq") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("jq is not installed")
        pytest.skip("jq is not installed")
    program = tmp_path / "bin" / "capcli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *as_own_user()])} -m capcli "$@"\n')
    program.chmod(0o755)
    environ = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CAPCLI_HOME": str(tmp_path / "home"),
        "PYTHONPATH": IMPORT_PATH,
    }

    def run(script):
        done = subprocess.run(
            ["sh", "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_it_buys_once_and_a_second_run_is_refused(shell):
    code, out, err = shell(SCRIPT)
    assert (code, err) == (0, "")
    assert out.startswith("Bought 1 SILVER at ")
    code, out, err = shell(SCRIPT)
    assert (code, out) == (5, "")
    assert "DUPLICATE" in err


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("< 50", "< 1", 5, "not sent"),
        ("24.50", "44.50", 5, "CHECKS_FAILED"),
        ("SILVER", "silver", 6, "EPIC_UNKNOWN"),
    ],
)
def test_what_does_not_pass_is_not_sent(shell, old, new, code, said):
    ended, out, err = shell(SCRIPT.replace(old, new))
    assert (ended, out) == (code, "")
    assert said in err
    assert shell("capcli -q positions --csv --fields deal_id")[1].split() == ["deal_id"]


def test_a_lost_answer_is_settled_and_a_missing_stop_is_told(shell):
    shell("capcli paper faults set drop-after --times 1")
    code, out, _ = shell(SCRIPT)
    assert code == 0
    assert "unknown, now landed" in out
    shell("capcli paper faults set drop-stop --times 1")
    code, _, err = shell(SCRIPT.replace("--size 1 ", "--size 2 "))
    assert code == 9
    assert "OPEN WITHOUT ITS STOP: capcli positions amend" in err
