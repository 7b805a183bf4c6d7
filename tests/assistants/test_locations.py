"""Where clients keep config and skills when it is not the usual place, and what else they start."""

import json

import pytest

from capcli.assistants.carrying import settings_given
from capcli.assistants.locations import ASSISTANTS, client_folder, config_file, skill_file
from capcli.assistants.reading import read_config
from capcli.assistants.skill import planned
from capcli.cli.agents_page import skill
from capcli.errors import ConfigError, UsageError

CLIENTS = {each.name: each for each in ASSISTANTS}
PACKAGE = ("Packages", "Claude_pzs8sxrjxfjjc", "LocalCache", "Roaming", "Claude")


def test_a_claude_desktop_from_a_windows_package_reads_the_config_of_the_package(tmp_path):
    environ = {"USERPROFILE": str(tmp_path), "APPDATA": str(tmp_path / "AppData" / "Roaming")}
    desktop = CLIENTS["claude-desktop"]
    usual = tmp_path / "AppData" / "Roaming" / "Claude" / "claude_desktop_config.json"
    assert config_file(desktop, environ, "win32") == usual
    folder = tmp_path.joinpath("AppData", "Local", *PACKAGE)
    folder.mkdir(parents=True)
    assert config_file(desktop, environ, "win32") == folder / "claude_desktop_config.json"
    assert client_folder(desktop, environ, "win32") == folder
    moved = {**environ, "LOCALAPPDATA": str(tmp_path / "elsewhere")}
    assert config_file(desktop, moved, "win32") == usual
    assert config_file(desktop, environ | {"HOME": str(tmp_path)}, "linux") != folder


def test_of_two_packages_the_one_with_a_config_counts(tmp_path):
    environ = {"USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    for name in ("Claude_a", "Claude_b"):
        tmp_path.joinpath("Packages", name, "LocalCache", "Roaming", "Claude").mkdir(parents=True)
    file = tmp_path / "Packages/Claude_b/LocalCache/Roaming/Claude/claude_desktop_config.json"
    file.write_text("{}")
    assert config_file(CLIENTS["claude-desktop"], environ, "win32") == file


def test_claude_code_and_codex_follow_their_variables(tmp_path):
    home = {"HOME": str(tmp_path)}
    moved = home | {"CLAUDE_CONFIG_DIR": f" {tmp_path / 'cc'} ", "CODEX_HOME": str(tmp_path / "cx")}
    assert config_file(CLIENTS["claude-code"], home, "linux") == tmp_path / ".claude.json"
    assert config_file(CLIENTS["claude-code"], moved, "linux") == tmp_path / "cc" / ".claude.json"
    assert client_folder(CLIENTS["claude-code"], moved, "linux") == tmp_path / "cc"
    assert config_file(CLIENTS["codex"], moved, "linux") == tmp_path / "cx" / "config.toml"
    assert client_folder(CLIENTS["claude-code"], home, "linux") == tmp_path / ".claude"


def test_skills_go_where_each_client_reads_them(tmp_path):
    home = {"HOME": str(tmp_path)}
    found = {name: skill_file(each, home, "linux") for name, each in CLIENTS.items()}
    assert found.pop("claude-desktop") is None
    assert {name: file.relative_to(tmp_path).parts[0] for name, file in found.items()} == {
        "claude-code": ".claude",
        "cursor": ".cursor",
        "windsurf": ".codeium",
        "codex": ".agents",
        "vscode": ".copilot",
        "gemini-cli": ".gemini",
    }
    assert all(file.parts[-2:] == ("capcli", "SKILL.md") for file in found.values())
    moved = skill_file(CLIENTS["claude-code"], home | {"CLAUDE_CONFIG_DIR": str(tmp_path / "cc")}, "linux")
    assert moved == tmp_path / "cc" / "skills" / "capcli" / "SKILL.md"


def test_a_skill_is_written_brought_up_to_date_and_removed(tmp_path):
    file = tmp_path / "skills" / "capcli" / "SKILL.md"
    planned(file, skill()).apply()
    assert file.read_text() == skill()
    assert not planned(file, skill()).is_needed
    planned(file, None).apply()
    assert [*tmp_path.rglob("*")] == [tmp_path / "skills"]
    file.parent.mkdir()
    file.write_text("# mine")
    with pytest.raises(ConfigError, match="was not changed"):
        planned(file, None)
    assert file.read_text() == "# mine"


def test_settings_for_one_client_are_checked_before_they_are_written():
    assert settings_given(["cap_max_risk_pct=1", "CAP_ALLOWED_EPICS=GOLD,SILVER"]) == {
        "CAP_MAX_RISK_PCT": "1",
        "CAP_ALLOWED_EPICS": "GOLD,SILVER",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("CAP_API_KEY=x", "no secret is"),
        ('CAP_NOTIFY_CMD=["x"]', "no secret is"),
        ("CAP_MAX_RISK=1", "did you mean CAP_MAX_RISK_PCT"),
        ("CAP_MAX_RISK_PCT=much", "Allowed:"),
        ("CAP_MAX_RISK_PCT", "Allowed:"),
    ],
)
def test_what_no_entry_may_carry_is_refused(text, says):
    with pytest.raises(UsageError, match=says) as refused:
        settings_given([text])
    assert "Nothing was written" in refused.value.message


@pytest.mark.parametrize(
    ("entry", "rival"),
    [
        ({"command": "/x/venv/bin/python", "args": ["-m", "capital_mcp.server"]}, True),
        ({"command": "uv", "args": ["run", "--directory", "/home/me/capital-mcp", "capital-mcp"]}, True),
        ({"command": "C:\\mcp\\capital-mcp\\start.bat"}, True),
        ({"command": "capital-mcp", "disabled": True}, False),
        ({"command": "/x/capcli", "args": ["mcp", "serve"]}, False),
        ({"command": "python", "args": ["-m", "capital_allocation"]}, False),
    ],
)
def test_the_brokers_own_server_is_known(tmp_path, entry, rival):
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"capital": entry}}))
    assert read_config(CLIENTS["cursor"], file).rivals == (("capital",) if rival else ())
