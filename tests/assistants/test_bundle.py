"""The bundle is a valid zip with capcli's code and a form, and no secret of this computer."""

import json
import tomllib
import zipfile
from io import BytesIO

import pytest

from capcli.app import App
from capcli.assistants.bundle import bundle, write
from capcli.errors import CredentialsMissing, OutputUnusable
from capcli.settings import BUNDLE_FIELDS, filled_in

TOOLS = [("cap_health", "Why does it not work?")]
REQUIRED = {"manifest_version", "name", "version", "description", "author", "server"}
KNOWN = REQUIRED | {"display_name", "long_description", "license", "keywords", "tools", "prompts_generated"}
LINKS = {"icon", "documentation", "privacy_policies"}


@pytest.fixture(scope="module")
def archive():
    return zipfile.ZipFile(BytesIO(bundle(TOOLS).content))


@pytest.fixture(scope="module")
def manifest(archive):
    return json.loads(archive.read("manifest.json"))


def test_the_manifest_has_what_the_format_wants_and_nothing_else(manifest):
    assert set(manifest) == KNOWN | LINKS | {"compatibility", "user_config"}
    server = manifest["server"]
    assert (manifest["manifest_version"], server["type"]) == ("0.4", "uv")
    assert set(server) == {"type", "entry_point", "mcp_config"}
    assert server["mcp_config"]["args"][-4:] == ["-m", "capcli", "mcp", "serve"]
    assert manifest["tools"] == [{"name": "cap_health", "description": "Why does it not work?"}]


def test_it_has_an_icon_links_and_a_word_on_privacy(archive, manifest):
    icon = archive.read(manifest["icon"])
    assert icon.startswith(b"\x89PNG")
    assert int.from_bytes(icon[16:20]) == int.from_bytes(icon[20:24]) == 512
    assert len(icon) < 20_000
    assert all(
        link.startswith("https://") for link in (manifest["documentation"], *manifest["privacy_policies"])
    )
    assert "collects nothing" in manifest["long_description"]


def test_the_form_asks_for_the_six_fields_and_requires_none(manifest):
    form = manifest["user_config"]
    assert {key: field.get("default") for key, field in form.items()} == {
        "api_key": None,
        "api_password": None,
        "identifier": None,
        "env": "demo",
        "allow_trading": False,
        "allowed_epics": "",
    }
    assert {key for key, field in form.items() if field.get("sensitive")} == {"api_key", "api_password"}
    assert not any(field["required"] for field in form.values())
    assert form["allow_trading"]["type"] == "boolean"
    assert manifest["server"]["mcp_config"]["env"]["CAP_API_KEY"] == "${user_config.api_key}"


def test_it_holds_the_code_and_the_names_of_the_libraries(archive, manifest):
    names = set(archive.namelist())
    assert {manifest["server"]["entry_point"], "capcli/mcp/server.py", "pyproject.toml"} <= names
    assert not [name for name in names if "__pycache__" in name or ".env" in name or name.startswith("/")]
    project = tomllib.loads(archive.read("pyproject.toml").decode())
    assert any(need.startswith("fastmcp") for need in project["project"]["dependencies"])
    assert not any("extra" in need for need in project["project"]["dependencies"])
    assert project["tool"]["uv"] == {"package": False}


def test_the_same_code_gives_the_same_bytes_and_no_secret_of_the_environment(monkeypatch):
    first = bundle(TOOLS).content
    monkeypatch.setenv("CAP_API_PASSWORD", "s3cret-of-this-machine")
    assert bundle(TOOLS).content == first
    with zipfile.ZipFile(BytesIO(first)) as archive:
        assert not [name for name in archive.namelist() if b"s3cret-of-this-machine" in archive.read(name)]


def test_a_file_that_is_no_bundle_of_ours_is_left_alone(tmp_path):
    file = tmp_path / "notes.mcpb"
    file.write_text("mine")
    with pytest.raises(OutputUnusable, match="not a capcli bundle"):
        write(file, b"x")
    assert file.read_text() == "mine"
    file.unlink()
    content = bundle(TOOLS).content
    write(file, content)
    write(file, content)
    assert file.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["notes.mcpb"]
    with pytest.raises(OutputUnusable, match="cannot be written"):
        write(tmp_path / "none" / "x.mcpb", content)


@pytest.mark.parametrize("left", ["", " ", None], ids=["empty", "blank", "placeholder"])
def test_fields_left_empty_break_no_setting(own_home, left):
    form = {
        field.variable: f"${{user_config.{field.key}}}" if left is None else left for field in BUNDLE_FIELDS
    }
    app = App.build(environ=filled_in({"CAPCLI_HOME": str(own_home), **form}))
    assert app.env == "paper"
    assert (app.settings.allowed_epics, app.settings.allow_trading) == (None, True)
    demo = App.build(
        environ=filled_in(
            {"CAPCLI_HOME": str(own_home), **form, "CAP_ENV": "demo", "CAP_ALLOW_TRADING": "false"}
        )
    )
    assert (demo.env, demo.settings.allow_trading, demo.credentials.in_keychain) == ("demo", False, True)


def test_half_a_form_names_what_is_missing(own_home):
    form = {"CAP_API_KEY": "abc", "CAP_API_PASSWORD": "${user_config.api_password}", "CAP_IDENTIFIER": ""}
    with pytest.raises(CredentialsMissing, match="not CAP_IDENTIFIER and CAP_API_PASSWORD"):
        App.build(environ=filled_in({"CAPCLI_HOME": str(own_home), **form})).credentials.load()
    assert filled_in({"CAP_ENV": "${ENV}"}) == {"CAP_ENV": "${ENV}"}
