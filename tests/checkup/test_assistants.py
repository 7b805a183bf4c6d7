"""The checks for assistants, through the health report."""

import json
import os
from pathlib import Path

import pytest

from capcli.app import App
from tests.support.launched import program
from tests.support.paths import tool_count


def app(home: Path, **more: str) -> App:
    environ = {"HOME": str(home), "USERPROFILE": str(home), "CAPCLI_HOME": str(home / "capcli"), **more}
    return App.build(environ={"PATH": os.environ["PATH"], **environ})


def cursor(home: Path, text: str) -> None:
    (home / ".cursor").mkdir(parents=True)
    (home / ".cursor" / "mcp.json").write_text(text)


def configured(home: Path, **entry: object) -> None:
    own = {"command": str(program(home / "bin")), "args": ["mcp", "serve"], **entry}
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


def test_the_server_is_started_as_a_client_does_and_its_tools_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    configured(tmp_path)
    (server,) = app(tmp_path).health.run(("mcp_server",)).data.checks
    assert server.status.value == "ok"
    assert server.message.startswith(f"Cursor: {tool_count()} tools of capcli ")


def test_a_server_that_does_not_start_says_why(tmp_path):
    configured(tmp_path)
    (tmp_path / "fastmcp.py").write_text("raise ImportError('no such thing here')")
    (server,) = app(tmp_path, PYTHONPATH=str(tmp_path)).health.run(("mcp_server",)).data.checks
    assert (server.status.value, server.code) == ("failed", "SERVER_SILENT")
    assert server.message.startswith("Server not responding: ")
    assert "no such thing here" in server.message


@pytest.mark.parametrize("name", ["CAP_API_KEY", "CAP_API_PASSWORD_CMD"])
def test_the_started_server_is_given_no_credentials(tmp_path, name):
    from capcli.checkup.assistants import without_credentials

    assert name not in without_credentials({name: "SECRET", "PATH": "/bin"})
