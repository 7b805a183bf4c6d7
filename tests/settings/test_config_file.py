"""Edits of config.toml leave everything else as it was."""

import stat
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.errors import ConfigError, NotEnforced, UsageError
from capcli.settings import Env, load, remove_setting, write_setting
from capcli.settings.config_file import _edited
from capcli.settings.table import BY_KEY
from capcli.system import Folders


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    home = tmp_path / "home"
    return Folders(home, home, home / "cache", None, home / "guard")


def given_file(folders: Folders, text: str) -> None:
    folders.config.mkdir(exist_ok=True)
    folders.config_file.write_bytes(text.encode())


def content(folders: Folders) -> str:
    return folders.config_file.read_bytes().decode()


def test_first_login_writes_profile_and_default(folders):
    write_setting(folders, "main", "env", "demo")
    assert content(folders) == 'default_profile = "main"\n\n[profiles.main]\nenv = "demo"\n'
    assert load({}, folders).env is Env.DEMO


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_file_is_private_even_when_it_was_not(folders):
    given_file(folders, "# mine\n")
    folders.config_file.chmod(0o644)
    write_setting(folders, "main", "env", "demo")
    assert stat.S_IMODE(folders.config_file.stat().st_mode) == 0o600
    assert [path.name for path in folders.config.iterdir() if path.name.startswith(".")] == []


def test_second_profile_leaves_the_first_and_its_comments_byte_for_byte(folders):
    before = '# mine\ndefault_profile="a"   # keep\n\n[profiles.a]\n'
    before += '  env   =  "live" # real money\n\tmax_drift_pct = 1.0\n'
    given_file(folders, before)
    write_setting(folders, "b", "env", "demo")
    assert content(folders) == before + '\n[profiles.b]\nenv = "demo"\n'


def test_env_of_a_profile_is_changed_in_place(folders):
    before = 'default_profile = "a"\n[profiles.a] # one\n  env   =  "live" # real money\n'
    before += 'allowed_epics = ["X"]\n[profiles.b]\nenv = "paper"\n'
    given_file(folders, before)
    write_setting(folders, "a", "env", "demo")
    assert content(folders) == before.replace('"live"', '"demo"')


def test_windows_line_ends_stay(folders):
    given_file(folders, 'default_profile = "a"\r\n[profiles.a]\r\nmax_drift_pct = 1\r\n')
    write_setting(folders, "a", "env", "live")
    assert (
        content(folders) == 'default_profile = "a"\r\n[profiles.a]\r\nmax_drift_pct = 1\r\nenv = "live"\r\n'
    )


def test_writing_the_same_again_changes_nothing(folders):
    write_setting(folders, "main", "env", "demo")
    first = folders.config_file.stat().st_ino
    write_setting(folders, "main", "env", "demo")
    assert folders.config_file.stat().st_ino == first


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('profiles.main.env = "live"\n', 'profiles.main.env = "demo"\n'),
        (
            'profiles = { main = { env = "live" } } # mine\n',
            'profiles = { main = { env = "demo" } } # mine\n',
        ),
        ('[profiles]\nmain = { env = "live" }\n', '[profiles]\nmain = { env = "demo" }\n'),
        (
            '[profiles.main]\nallowed_epics = """\n[profiles.x]\n"""\nenv = "live"\n',
            '[profiles.main]\nallowed_epics = """\n[profiles.x]\n"""\nenv = "demo"\n',
        ),
        ('["profiles"."main"]\n"env" = \'live\'\n', '["profiles"."main"]\n"env" = "demo"\n'),
        ("profiles = {}\n", 'profiles = {main = {env = "demo"}}\n'),
        ('[profiles]\nb.env = "live"\n', '[profiles]\nb.env = "live"\n\n[profiles.main]\nenv = "demo"\n'),
    ],
)
def test_any_layout_is_edited_and_kept(folders, before, after):
    given_file(folders, 'default_profile = "main"\n' + before)
    write_setting(folders, "main", "env", "demo")
    assert content(folders) == 'default_profile = "main"\n' + after


def test_a_setting_is_taken_out_and_its_neighbours_stay(folders):
    given_file(folders, "[profiles]\nmain = { require_stop = true, max_drift_pct = 1 }\n")
    assert remove_setting(folders, "main", "require_stop") == "true"
    assert tomllib.loads(content(folders)) == {"profiles": {"main": {"max_drift_pct": 1}}}


def test_what_no_edit_can_say_is_left_alone(folders):
    text = '[profiles.main]\nprofiles.main.env = "live"\n'
    given_file(folders, text)
    with pytest.raises(ConfigError):
        write_setting(folders, "main", "env", "demo")
    assert content(folders) == text


def test_broken_file_is_left_alone(folders):
    given_file(folders, "[profiles.main\n")
    with pytest.raises(ConfigError, match="line 1"):
        write_setting(folders, "main", "env", "demo")
    assert content(folders) == "[profiles.main\n"


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks")
def test_linked_file_stays_a_link(folders, tmp_path):
    folders.config.mkdir()
    real = tmp_path / "dotfiles.toml"
    real.write_text("# mine\n")
    folders.config_file.symlink_to(real)
    write_setting(folders, "main", "env", "demo")
    assert folders.config_file.is_symlink()
    assert "# mine" in real.read_text()


def test_setting_is_written_and_read_back(folders):
    write_setting(folders, "main", "env", "demo")
    write_setting(folders, "main", "allow_trading", "true")
    write_setting(folders, "main", "max_position_size", "2.50")
    write_setting(folders, "main", "allowed_epics", "SILVER,GOLD")
    write_setting(folders, "main", "max_position_size", "3")
    settings = load({}, folders)
    assert (settings.allow_trading, settings.max_position_size) == (True, 3)
    assert settings.allowed_epics == {"SILVER", "GOLD"}


@pytest.mark.parametrize(
    ("profile", "key", "value", "said"),
    [
        ("main", "api_key", "x", "credential"),
        ("main", "allow_tradin", "true", "Did you mean allow_trading"),
        ("main", "allow_trading", "maybe", "true or false"),
        ("main", "allowed_epics", "SILVER,\nGOLD", "separated by commas"),
        ("a.b", "env", "demo", "profile name"),
    ],
)
def test_setting_that_could_not_be_read_again_is_not_written(folders, profile, key, value, said):
    with pytest.raises(UsageError, match=said):
        write_setting(folders, profile, key, value)
    assert not folders.config_file.exists()


def test_rule_that_is_not_built_is_not_written(folders, monkeypatch):
    monkeypatch.setitem(BY_KEY, "require_stop", replace(BY_KEY["require_stop"], enforced=False))
    with pytest.raises(NotEnforced):
        write_setting(folders, "main", "require_stop", "true")
    write_setting(folders, "main", "require_stop", "false")
    assert load({}, folders).env is Env.PAPER


LINES = st.sampled_from(
    ["# note", "", "[profiles.a]", "[profiles.b]", 'env = "live"', "max_drift_pct = 1", "[profiles.main] # x"]
)


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_edit_of_any_readable_file_says_only_what_was_asked(text):
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    after = tomllib.loads(_edited(text, "main", "env", "demo"))
    before.setdefault("profiles", {}).setdefault("main", {})["env"] = "demo"
    assert after == before
