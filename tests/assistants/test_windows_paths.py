r"""Paths of Windows in the configs of other programs: `\` is written so that it is read back as it was."""

import sys
from pathlib import PureWindowsPath

import pytest

from capcli.assistants import carrying, locations
from capcli.assistants.installing import apply, installation
from capcli.assistants.lint import starts_capcli
from capcli.assistants.locations import ASSISTANTS, client_folder, config_file, own_command
from capcli.assistants.reading import read_config
from tests.assistants.test_installing import NOW, home, saved

# Each has something that JSON or TOML reads as an escape: \U, \u, \n, \t, \b, \x.
PATHS = (
    r"C:\Users\me\.venv\Scripts\capcli.exe",
    r"C:\Users\Jürgen Müller\u0041\new\table\capcli.exe",
    r"\\server\share\b\x41\capcli.exe",
    r"D:\it's\"quoted\capcli.exe",
)
ENVIRON = {
    "USERPROFILE": r"C:\Users\me",
    "APPDATA": r"C:\Users\me\AppData\Roaming",
    "LOCALAPPDATA": r"C:\Users\me\AppData\Local",
}


class WindowsPath(PureWindowsPath):
    """A path of Windows on another system: whatever is asked for is there."""

    def exists(self) -> bool:
        return True


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(locations, "Path", WindowsPath)
    monkeypatch.setattr(carrying, "Path", WindowsPath)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("assistant", ASSISTANTS, ids=lambda each: each.name)
@pytest.mark.parametrize("text", ["", "other"])
def test_a_path_is_read_back_as_it_was_written(assistant, path, text, tmp_path):
    other = '[mcp_servers.other]\r\ncommand = "x"\r\n' if assistant.toml else '{\r\n  "KEY": {}\r\n}\r\n'
    file = saved(tmp_path, assistant.name, other.replace("KEY", assistant.key) if text else "")
    ours = {"command": path, "args": ["mcp", "serve"], "env": {"CAPCLI_HOME": path}}
    apply(installation(assistant, ours, home(tmp_path)), NOW)
    config = read_config(assistant, file)
    assert config is not None
    assert config.broken is None
    (entry,) = [each for each in config.entries if each.name == "capcli"]
    assert (entry.command, entry.env["CAPCLI_HOME"]) == (path, path)
    assert starts_capcli(entry)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("claude-desktop", r"C:\Users\me\AppData\Roaming\Claude\claude_desktop_config.json"),
        ("claude-code", r"C:\Users\me\.claude.json"),
        ("cursor", r"C:\Users\me\.cursor\mcp.json"),
        ("windsurf", r"C:\Users\me\.codeium\windsurf\mcp_config.json"),
        ("codex", r"C:\Users\me\.codex\config.toml"),
        ("vscode", r"C:\Users\me\AppData\Roaming\Code\User\mcp.json"),
        ("gemini-cli", r"C:\Users\me\.gemini\settings.json"),
    ],
)
def test_every_client_keeps_its_config_where_windows_wants_it(name, where, windows):
    (assistant,) = [each for each in ASSISTANTS if each.name == name]
    assert str(config_file(assistant, ENVIRON, "win32")) == where
    folder = client_folder(assistant, ENVIRON, "win32")
    assert folder is not None
    assert str(folder).startswith(r"C:\Users\me")


def test_the_server_is_started_by_its_exe(windows, monkeypatch):
    monkeypatch.setattr(sys, "executable", r"C:\Users\me\.venv\Scripts\python.exe")
    assert own_command() == (r"C:\Users\me\.venv\Scripts\capcli.exe",)


def test_a_credential_file_is_carried_where_its_path_is_whole(windows):
    given = {
        "CAP_API_KEY_FILE": r"C:\keys\api-key",
        "CAP_IDENTIFIER_FILE": r"\\server\keys\identifier",
        "CAP_API_PASSWORD_FILE": r"\keys\password",
    }
    told = carrying.carried(ENVIRON | given)
    assert told == {name: given[name] for name in ("CAP_API_KEY_FILE", "CAP_IDENTIFIER_FILE")}
