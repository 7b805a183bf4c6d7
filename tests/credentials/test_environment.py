"""Credentials from the environment."""

import os
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.credentials.environment import identity, read, variables
from capcli.errors import CapcliError, CredentialsMissing, SettingInvalid
from capcli.ports.login import Credentials

KEY, USER, PASSWORD = "kEy-0123456789abcd", "jane@example.com", "pl4in Secr3t!"
PLAIN = {"CAP_API_KEY": KEY, "CAP_IDENTIFIER": USER, "CAP_API_PASSWORD": PASSWORD}
WANTED = Credentials(KEY, USER, PASSWORD)

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes and links")


def without(name: str, **others: str) -> dict[str, str]:
    return {key: text for key, text in PLAIN.items() if key != name} | others


def secret_file(folder: Path, content: str = PASSWORD + "\n", mode: int = 0o600) -> Path:
    path = folder / "password file"
    path.write_text(content)
    path.chmod(mode)
    return path


def from_file(path: object) -> dict[str, str]:
    return without("CAP_API_PASSWORD", CAP_API_PASSWORD_FILE=str(path))


def from_command(code: str, *words: str) -> dict[str, str]:
    argv = [sys.executable, "-c", code, *words]
    return without("CAP_API_PASSWORD", CAP_API_PASSWORD_CMD=" ".join(f'"{word}"' for word in argv))


def refusal(environ: dict[str, str], **options: float) -> SettingInvalid:
    with pytest.raises(SettingInvalid) as caught:
        read(environ, **options)
    return caught.value


def test_nothing_set_is_no_source():
    assert read({}) is None
    assert read({"CAP_API_KEY": "", "CAP_ENV": "demo"}) is None
    assert (variables({}), identity({})) == ((), None)


def test_plain_variables_are_taken():
    assert read(PLAIN) == WANTED
    assert read({**PLAIN, "CAP_API_PASSWORD": PASSWORD + "\r\n"}) == WANTED


@pytest.mark.parametrize("name", PLAIN)
def test_incomplete_set_names_what_is_missing(name):
    with pytest.raises(CredentialsMissing) as caught:
        read(without(name))
    assert caught.value.details["missing"] == [name]
    assert f"not {name}." in caught.value.message
    assert caught.value.exit_code == 3


def test_two_missing_are_both_named_before_any_command_runs(tmp_path):
    mark = tmp_path / "ran"
    command = f"{sys.executable} -c \"open(r'{mark}', 'w')\""
    with pytest.raises(CredentialsMissing, match="not CAP_API_KEY and CAP_IDENTIFIER"):
        read({"CAP_API_PASSWORD_CMD": command})
    assert not mark.exists()


@pytest.mark.parametrize("ending", ["_FILE", "_CMD"])
def test_two_places_for_one_name_are_refused(ending):
    error = refusal({**PLAIN, "CAP_API_KEY" + ending: "/x"})
    assert f"CAP_API_KEY and CAP_API_KEY{ending} are both set" in error.message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CAP_API_KEY", "${user_config.api_key}", "placeholder"),
        ("CAP_API_KEY", "your_api_key_here", "placeholder"),
        ("CAP_API_PASSWORD", "ENTER_YOUR_PASSWORD", "placeholder"),
        ("CAP_IDENTIFIER", "<your e-mail>", "placeholder"),
        ("CAP_API_PASSWORD", f"'{PASSWORD}'", "wrapped in quotes"),
        ("CAP_API_KEY", f'"{KEY}"', "wrapped in quotes"),
        ("CAP_API_KEY", f"\u201c{KEY}\u201d", "wrapped in quotes"),
        ("CAP_API_KEY", f" {KEY}", "surrounded by spaces"),
        ("CAP_API_KEY", "my key", "not an API key"),
        ("CAP_API_PASSWORD", "two\nlines", "more than one line"),
    ],
)
def test_slip_is_named_and_the_value_is_not_repeated(name, value, said):
    error = refusal({**PLAIN, name: value})
    assert said in error.message
    assert name in error.message
    assert value not in error.message


@pytest.mark.parametrize("password", ["bang!bang", "a b", "pä55wörd", "quo'te", '"', "$HOME", "#x", "{}"])
def test_unusual_passwords_are_taken_as_they_are(password):
    assert read({**PLAIN, "CAP_API_PASSWORD": password}) == Credentials(KEY, USER, password)


def test_file_is_read_without_its_newline(tmp_path):
    assert read(from_file(secret_file(tmp_path))) == WANTED


@posix
def test_file_that_others_can_open_is_refused_with_the_fix(tmp_path):
    path = secret_file(tmp_path, mode=0o640)
    error = refusal(from_file(path))
    assert "mode 0640, 0600 is required" in error.message
    assert error.next == f"chmod 600 '{path}'"


@posix
@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="chown takes root")
def test_file_of_another_user_is_refused(tmp_path):
    path = secret_file(tmp_path)
    os.chown(path, 12345, 12345)
    assert "belongs to another user" in refusal(from_file(path)).message


@posix
def test_link_pipe_and_folder_are_refused_without_waiting(tmp_path):
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(secret_file(tmp_path))
    os.mkfifo(pipe, 0o600)
    assert "symbolic link" in refusal(from_file(link)).message
    assert "not a regular file" in refusal(from_file(pipe)).message
    assert "not a regular file" in refusal(from_file(tmp_path)).message


def test_file_with_too_much_or_no_text_is_refused(tmp_path):
    assert "4096 bytes" in refusal(from_file(secret_file(tmp_path, "x" * 5000))).message
    (tmp_path / "password file").write_bytes(b"\xff\xfe")
    assert "4096 bytes" in refusal(from_file(tmp_path / "password file")).message
    assert "empty" in refusal(from_file(secret_file(tmp_path, "\n"))).message


def test_file_is_never_looked_up_in_the_current_directory(tmp_path, monkeypatch):
    secret_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "full path" in refusal(from_file("password file")).message


def test_secret_in_the_wrong_variable_is_not_repeated():
    for ending in ("_FILE", "_CMD"):
        for value in (PASSWORD, "/" + PASSWORD.replace(" ", "")):
            error = refusal(without("CAP_API_PASSWORD", **{"CAP_API_PASSWORD" + ending: value}))
            assert value not in str(error.problem())


@pytest.mark.parametrize("form", [str.lower, str.upper])
def test_systemd_credentials_are_read(tmp_path, form):
    for name, text in PLAIN.items():
        (tmp_path / form(name)).write_text(text + "\n")
        (tmp_path / form(name)).chmod(0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read(environ) == WANTED
    assert identity(environ) == WANTED.fingerprint
    assert variables(environ)[0] == f"CREDENTIALS_DIRECTORY/{form('cap_api_key')}"


def test_sources_of_the_environment_may_be_mixed(tmp_path):
    (tmp_path / "cap_api_password").write_text(PASSWORD)
    assert read(without("CAP_API_PASSWORD", CREDENTIALS_DIRECTORY=str(tmp_path))) == WANTED


def test_command_prints_the_secret():
    assert read(from_command(f"print('{PASSWORD}')")) == WANTED


def test_command_runs_without_a_shell_input_or_credentials():
    code = "import os,sys; print(sys.argv[1], repr(sys.stdin.read()), 'CAP_API_KEY' in os.environ)"
    found = read(from_command(code, "$HOME;`id`"))
    assert found is not None
    assert found.password == "$HOME;`id` '' False"


def test_command_that_does_not_end_is_stopped():
    error = refusal(from_command("import time; time.sleep(3600)"), deadline_s=0.2)
    assert "did not end within 0.2 s" in error.message


def test_a_failing_command_repeats_nothing_that_it_wrote_on_stderr():
    error = refusal(from_command("import sys; sys.exit('wrong: s3cr3t-on-stderr')"))
    assert "ended with exit code 1; run it by hand" in error.message
    assert "s3cr3t" not in str(error.problem())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/nonexistent/pass show capital", "cannot be started"),
        ("no-such-command-7f3 x", "cannot be started"),
        ("./get-secret", "current directory"),
        ("pass 'show", "a quote is not closed"),
    ],
)
@posix
def test_command_that_cannot_run_is_named(command, said):
    assert said in refusal(without("CAP_API_PASSWORD", CAP_API_PASSWORD_CMD=command)).message


def test_command_with_no_or_unreadable_output_is_refused():
    assert "empty" in refusal(from_command("pass")).message
    code = "import sys; sys.stdout.buffer.write(bytes([255]))"
    assert "not UTF-8" in refusal(from_command(code)).message


def test_identity_runs_no_command(tmp_path):
    mark = tmp_path / "ran"
    environ = from_command(f"open(r'{mark}', 'w')")
    assert identity(environ) == identity(environ) != identity(PLAIN)
    assert not mark.exists()


@given(
    st.sampled_from([*PLAIN, *(f"{name}{end}" for name in PLAIN for end in ("_FILE", "_CMD"))]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=6).map(
        "S3cr3t ".__add__
    ),
)
def test_no_refusal_repeats_a_value(name, value):
    environ = {key: text for key, text in PLAIN.items() if not name.startswith(key)} | {name: value}
    try:
        read(environ, deadline_s=5)
    except CapcliError as error:
        told = "".join(traceback.format_exception(error)) + repr(error) + str(error.problem())
    else:
        told = ""
    assert "S3cr3t " not in told
