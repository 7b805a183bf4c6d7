"""What is wrong with a client's entry, told with its fix."""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capcli.assistants.lint import lint, started_before_saved
from capcli.assistants.locations import ASSISTANTS, Assistant
from capcli.assistants.reading import Config, Entry

BY_NAME = {assistant.name: assistant for assistant in ASSISTANTS}
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SERVE = ("mcp", "serve")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand for the programs here")


def program(folder: Path, name: str, says: str, code: int = 0) -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    file.chmod(0o755)
    return str(file)


def found(entry: Entry, client: str = "cursor") -> list[str]:
    config = Config(BY_NAME[client], Path("/c/mcp.json"), (entry,))
    return [doubt.text for doubt in lint(config, {"PATH": os.defpath}, NOW)]


def entry(command: str | None, *args: str, disabled: bool = False, **env: str) -> Entry:
    return Entry("capcli", command, args, env, disabled)


@POSIX
def test_an_entry_that_starts_this_version_is_in_order(tmp_path):
    from capcli import __version__

    assert found(entry(program(tmp_path, "capcli", f"capcli {__version__}"), *SERVE)) == []
    assert found(entry(sys.executable, "-m", "capcli", "--env", "demo", *SERVE)) == []
    narrow = (*SERVE, "--read-only", "--toolsets", "market,account")
    assert found(entry(sys.executable, "-m", "capcli", *narrow)) == []


def test_a_command_that_is_not_there():
    (said,) = found(entry("/gone/bin/capcli", *SERVE))
    assert "Server not responding: its command /gone/bin/capcli is not there" in said


@POSIX
def test_the_wrong_interpreter_is_asked_and_named(tmp_path):
    python = program(tmp_path, "python3", "No module named capcli", 1)
    (said,) = found(entry(python, "-m", "capcli", *SERVE))
    assert f"its Python {python} has no capcli: the wrong interpreter" in said


@POSIX
def test_a_command_whose_python_is_gone(tmp_path):
    broken = tmp_path / "capcli"
    broken.write_text("#!/gone/python\n")
    broken.chmod(0o755)
    assert "does not start; its Python may be gone" in found(entry(str(broken), *SERVE))[0]


@POSIX
def test_an_older_capcli_is_told(tmp_path):
    assert "is capcli 0.0.1, this is" in found(entry(program(tmp_path, "capcli", "capcli 0.0.1"), *SERVE))[0]


@POSIX
def test_capcli_without_its_server(tmp_path):
    from capcli import __version__

    command = program(tmp_path, "capcli", f"capcli {__version__}")
    assert found(entry(command, "mcp")) == [f"Cursor, server capcli: {'it does not start `mcp serve`'}"]
    assert found(entry(command, "mcp", "--json", "serve")) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("your_api_key", "a placeholder"),
        ("ENTER_KEY", "a placeholder"),
        ("'quoted!'", "still wrapped in quotes"),
    ],
)
def test_placeholders_and_quotes_stop_the_server(text, says):
    said = found(entry(sys.executable, "-m", "capcli", *SERVE, CAP_API_PASSWORD=text))
    assert any(f"CAP_API_PASSWORD is {says}" in each for each in said)
    assert not any(text in each for each in said)


def test_what_the_client_fills_in_is_no_placeholder():
    filled = dict.fromkeys(("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD"), "${input:x}")
    there = entry(sys.executable, "-m", "capcli", *SERVE, **filled)
    assert found(there, "vscode") == []
    assert "placeholder" in found(there, "claude-desktop")[0]


def test_a_secret_in_plain_text_is_told_and_not_repeated():
    rest = {"CAP_IDENTIFIER": "a@example.com", "CAP_API_PASSWORD_CMD": "pass show capital"}
    (said,) = found(entry(sys.executable, "-m", "capcli", *SERVE, CAP_API_KEY="k3yk3yk3y", **rest))
    assert "CAP_API_KEY is there in plain text" in said
    assert "k3yk3yk3y" not in said


@pytest.mark.parametrize(
    ("env", "args", "says"),
    [
        ({"CAP_ENV": "prod"}, (), "CAP_ENV is 'prod'"),
        ({"CAP_ALLOW_TRADING": "yep"}, (), "CAP_ALLOW_TRADING is 'yep'"),
        ({"CAP_REQUIRE_STOP": "perhaps"}, (), "CAP_REQUIRE_STOP is 'perhaps'"),
        ({}, ("--profile", "nosuch"), "nosuch"),
        ({"CAP_API_KEY_FILE": "/x"}, (), "but not CAP_IDENTIFIER and CAP_API_PASSWORD"),
        ({}, ("--api-key", "SECRETKEY123"), "has no option --api-key"),
    ],
)
def test_settings_that_the_server_would_refuse_are_refused_here(env, args, says):
    said = found(entry(sys.executable, "-m", "capcli", *args, *SERVE, **env))
    assert any(says in each for each in said), said
    assert "SECRETKEY123" not in str(said)


def test_a_setting_with_a_typing_slip():
    (said,) = found(entry(sys.executable, "-m", "capcli", *SERVE, CAP_ALOW_TRADING="true"))
    assert "Did you mean CAP_ALLOW_TRADING?" in said


def test_what_stops_the_client_comes_first():
    both = entry("/gone/capcli", *SERVE, disabled=True)
    config = Config(BY_NAME["cursor"], Path("/c/mcp.json"), (both,))
    assert [doubt.stops for doubt in lint(config, {}, NOW)] == [True, False]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ps")
def test_a_client_that_runs_since_before_its_config_was_saved(tmp_path):
    import shutil

    if shutil.which("ps") is None:
        pytest.skip("this computer has no ps")
    client = Assistant("x", "X", "servers", r"(^|/)" + Path(sys.executable).resolve().name)
    file = tmp_path / "mcp.json"
    file.write_text("{}")
    hour = 3600
    long_ago = time.time() - 24 * hour
    now = datetime.fromtimestamp(time.time(), UTC)
    os.utime(file, (long_ago, long_ago))
    assert not started_before_saved(client, file, now)
    later = datetime.fromtimestamp(file.stat().st_mtime - hour, UTC)
    assert started_before_saved(client, file, later)
    nobody = Assistant("x", "X", "servers", None)
    assert not started_before_saved(nobody, file, later)
