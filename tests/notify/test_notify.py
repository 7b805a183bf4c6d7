"""Programs that tell a person something: text is an argument, a slow one is stopped, none is waited for."""

import json
import sys
import time
from pathlib import Path

import pytest

from capcli.notify import Launcher, desktop_command, handed_on, plain
from capcli.notify.run_once import main

HOSTILE = (
    '" & do shell script "touch /tmp/x" & "',
    "$(Remove-Item C:\\x); `whoami`",
    "'; Start-Process calc; '",
    "<b>SILVER</b><img src='x'/>&amp;",
    "--icon=/etc/passwd",
    "-e evil",
    "line\nbreak\x1b[2J\u202egnp\x00",
)


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """An environment with a PATH on which every notifier stands."""
    names = ("notify-send", "osascript", "powershell", "powershell.exe")
    for name in names:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o700)
    return {"PATH": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_an_argument_of_its_own_at_the_end_and_nothing_else_changes(
    programs: dict[str, str], platform: str, text: str
) -> None:
    usual = desktop_command(platform, programs, "capcli PAPER", "code 7K2M9X")
    hostile = desktop_command(platform, programs, text, text)
    assert usual is not None
    assert hostile is not None
    assert usual[:-2] == hostile[:-2]
    assert hostile[-2:] == (plain(text), plain(text))
    for word in hostile[-2:]:
        assert word.isprintable()
        assert not word.startswith("-")
        assert not set(word) & set("<>&")


def test_without_a_desktop_nothing_is_started(programs: dict[str, str]) -> None:
    del programs["DBUS_SESSION_BUS_ADDRESS"]
    assert desktop_command("linux", programs, "a", "b") is None
    for platform in ("linux", "darwin", "win32"):
        nowhere = {"PATH": "/nonexistent", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}
        assert desktop_command(platform, nowhere, "a", "b") is None


def test_no_setting_and_no_credential_is_handed_on() -> None:
    environ = {
        "CAP_API_KEY": "k",
        "CAP_API_PASSWORD_FILE": "f",
        "CAP_MANDATE_FILE": "m",
        "CAP_NOTIFY_CMD": "c",
        "CREDENTIALS_DIRECTORY": "/run/credentials",
        "HTTPS_PROXY": "http://user:password@proxy",
        "MY_TOKEN": "t",
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
    }
    assert handed_on(environ) == {"PATH": "/bin", "LC_ALL": "C.UTF-8"}


@pytest.mark.faults
def test_a_program_gets_its_input_and_is_not_waited_for(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"import sys, os; open({str(out)!r}, 'w').write(sys.stdin.read() + str(sorted(os.environ)))"
    Launcher({"PATH": "/bin:/usr/bin", "CAP_API_KEY": "secret"})(
        (sys.executable, "-c", code), json.dumps({"code": "7K2M9X"}).encode()
    )
    while not (out.exists() and out.read_text().endswith("]")):
        time.sleep(0.02)
    assert out.read_text().startswith('{"code": "7K2M9X"}')
    assert "CAP_API_KEY" not in out.read_text()


@pytest.mark.faults
def test_one_that_hangs_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert main(0.5, ["/bin/sh", "-c", f"sleep 60 & echo $! > {pid}; wait"]) == 124
    child = int(pid.read_text())
    while _runs(child):
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_one_that_is_missing_is_no_error() -> None:
    assert main(1, ["/nonexistent/program"]) == 127
