"""The guard folder: the same for every process of a user, and never the real user's in a test."""

import os
import re
import sys
from pathlib import Path

import pytest

from capcli import system
from capcli.errors import SettingInvalid, StateFolderUnusable
from capcli.system import XDG, folders, guard_folder, put_guarded, read_guarded
from tests.cli.conftest import Cli
from tests.support.launched import real_system_home

TESTS = Path(__file__).parents[1]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and the password database")
# A line that starts capcli, or a test module that does, without `as_own_user` before it.
STARTS = re.compile(
    r"""sys\.executable[^\n]*?(?:-m capcli|"-m", "(?:capcli|tests\.faults)|\*SERVE\b|, SERVE\b)"""
)
# `--version` alone, help and completions, which look at no guard folder; re-recording, which is no test.
PLAIN = {
    "assistants/test_lint.py",
    "bench/test_budgets.py",
    "contract/record.py",
    "faults/test_completions.py",
    "cli/test_folders.py",
}


@POSIX
def test_it_lies_in_the_home_of_the_password_database(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.setattr(system, "system_home", real_system_home)
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("CAPCLI_HOME", "/elsewhere")
    assert system.guard_folder() == Path(pwd.getpwuid(os.getuid()).pw_dir) / ".capcli-guard"


@POSIX
@pytest.mark.parametrize("home", [None, "", "relative"])
def test_a_user_without_a_home_has_one_all_the_same(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    import pwd
    from types import SimpleNamespace

    def entry(_uid: int) -> SimpleNamespace:
        if home is None:
            raise KeyError
        return SimpleNamespace(pw_dir=home)

    monkeypatch.setattr(system, "system_home", real_system_home)
    monkeypatch.setattr(pwd, "getpwuid", entry)
    assert system.guard_folder() == Path(f"/var/tmp/.capcli-guard-{os.getuid()}")


@pytest.mark.parametrize(
    "environ", [{}, {"CAPCLI_HOME": "/a"}, {"XDG_STATE_HOME": "/b", "HOME": "/c"}, {"LOCALAPPDATA": "/d"}]
)
def test_no_variable_moves_it(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    assert folders(environ).guard == guard_folder()


@POSIX
def test_its_files_are_the_users_alone_and_come_back_as_they_were() -> None:
    file = guard_folder() / "facts.json"
    assert read_guarded(file) is None
    put_guarded(file, {"count": 3})
    put_guarded(file, {"count": 4})
    assert read_guarded(file) == {"count": 4}
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_file_that_says_nothing_is_not_nothing(text: str) -> None:
    file = guard_folder() / "facts.json"
    put_guarded(file, {})
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(StateFolderUnusable, match="cannot be read"):
        read_guarded(file)


def test_it_cannot_be_written_where_a_file_stands_in_its_place() -> None:
    guard_folder().parent.mkdir()
    guard_folder().write_text("")
    with pytest.raises(StateFolderUnusable):
        put_guarded(guard_folder() / "facts.json", {})


def test_every_child_that_runs_capcli_has_the_tests_own_home() -> None:
    unguarded = [
        f"{file.relative_to(TESTS)}: {found[0]}"
        for file in TESTS.rglob("*.py")
        if str(file.relative_to(TESTS)) not in PLAIN
        for found in STARTS.finditer(file.read_text(encoding="utf-8"))
        if "as_own_user()" not in found[0]
    ]
    assert unguarded == []


@pytest.mark.parametrize("name", ["CAPCLI_HOME", *(() if sys.platform == "win32" else ("HOME", *XDG))])
def test_a_relative_folder_is_refused_with_the_line_that_mends_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingInvalid) as caught:
        folders({"HOME": "/home/me", name: "my trading"})
    assert caught.value.message.startswith(f"{name} is 'my trading', a relative path")
    assert caught.value.next == f"export {name}='{tmp_path}/my trading'"
    assert caught.value.exit_code == 3


@POSIX
def test_the_folders_are_those_of_the_environment_that_is_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in XDG:
        monkeypatch.setenv(name, "/this/process")
    found = folders({"HOME": "/home/me", "XDG_STATE_HOME": "/states"})
    assert found.state == Path("/states/capcli")
    assert found.config.is_relative_to("/home/me")
    assert found.cache.is_relative_to("/home/me")


@POSIX
@pytest.mark.parametrize(
    "environ", [{}, {"HOME": "/home/me"}, dict.fromkeys(XDG, "/x"), {"XDG_STATE_HOME": " "}]
)
def test_they_are_where_they_always_were(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs import PlatformDirs

    for name in ("HOME", *XDG):
        monkeypatch.delenv(name, raising=False)
    environ = {"HOME": "/home/else"} | environ
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    dirs = PlatformDirs("capcli", appauthor=False, roaming=False)
    expected = (dirs.user_config_path, dirs.user_state_path, dirs.user_cache_path)
    found = folders(environ)
    assert (found.config, found.state, found.cache) == expected


def test_a_halt_from_a_relative_folder_stops_everybody_all_the_same(capcli: Cli) -> None:
    halted = capcli("halt", "--json", env={"CAPCLI_HOME": "here"})
    assert (halted.code, halted.data["places"]) == (0, [str(guard_folder() / "halted")])
    assert capcli("positions", "--json").data["halt"] is not None
    refused = capcli("positions", "--json", env={"CAPCLI_HOME": "here"})
    assert (refused.code, refused.error["code"]) == (3, "BAD_SETTING")
