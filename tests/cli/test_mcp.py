"""`capcli mcp install` and `bundle` as they are typed."""

import json

import pytest


@pytest.fixture
def client(tmp_path):
    """A user's home with Cursor in it, and the environment that shows it to the command."""
    file = tmp_path / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {"other": {"command": "npx", "env": {"TOKEN": "s3cret"}}}}\n')
    return file, {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PATH": ""}


def test_install_says_what_to_do_next_and_remove_restores_the_file(capcli, client):
    file, env = client
    before = file.read_bytes()

    shown = capcli("mcp", "install", "Cursor", "--env", "demo", env=env)
    server = json.loads(file.read_text())["mcpServers"]["capcli"]
    again = capcli("mcp", "install", "cursor", "--env", "demo", env=env)
    gone = capcli("mcp", "install", "cursor", "--remove", env=env)

    assert (shown.code, again.code, gone.code) == (0, 0, 0)
    assert server["args"][-4:] == ["--env", "demo", "mcp", "serve"]
    assert server["env"] == {"CAPCLI_HOME": str(capcli.home)}
    for words in (
        "Added capcli to Cursor's config",
        "Backup",
        "1. Enable",
        "2. Quit Cursor fully",
        "List my accounts",
    ):
        assert words in shown.out
    assert "Nothing was written" in again.out
    assert "Removed capcli from" in gone.out
    assert file.read_bytes() == before


def test_a_dry_run_shows_the_change_and_writes_nothing(capcli, client):
    file, env = client
    before = file.read_bytes()
    shown = capcli("mcp", "install", "cursor", "--dry-run", env=env)
    assert "This would add capcli to Cursor's config. Nothing was written." in shown.out
    assert "+++ " in shown.out
    assert "s3cret" not in shown.out
    found = capcli("mcp", "install", "cursor", "--dry-run", "--json", env=env)
    assert (found.data["action"], found.data["dry_run"], found.data["backup"]) == ("added", True, None)
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == ["mcp.json"]


def test_what_the_server_is_to_offer_goes_into_the_config(capcli, client):
    _, env = client
    words = ("mcp", "install", "cursor", "--json", "--dry-run", "--read-only")
    assert capcli(*words, env=env).data["command"][-3:] == ["mcp", "serve", "--read-only"]
    narrow = capcli(*words, "--toolsets", "market,account", env=env).data["command"]
    assert narrow[-4:] == ["serve", "--toolsets", "account,market", "--read-only"]
    assert capcli(*words, "--toolsets", "bogus", env=env).error["code"] == "USAGE"


def test_it_works_while_the_settings_are_broken(capcli, client):
    _, env = client
    found = capcli("mcp", "install", "cursor", "--json", env=env | {"CAP_ALLOW_TRADING": "maybe"})
    assert found.data["action"] == "added"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("netscape",), 2, "There are: claude-desktop, claude-code, cursor, windsurf"),
        (("cursor", "--env", "prod"), 2, "Allowed: paper, demo, live"),
        (("codex",), 3, "Codex was not found: there is no folder"),
        (("codex", "--remove"), 0, "has no server capcli"),
    ],
)
def test_what_cannot_be_done_is_told(capcli, client, words, code, says):
    _, env = client
    result = capcli("mcp", "install", *words, env=env)
    assert result.code == code
    assert says in result.out + result.err


def test_a_broken_config_is_told_with_its_place_and_left_alone(capcli, client):
    file, env = client
    file.write_text('{"mcpServers": {\n  "a": {} "b": {}}}')
    result = capcli("mcp", "install", "cursor", "--json", env=env)
    assert (result.code, result.error["code"]) == (3, "CLIENT_CONFIG")
    assert "line 2, column 11" in result.error["message"]
    assert file.read_text() == '{"mcpServers": {\n  "a": {} "b": {}}}'


def test_a_bundle_is_written_where_it_was_asked_for(capcli, tmp_path):
    file = tmp_path / "mine.mcpb"
    found = capcli("mcp", "bundle", "--output", str(file), "--json")
    assert (found.code, found.data["file"]) == (0, str(file))
    assert found.data["size_bytes"] == file.stat().st_size
    assert found.data["asks"][:2] == ["API key", "API password"]


def test_install_writes_a_limit_for_this_client_and_the_skill(capcli, tmp_path):
    home = tmp_path / "user"
    (home / ".codex").mkdir(parents=True)
    env = {"HOME": str(home)}
    line = ("mcp", "install", "codex", "--set", "CAP_MAX_RISK_PCT=1", "--skill", "--json")

    planned = capcli(*line, "--dry-run", env=env)
    assert "would be written" in planned.data["notes"][-1]
    assert [*home.rglob("SKILL.md")] == []

    done = capcli(*line, env=env)
    assert done.code == 0, done
    assert 'CAP_MAX_RISK_PCT = "1"' in (home / ".codex" / "config.toml").read_text()
    (skill,) = home.rglob("SKILL.md")
    assert skill.parts[-4:] == (".agents", "skills", "capcli", "SKILL.md")

    gone = capcli("mcp", "install", "codex", "--remove", "--skill", "--json", env=env)
    assert "was removed" in gone.data["notes"][-1]
    assert not skill.exists()
    assert capcli(*line[:3], "--set", "CAP_API_PASSWORD=x", "--json", env=env).code == 2
