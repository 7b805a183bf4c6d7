"""The checks for assistants, through the health report."""

import json
import os
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import keyring
import pytest

from capcli.app import App
from capcli.assistants.installing import apply, entry, installation
from capcli.assistants.locations import ASSISTANTS
from capcli.system import folders
from tests.cli.conftest import Memory
from tests.support.launched import program
from tests.support.paths import tool_count

BY_NAME = {each.name: each for each in ASSISTANTS}


def app(home: Path, **more: str) -> App:
    environ = {"HOME": str(home), "USERPROFILE": str(home), "CAPCLI_HOME": str(home / "capcli"), **more}
    return App.build(environ={"PATH": os.environ["PATH"], **environ})


def cursor(home: Path, text: str) -> None:
    (home / ".cursor").mkdir(parents=True)
    (home / ".cursor" / "mcp.json").write_text(text)


def configured(home: Path, *options: str, env: dict[str, str] | None = None, **fields: object) -> None:
    place = {"CAPCLI_HOME": str(home / "capcli")} if env is None else env
    command = str(program(home / "bin"))
    own = {"command": command, "args": [*options, "mcp", "serve"], "env": place, **fields}
    cursor(home, json.dumps({"mcpServers": {"capcli": own}}))


def test_a_machine_without_assistants_starts_no_server(tmp_path):
    checks = app(tmp_path).health.run(("assistants", "mcp_server")).data.checks
    assert [(check.name, check.status.value) for check in checks] == [
        ("assistants", "ok"),
        ("mcp_server", "ok"),
    ]
    assert checks[1].message.startswith("not started")


def test_a_broken_config_fails_with_the_place_to_mend(tmp_path):
    cursor(tmp_path, '{"mcpServers": {"capcli": }')
    reply = app(tmp_path).health.run(("assistants",))
    assert (reply.exit_code, reply.data.checks[0].code) == (3, "CLIENT_CONFIG")
    assert "Cursor's config" in reply.data.checks[0].message
    assert "line 1, column 27" in reply.data.checks[0].message


def test_a_doubtful_config_is_a_warning(tmp_path):
    configured(tmp_path, disabled=True)
    reply = app(tmp_path).health.run(("assistants",))
    assert (reply.exit_code, reply.data.checks[0].status.value) == (0, "warning")


@pytest.mark.faults
def test_the_server_is_started_as_a_client_does_and_its_tools_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    configured(tmp_path)
    (server,) = app(tmp_path).health.run(("mcp_server",)).data.checks
    assert server.status.value == "ok"
    assert server.message.startswith(f"Cursor: {tool_count()} tools of capcli ")


@pytest.mark.faults
def test_tools_that_the_options_leave_out_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    own = {"command": str(program(tmp_path / "bin")), "args": ["mcp", "serve", "--toolsets", "market"]}
    own["env"] = {"CAPCLI_HOME": str(tmp_path / "capcli")}
    cursor(tmp_path, json.dumps({"mcpServers": {"capcli": own}}))
    (server,) = app(tmp_path).health.run(("mcp_server",)).data.checks
    assert server.message.startswith(f"Cursor: 8 of {tool_count()} tools by your options, capcli ")


def test_the_brokers_own_server_beside_ours_is_a_warning(tmp_path):
    theirs = {"command": sys.executable, "args": ["-m", "capital_mcp.server"]}
    ours = {"command": str(program(tmp_path / "bin")), "args": ["mcp", "serve"]}
    cursor(tmp_path, json.dumps({"mcpServers": {"capital": theirs, "capcli": ours}}))
    (check,) = app(tmp_path).health.run(("assistants",)).data.checks
    assert check.status.value == "warning"
    assert "capital in Cursor's config starts the broker's own server beside capcli: both may trade" in (
        check.message
    )
    (tmp_path / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": {"capital": theirs}}))
    (check,) = app(tmp_path).health.run(("assistants",)).data.checks
    assert "starts the broker's own server, not capcli" in check.message


def test_a_server_that_does_not_start_says_why(tmp_path):
    configured(tmp_path, env={"PYTHONPATH": str(tmp_path)})
    (tmp_path / "fastmcp.py").write_text("raise ImportError('no such thing here')")
    (server,) = app(tmp_path).health.run(("mcp_server",)).data.checks
    assert (server.status.value, server.code) == ("failed", "SERVER_SILENT")
    assert server.message.startswith("Server not responding: ")
    assert "no such thing here" in server.message


def compared(home: Path, **environ: str) -> tuple[str, str, str | None]:
    (server,) = app(home, **environ).health.run(("mcp_server",)).data.checks
    return server.status.value, server.message, server.fix


@pytest.mark.faults
def test_a_server_that_a_desktop_starts_in_another_folder_and_without_limits_is_found(tmp_path):
    configured(tmp_path, "--env", "paper", env={})
    status, said, fix = compared(tmp_path, CAP_MAX_POSITION_SIZE="2")
    elsewhere = folders({"HOME": str(tmp_path)}).state
    assert (status, fix) == ("warning", "capcli mcp install cursor --env paper")
    assert f"keeps its journal, previews and approvals in {elsewhere}, here they are in {tmp_path}" in said
    assert "CAP_MAX_POSITION_SIZE is not set for Cursor and 2 here" in said


@pytest.mark.faults
def test_what_mcp_install_writes_leaves_no_difference(tmp_path):
    (tmp_path / ".cursor").mkdir()
    (tmp_path / "run").mkdir(mode=0o700)
    environ = {
        "HOME": str(tmp_path),
        "USERPROFILE": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "states"),
        "CAP_MAX_POSITION_SIZE": "2",
        "CAP_REQUIRE_STOP": "true",
        "PATH": os.environ["PATH"],
    }
    ours = entry(BY_NAME["cursor"], (), environ) | {"command": str(program(tmp_path / "bin"))}
    apply(installation(BY_NAME["cursor"], ours | {"args": ["mcp", "serve"]}, environ), datetime.now(UTC))
    with closing(App.build(environ=environ)) as shell:
        (server,) = shell.health.run(("mcp_server",)).data.checks
    assert server.status.value == "ok", server.message


@pytest.mark.faults
def test_a_limit_that_the_entry_alone_has_is_found(tmp_path):
    place = {"CAPCLI_HOME": str(tmp_path / "capcli")}
    configured(tmp_path, env={**place, "CAP_MAX_POSITION_SIZE": "9"})
    status, said, fix = compared(tmp_path)
    assert (status, "CAP_MAX_POSITION_SIZE is 9 for Cursor and not set here" in said) == ("warning", True)
    assert fix.startswith("take CAP_MAX_POSITION_SIZE out of env of the server capcli in ")


@pytest.mark.faults
def test_settings_that_the_server_refuses_are_found(tmp_path):
    configured(tmp_path, env={"CAPCLI_HOME": str(tmp_path / "capcli"), "CAP_MAX_POSITION_SIZE": "big"})
    status, said, fix = compared(tmp_path)
    assert (status, "CAP_MAX_POSITION_SIZE is 'big'" in said) == ("warning", True)
    assert fix.startswith("mend env of the server capcli")


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a keychain needs no variable")
def test_a_server_that_cannot_read_the_keychain_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(keyring.core, "_keyring_backend", Memory())
    place = {"CAPCLI_HOME": str(tmp_path / "capcli")}
    configured(tmp_path, "--env", "demo", env=place)
    status, said, _ = compared(tmp_path, CAP_ENV="demo")
    assert (status, "Cursor cannot read the keychain (KEYCHAIN_MISSING)" in said) == ("warning", True)


@pytest.mark.parametrize("name", ["CAP_API_KEY", "CAP_API_PASSWORD_CMD"])
def test_the_started_server_is_given_no_credentials(tmp_path, name):
    from capcli.health.assistants import without_credentials

    assert name not in without_credentials({name: "SECRET", "PATH": "/bin"})
