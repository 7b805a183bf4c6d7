"""What Windows runs, on a system that only claims to be it: no call is reached that POSIX alone has.

Windows' own console, file system and keychain are not shown by this.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from capcli import system
from capcli.errors import SettingInvalid
from tests.support.children import Child
from tests.support.paths import IMPORT_PATH

WINDOWS = [sys.executable, "-W", "error", "-m", "tests.support.as_windows"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there it is no claim")


def environ(user: Path, **more: str) -> dict[str, str]:
    """Return what a console on Windows has: no HOME, and code page 1252."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": IMPORT_PATH,
        "LOCALAPPDATA": str(user / "Local"),
        "APPDATA": str(user / "Roaming"),
        "USERPROFILE": str(user),
        "PYTHONUTF8": "0",
        "PYTHONWARNDEFAULTENCODING": "1",
        "PYTHONIOENCODING": "cp1252",
        **more,
    }


def on_windows(user: Path, *lines: str, **more: str) -> str:
    done = subprocess.run(
        [*WINDOWS, *lines], env=environ(user, **more), cwd=user, capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode("cp1252")
    return done.stdout.decode("cp1252")


@pytest.mark.faults
def test_an_order_goes_its_whole_way_in_the_folders_of_windows(tmp_path):
    before = on_windows(tmp_path, "config path", "--json preview SILVER --size 1.5 --stop 24.50")
    preview = json.loads(before.splitlines()[-1])["data"]["preview_id"]
    (tmp_path / ".cursor").mkdir()
    after = on_windows(
        tmp_path,
        f"execute {preview} --confirm",
        "positions",
        "close --all --confirm",
        "halt",
        "resume --confirm",
        "health",
        "mcp install cursor --env paper",
    )

    assert f"journal       {tmp_path}/Local/capcli/journal.db" in before
    assert "Bought 1.5 SILVER" in after
    assert "Closed 1 position" in after
    assert "Healthy" in after
    assert "?" not in after, "what code page 1252 does not have is drawn in another way"
    ours = (tmp_path / "Local" / "capcli", tmp_path / "Local" / "capcli-guard", tmp_path / ".cursor")
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in written if not any(file.is_relative_to(folder) for folder in ours)] == []
    assert (tmp_path / "Local" / "capcli-guard").is_dir()


HOLDS = """
import os, subprocess, sys
from pathlib import Path
from tests.support.as_windows import become_windows
become_windows(os.environ["LOCALAPPDATA"], libraries=("subprocess", "platformdirs.windows"))
from capcli.errors import Busy
from capcli.system import file_lock
try:
    with file_lock(Path(sys.argv[1]), wait_s=0):
        print("held", flush=True)
        if sys.argv[2:]:
            subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], check=True)
    with file_lock(Path(sys.argv[1]), wait_s=0):
        print("free again")
except Busy:
    print("busy")
"""


def test_a_lock_of_windows_is_one_process_s_alone_and_free_afterwards(tmp_path):
    argv = [sys.executable, "-c", HOLDS, str(tmp_path / "locks" / "one.lock"), HOLDS]
    done = subprocess.run(argv, env=environ(tmp_path), capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:3] == ["held", "busy", "free again"], done.stderr


def test_a_variable_is_set_the_way_powershell_does_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SettingInvalid) as caught:
        system.folders({"CAPCLI_HOME": "it's here"})
    assert caught.value.next == f"$env:CAPCLI_HOME = '{tmp_path}/it''s here'"


CALLS = (
    {
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
        "id": 1,
    },
    {"method": "notifications/initialized"},
    {"method": "tools/call", "params": {"name": "cap_market_get", "arguments": {"epic": "SILVER"}}, "id": 2},
)


@pytest.mark.faults
def test_the_server_answers_there(tmp_path):
    sent = "".join(json.dumps({"jsonrpc": "2.0", **call}) + "\n" for call in CALLS)
    with Child(
        [*WINDOWS, "mcp serve"],
        env=environ(tmp_path, CAP_ENV="paper"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(sent)
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        assert process.wait(timeout=30) == 0
    assert answers[1]["result"]["structuredContent"]["env"] == "paper"
