"""A client's config survives install, reinstall and remove byte for byte where capcli is not concerned."""

import json
import os
import stat
import sys
import tomllib
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from random import Random

import pytest

from capcli import system
from capcli.assistants.carrying import left_out
from capcli.assistants.installing import apply, assistant_named, entry, installation, others, removal
from capcli.assistants.locations import ASSISTANTS, config_file
from capcli.assistants.reading import parse
from capcli.errors import ClientConfigBroken, ClientMissing, ConfigError, UsageError

NOW = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
OURS = {"command": "/opt/capcli/bin/capcli", "args": ["mcp", "serve"]}
SECRET = "s3cret-token"
BY_NAME = {each.name: each for each in ASSISTANTS}

ODD_JSON = {
    "pretty": '{\n  "KEY": {\n    "other": {"command": "npx", "env": {"TOKEN": "s3cret-token"}}\n  }\n}\n',
    "tabs and CRLF": '{\r\n\t"theme": "dark",\r\n\t"KEY": {\r\n\t\t"a": {"command": "x"}\r\n\t}\r\n}\r\n',
    "one line": '{"KEY":{"other":{"command":"npx","args":["-y","a//b"]}},"z":1}',
    "one line, spaces": '{ "KEY": { "other": {"command": "x"} } }',
    "no table": '{\n    "numbers": [1.0, 1e3, 12345678901234567890],\n    "text": "\\u00e9"\n}',
    "empty table": '{\n  "KEY": {}\n}',
    "empty table, a space": '{"KEY": { }}',
    "empty table, lines": '{\n  "KEY": {\n  }\n}',
    "empty object": "{}",
    "object of lines": "{\n}\n",
    "no last newline": '{\n  "a": 1}',
    "byte order mark": '\ufeff{"KEY": {"o": {"command": "x"}}}\n',
    "same name elsewhere": '{"capcli": 1, "KEY": {"o": {"capcli": {"KEY": {}}}}, "x": "\\"KEY\\": {"}',
    "table first of two": '{"KEY": {"gone": {}}, "KEY": {"o": {"command": "y"}}}',
}
LOOSE_JSON = {
    "comments": '// top\n{\n  /* the servers */ "KEY": { // here\n    "a": {"command": "x"} // "capcli": {\n'
    "    /* end */\n  }\n}\n// bottom",
    "last commas": '{\n  "KEY": {\n    "a": {"c": "x",},\n    "b": {"args": [1,],}, // b\n  },\n}\n',
    "only a comment": '{\n  "KEY": {\n    // none yet\n  }\n}',
    "comment on one line": '{"KEY": {"a": {} // a\n}}',
    "inputs": '{"servers": {"x": {"type": "http", "url": "https://e"}}, "inputs": [{"id": "k",},],}',
}
ODD_TOML = {
    "a table": 'model = "o"\n\n[mcp_servers.other]\ncommand = "npx"\nenv = { TOKEN = "s3cret-token" }\n',
    "no last newline": '[mcp_servers.other]\ncommand = "npx" # mine',
    "CRLF": 'a = 1\r\n\r\n[mcp_servers.other]\r\ncommand = "npx"\r\n',
    "only comments": "# nothing yet\n",
    "empty": "",
    "many newlines": "a = 1\n\n\n",
    "brackets": 'note = """\n[mcp_servers.capcli]\n"""\nl = [\n [1],\n [2]\n]\n[x]\ny = \'[z]\'\n',
    "dotted": 'mcp_servers.other.command = "x"\n',
    "array of tables": '[[rules]]\nname = "a"\n[[rules]]\nname = "b"\n',
}


def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "APPDATA": str(tmp_path / "roaming")}


def saved(tmp_path: Path, name: str, content: str) -> Path:
    file = config_file(BY_NAME[name], home(tmp_path))
    assert file is not None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode())
    return file


def install(tmp_path: Path, name: str, ours=OURS) -> Path | None:
    edit = installation(BY_NAME[name], ours, home(tmp_path))
    return apply(edit, NOW) if edit.is_needed else None


def remove(tmp_path: Path, name: str) -> Path | None:
    return apply(removal(BY_NAME[name], home(tmp_path)), NOW)


JSON_CLIENTS = ("claude-desktop", "cursor", "vscode")
CASES = [
    *((client, case, text) for client, (case, text) in product(JSON_CLIENTS, ODD_JSON.items())),
    *((client, case, text) for client, (case, text) in product(("cursor", "vscode"), LOOSE_JSON.items())),
    *(("codex", case, text) for case, text in ODD_TOML.items()),
]


@pytest.mark.parametrize(("client", "case", "text"), CASES, ids=lambda each: str(each)[:24])
def test_install_reinstall_and_remove_leave_the_rest_byte_for_byte(tmp_path, client, case, text):
    assistant = BY_NAME[client]
    text = text.replace("KEY", assistant.key)
    file = saved(tmp_path, client, text)
    before = parse(text, toml=assistant.toml) if text else {}

    backup = install(tmp_path, client)
    once = file.read_bytes()
    after = parse(once.decode(), toml=assistant.toml)
    servers = after[assistant.key]

    assert servers["capcli"] == OURS
    assert {**before, assistant.key: servers} == after
    assert {name: each for name, each in servers.items() if name != "capcli"} == before.get(assistant.key, {})
    assert backup is not None
    assert backup.read_bytes() == text.encode()
    letters = iter(once.decode())
    assert all(letter in letters for letter in text), "something was only added"

    assert install(tmp_path, client) is None
    assert file.read_bytes() == once
    remove(tmp_path, client)
    assert file.read_bytes() == text.encode()


@pytest.mark.parametrize("client", ["cursor", "codex"])
def test_what_others_add_afterwards_survives_the_removal(tmp_path, client):
    toml = client == "codex"
    file = saved(tmp_path, client, "" if toml else '{"mcpServers": {"a": {"command": "x"}}}')
    install(tmp_path, client)
    text = file.read_text()
    if toml:
        file.write_text(text + '\n# theirs\n[mcp_servers.b]\ncommand = "y"\n')
    else:
        file.write_text(text.rstrip()[:-2] + ', "b": {"command": "y"}}}\n')

    remove(tmp_path, client)

    left = parse(file.read_text(), toml=toml)["mcp_servers" if toml else "mcpServers"]
    assert list(left) == (["b"] if toml else ["a", "b"])
    assert "capcli" not in file.read_text()
    assert not toml or "# theirs\n[mcp_servers.b]" in file.read_text()


def test_an_entry_that_is_there_keeps_what_the_person_added(tmp_path):
    text = (
        '{"mcpServers": {"capcli": {"command": "old", /* mine */ "timeout": 9,\n'
        f' "env": {{"CAP_ALLOW_TRADING": "true", "K": "{SECRET}"}} }}, "o": {{}}}}}}'
    )
    file = saved(tmp_path, "cursor", text)
    ours = {**OURS, "env": {"CAPCLI_HOME": "/data"}}
    edit = installation(BY_NAME["cursor"], ours, home(tmp_path))
    apply(edit, NOW)

    mine = parse(file.read_text(), toml=False)["mcpServers"]["capcli"]
    assert mine == {
        **OURS,
        "timeout": 9,
        "env": {"CAP_ALLOW_TRADING": "true", "K": SECRET, "CAPCLI_HOME": "/data"},
    }
    assert '"o": {}}}' in file.read_text()
    assert "/* mine */" in file.read_text()
    assert (edit.has_entry, SECRET in edit.diff()) == (True, False)


def test_a_toml_entry_is_brought_up_to_date_in_place(tmp_path):
    text = '[mcp_servers.capcli] # ours\ncommand = "old"  # here\nstartup_timeout_sec = 30\n\n[x]\ny = 1\n'
    file = saved(tmp_path, "codex", text)
    install(tmp_path, "codex")
    assert tomllib.loads(file.read_text())["mcp_servers"]["capcli"] == {**OURS, "startup_timeout_sec": 30}
    assert "# ours" in file.read_text()
    assert file.read_text().endswith("\n[x]\ny = 1\n")


@pytest.mark.parametrize("client", ["cursor", "codex", "claude-code"])
def test_the_diff_shows_our_lines_and_no_value_of_others(tmp_path, client):
    texts = {
        **{name: text for name, text in ODD_JSON.items() if SECRET in text},
        "line": f'{{"k": "{SECRET}"}}',
    }
    texts["odd"] = f'{{"mcpServers": {{\n "a": {{"b": 1}}, // don\'t "\n "c": {{"k": "{SECRET}"}}\n}}}}'
    for text in [ODD_TOML["a table"], f"k = '{SECRET}'"] if client == "codex" else texts.values():
        saved(tmp_path, client, text.replace("KEY", "mcpServers"))
        shown = installation(BY_NAME[client], OURS, home(tmp_path)).diff()
        assert SECRET not in shown
        assert shown.startswith("--- ")
    if client == "codex":
        assert '+command = "/opt/capcli/bin/capcli"' in shown


BROKEN = [
    ("cursor", '{"mcpServers": {\n "a": {} "b": {}}}', "line 2, column 10"),
    ("vscode", '{"servers": {', "line 1, column"),
    ("claude-desktop", "[1]", "not a JSON object"),
    ("claude-desktop", '{"mcpServers": []}', "not a table of servers"),
    ("windsurf", '{"mcpServers": null}', "not a table of servers"),
    ("gemini-cli", "[" * 200_000, "not valid JSON"),
    ("codex", '[mcp_servers.a]\nkey = "x\n', "line 2"),
    ("codex", 'mcp_servers = { a = { command = "x" } }\n', "by hand"),
]


@pytest.mark.parametrize(("client", "text", "where"), BROKEN, ids=[f"{row[0]} {row[2]}" for row in BROKEN])
def test_a_broken_config_is_left_alone_and_says_where(tmp_path, client, text, where):
    file = saved(tmp_path, client, text)
    with pytest.raises(ClientConfigBroken) as stopped:
        install(tmp_path, client)
    assert where in stopped.value.message
    assert "was not changed" in stopped.value.message
    assert file.read_text() == text
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_bytes_that_are_no_text_are_left_alone(tmp_path):
    file = saved(tmp_path, "cursor", "")
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ClientConfigBroken, match="not UTF-8"):
        install(tmp_path, "cursor")


@pytest.mark.parametrize("assistant", ASSISTANTS, ids=lambda each: each.name)
def test_a_client_that_is_not_there_is_told_and_one_without_a_config_gets_one(tmp_path, assistant):
    environ = home(tmp_path)
    with pytest.raises(ClientMissing, match="was not found: there is no folder"):
        installation(assistant, OURS, environ)
    assert list(tmp_path.iterdir()) == []
    file = config_file(assistant, environ)
    assert file is not None
    (tmp_path / ".claude" if assistant.name == "claude-code" else file.parent).mkdir(parents=True)

    assert install(tmp_path, assistant.name) is None

    assert parse(file.read_text(), toml=assistant.toml) == {assistant.key: {"capcli": OURS}}
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="modes and symlinks are Unix things")
def test_mode_and_symlink_stay_and_the_backup_is_private(tmp_path):
    file = saved(tmp_path, "cursor", '{"a": 1}')
    real = tmp_path / "dotfiles.json"
    file.rename(real)
    file.symlink_to(real)
    real.chmod(0o640)

    first, second = install(tmp_path, "cursor"), remove(tmp_path, "cursor")

    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("mcp.json.bak-20261125T070000Z", "mcp.json.bak-20261125T070000Z-2")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (first, second)} == {0o600}
    assert [each.name for each in real.parent.iterdir() if each.name.startswith(".dotfiles")] == []


def test_a_config_that_another_program_changes_meanwhile_is_not_overwritten(tmp_path):
    file = saved(tmp_path, "cursor", "{}")
    edit = installation(BY_NAME["cursor"], OURS, home(tmp_path))
    file.write_text('{"new": 1}')
    with pytest.raises(ConfigError, match="changed by another program"):
        apply(edit, NOW)
    assert file.read_text() == '{"new": 1}'


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs rights that can be taken")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    file = saved(tmp_path, "cursor", "{}")
    file.parent.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            install(tmp_path, "cursor")
    finally:
        file.parent.chmod(0o700)
    assert file.read_text() == "{}"


def test_clients_are_known_however_they_are_typed():
    typed = ("Claude Desktop", "claude_code", "VS Code", "vs-code", "gemini", "CODEX")
    assert [assistant_named(each).name for each in typed] == [
        *("claude-desktop", "claude-code", "vscode", "vscode", "gemini-cli", "codex"),
    ]
    with pytest.raises(UsageError, match="claude-desktop, claude-code, cursor"):
        assistant_named("claude")


def test_the_entry_names_a_full_path_and_carries_no_secret():
    environ = {"CAP_API_KEY": SECRET, "CAP_API_PASSWORD": SECRET, "CAPCLI_HOME": "/data"}
    found = entry(BY_NAME["vscode"], ("--env", "demo"), environ)
    assert Path(found["command"]).is_absolute()
    assert found["args"][-4:] == ["--env", "demo", "mcp", "serve"]
    assert (found["type"], found["env"]) == ("stdio", {"CAPCLI_HOME": str(Path("/data").absolute())})
    assert SECRET not in json.dumps(found)


def test_the_entry_carries_the_settings_and_the_folders_of_this_shell(tmp_path):
    environ = {
        "HOME": str(system.system_home()),
        "XDG_STATE_HOME": str(tmp_path / "states"),
        "CAP_ENV": "demo",
        "CAP_MAX_POSITION_SIZE": "2.5",
        "CAP_REQUIRE_STOP": " true ",
        "CAP_API_KEY": SECRET,
        "CAP_API_PASSWORD_CMD": f"echo {SECRET}",
        "CAP_IDENTIFIER_FILE": "/keys/identifier",
        "CAP_MAX_RISK_PCT": "much",
        "CAP_APPROVAL": "",
        "CAP_NOTIFY": "false",
        "CAP_NOTIFY_CMD": f"curl https://chat/{SECRET}",
        "HTTPS_PROXY": f"http://me:{SECRET}@proxy:3128",
    }
    found = entry(BY_NAME["cursor"], (), environ)
    assert found["env"] == {
        "XDG_STATE_HOME": str(tmp_path / "states"),
        "CAP_ENV": "demo",
        "CAP_MAX_POSITION_SIZE": "2.5",
        "CAP_REQUIRE_STOP": "true",
        "CAP_NOTIFY": "false",
        "CAP_IDENTIFIER_FILE": "/keys/identifier",
    }
    told = left_out(BY_NAME["cursor"], environ, None)
    assert [note.partition(" set here")[0] for note in told] == [
        "CAP_API_KEY and CAP_API_PASSWORD_CMD are",
        "CAP_NOTIFY_CMD is",
        "CAP_MAX_RISK_PCT is",
        "HTTPS_PROXY is",
    ]
    assert SECRET not in f"{found}{told}"


def test_codex_is_told_by_name_what_to_hand_on(tmp_path):
    """Codex starts its servers with no variables but those that the entry names."""
    environ = {**home(tmp_path), "CAPCLI_HOME": "/data", "CAP_API_KEY": SECRET, "SSL_CERT_FILE": "/ca.pem"}
    found = entry(BY_NAME["codex"], (), environ)
    session = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"] if sys.platform == "linux" else []
    assert found["env_vars"] == [*session, "CAP_API_KEY", "SSL_CERT_FILE"]
    assert left_out(BY_NAME["codex"], environ, None) == ()
    saved(tmp_path, "codex", 'model = "o"\n')
    edit = installation(BY_NAME["codex"], found, environ)
    apply(edit, NOW)
    assert tomllib.loads(edit.file.read_text())["mcp_servers"]["capcli"]["env_vars"] == found["env_vars"]
    assert SECRET not in edit.file.read_text()
    assert "CAP_API_KEY" in edit.diff()


def test_the_plan_shows_what_the_entry_carries(tmp_path):
    environ = {**home(tmp_path), "CAPCLI_HOME": "/data", "CAP_MAX_POSITION_SIZE": "2.5"}
    saved(tmp_path, "cursor", '{\n  "mcpServers": {\n    "o": {"env": {"CAP_X": "s3cret-token"}}\n  }\n}\n')
    planned = installation(BY_NAME["cursor"], entry(BY_NAME["cursor"], (), environ), environ).diff()
    assert '"CAP_MAX_POSITION_SIZE": "2.5"' in planned
    assert '"CAPCLI_HOME": "/data"' in planned
    assert SECRET not in planned


def test_another_server_that_starts_capcli_is_named(tmp_path):
    saved(tmp_path, "cursor", json.dumps({"mcpServers": {"trade": OURS}}))
    edit = installation(BY_NAME["cursor"], OURS, home(tmp_path))
    assert others(edit) == ("trade",)


class Layouts:
    """JSON of one person's taste: white space, comments and last commas where they may stand."""

    NAMES = ("a", "b", "c d", "capcli2", "\\u0061x", "mcp")
    VALUES = ("1", '"a"', "null", '"x\\"}{,//"', '"/* */"', "true", "-1.5e3")
    GAPS = (" ", "\n", "\t", "\r\n", "", '/* c " { */', '// d , } "\n')

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)

    def gap(self) -> str:
        return "".join(self.dice.choices(self.GAPS, k=self.dice.randint(0, 2)))

    def value(self, depth: int) -> str:
        kind = self.dice.randint(0, 6)
        if depth > 3 or kind < 3:
            return self.dice.choice(self.VALUES)
        if kind < 5:
            return self.object(depth + 1)
        items = [self.gap() + self.value(depth + 1) for _ in range(self.dice.randint(0, 3))]
        return self._closed("[", items, "]")

    def object(self, depth: int, servers: str | None = None) -> str:
        names = self.dice.sample(self.NAMES, self.dice.randint(0, 3))
        fields = [self._field(name, self.value(depth + 1)) for name in names]
        if servers and self.dice.random() < 0.7:
            fields.insert(self.dice.randint(0, len(fields)), self._field(servers, self.object(1)))
        return self._closed("{", fields, "}")

    def _field(self, name: str, value: str) -> str:
        return f'{self.gap()}"{name}"{self.gap()}:{self.gap()}{value}{self.gap()}'

    def _closed(self, begin: str, items: list[str], end: str) -> str:
        last = "," if items and self.dice.random() < 0.4 else ""
        return f"{begin}{','.join(items)}{last}{self.gap()}{end}"


def survives(tmp_path: Path, text: str) -> None:
    file = saved(tmp_path, "vscode", text)
    install(tmp_path, "vscode")
    once = file.read_text()
    install(tmp_path, "vscode")
    assert file.read_text() == once
    remove(tmp_path, "vscode")
    assert file.read_bytes() == text.encode(), text
    for each in file.parent.glob("*.bak-*"):
        each.unlink()
    file.write_text(once)
    remove(tmp_path, "vscode")
    left, before = parse(file.read_text(), toml=False), parse(text, toml=False)
    assert {**left, "servers": left.get("servers", {})} == {**before, "servers": before.get("servers", {})}


def test_layouts_at_random_survive(tmp_path):
    for seed in range(25):
        survives(tmp_path, Layouts(seed).object(0, "servers"))


@pytest.mark.soak
def test_thousands_of_layouts_survive(tmp_path):
    for seed in range(25, 5000):
        survives(tmp_path, Layouts(seed).object(0, "servers"))
