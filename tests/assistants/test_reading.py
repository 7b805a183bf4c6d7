"""Which clients' configs start capcli, and where a broken one is broken."""

import json
from pathlib import Path

import pytest

from capcli.assistants.locations import ASSISTANTS, config_file
from capcli.assistants.reading import configs

OURS = {"command": "/opt/capcli/bin/capcli", "args": ["mcp", "serve"]}
BY_NAME = {assistant.name: assistant for assistant in ASSISTANTS}


def saved(home: Path, name: str, text: str) -> Path:
    file = config_file(BY_NAME[name], {"HOME": str(home)}, "linux")
    assert file is not None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def read(home: Path):
    return configs({"HOME": str(home)})


@pytest.mark.parametrize("assistant", [each for each in ASSISTANTS if not each.toml], ids=lambda a: a.name)
def test_every_client_with_json_is_read(tmp_path, assistant):
    other = {"command": "npx", "args": ["something"]}
    saved(tmp_path, assistant.name, json.dumps({assistant.key: {"other": other, "trade": OURS}}))
    (found,) = read(tmp_path)
    assert (found.assistant, [entry.name for entry in found.entries]) == (assistant, ["trade"])


def test_codex_keeps_its_servers_in_toml(tmp_path):
    saved(tmp_path, "codex", '[mcp_servers.capcli]\ncommand = "capcli"\nargs = ["mcp", "serve"]\n')
    (found,) = read(tmp_path)
    assert found.entries[0].args == ("mcp", "serve")


def test_comments_and_a_last_comma_are_no_damage(tmp_path):
    text = '{\n  // mine, "not" {\n  "servers": {"capcli": {"command": "capcli", "args": ["a//b",],},},\n}'
    saved(tmp_path, "vscode", text)
    (found,) = read(tmp_path)
    assert (found.broken, found.entries[0].args) == (None, ("a//b",))


def test_a_missing_comma_is_told_with_its_line(tmp_path):
    saved(tmp_path, "cursor", '{"mcpServers": {\n  "capcli": {"command": "capcli" "args": []}}}')
    (found,) = read(tmp_path)
    assert found.broken == "is not valid JSON: line 2, column 34: expecting ',' delimiter"


def test_a_broken_toml_file_quotes_nothing_of_itself(tmp_path):
    saved(tmp_path, "codex", '[mcp_servers.capcli]\ncommand = "capcli"\nkey = SECRET-1\n')
    (found,) = read(tmp_path)
    assert found.broken is not None
    assert "line 3" in found.broken
    assert "SECRET" not in found.broken


def test_configs_of_others_are_not_our_business(tmp_path):
    saved(tmp_path, "cursor", '{"mcpServers": {"other": {"command": "npx"}}}')
    saved(tmp_path, "windsurf", "{ broken")
    assert read(tmp_path) == ()


def test_without_a_home_folder_nothing_is_looked_for():
    assert configs({}) == ()


@pytest.mark.parametrize(
    ("platform", "environ", "ending"),
    [
        ("darwin", {"HOME": "/Users/a"}, "/Users/a/Library/Application Support/Claude"),
        ("linux", {"HOME": "/home/a", "XDG_CONFIG_HOME": "/home/a/cfg"}, "/home/a/cfg/Claude"),
        ("win32", {"USERPROFILE": "C:/a", "APPDATA": "C:/a/Roaming"}, "C:/a/Roaming/Claude"),
    ],
)
def test_claude_desktop_keeps_its_config_where_the_platform_wants_it(platform, environ, ending):
    file = config_file(BY_NAME["claude-desktop"], environ, platform)
    assert file is not None
    assert file.parent.as_posix() == ending


def test_an_entry_shows_none_of_its_values():
    assert "SECRET" not in repr(_entry({"CAP_API_KEY": "SECRET"}))


def _entry(env):
    from capcli.assistants.reading import Entry

    return Entry("capcli", "capcli", (), env, disabled=False)


def test_servers_under_the_key_of_another_client_are_told(tmp_path):
    saved(tmp_path, "vscode", json.dumps({"mcpServers": {"capcli": OURS}}))
    (found,) = read(tmp_path)
    assert found.broken == "names capcli under mcpServers, and this client reads servers"


def test_an_empty_config_was_not_saved(tmp_path):
    saved(tmp_path, "cursor", "")
    (found,) = read(tmp_path)
    assert found.broken == "is empty: nothing was saved in it"


def test_claude_code_keeps_servers_for_each_project_too(tmp_path):
    saved(tmp_path, "claude-code", json.dumps({"projects": {"/p": {"mcpServers": {"capcli": OURS}}}}))
    (found,) = read(tmp_path)
    assert [entry.name for entry in found.entries] == ["capcli"]
