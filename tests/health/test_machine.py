"""The checks of this computer that need a keychain or a limit to look at."""

from datetime import timedelta

import keyring
import pytest

from capcli.app import App
from capcli.credentials.source import store_credentials
from capcli.health.service import HealthCheck
from capcli.ports.login import Credentials
from capcli.runtime import Runtime
from capcli.settings import Env
from tests.credentials.stores import Store
from tests.support.clock import START, Time


@pytest.fixture
def stored(monkeypatch):
    """A key that was stored when time began."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", Store())
    store_credentials("main", Env.DEMO, Credentials("k3yk3yk3y", "a@example.com", "pa55"), at=START)


def check(tmp_path, name: str, *, days: int = 0, **environ: str) -> HealthCheck:
    time = Time()
    time.tick(timedelta(days=days).total_seconds())
    runtime = Runtime(clock=time.now, sleep=time.sleep, monotonic=time.monotonic)
    environ = {"CAPCLI_HOME": str(tmp_path / "home"), "CAP_ENV": "demo"} | environ
    with_needs = App.build(environ=environ, runtime=runtime).health.run((name,)).data.checks
    return next(each for each in with_needs if each.name == name)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("days", "status", "says"),
    [
        (0, "ok", "stored 2026-03-02, 0 days ago"),
        (334, "ok", "334 days ago"),
        (335, "warning", "ends in about 30 days"),
        (366, "warning", "is over"),
    ],
)
def test_a_key_is_warned_of_in_the_last_days_of_its_year(tmp_path, days, status, says):
    found = check(tmp_path, "key_age", days=days)
    assert (found.status.value, says in found.message) == (status, True)


def test_the_age_of_a_key_in_the_environment_is_not_known(tmp_path):
    login = {"CAP_API_KEY": "k", "CAP_IDENTIFIER": "u", "CAP_API_PASSWORD": "p"}
    assert check(tmp_path, "key_age", **login).message.startswith("not known")


@pytest.mark.usefixtures("stored")
def test_the_keychain_in_use_is_named(tmp_path):
    assert check(tmp_path, "keychain").message.endswith("Store")


def test_a_keychain_that_is_missing_is_a_failure_only_where_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert check(tmp_path, "keychain").code == "KEYCHAIN_MISSING"
    assert check(tmp_path, "keychain", CAP_API_KEY="k").status.value == "ok"
    assert check(tmp_path, "keychain", CAP_ENV="paper").status.value == "ok"


def test_live_without_any_limit_is_a_warning(tmp_path):
    assert check(tmp_path, "limits", CAP_ENV="live").status.value == "warning"
    assert check(tmp_path, "limits", CAP_ENV="live", CAP_MAX_POSITION_SIZE="1").status.value == "ok"
    assert check(tmp_path, "limits").status.value == "ok"


def test_a_state_folder_that_takes_no_file_is_not_called_writable(tmp_path):
    resource = pytest.importorskip("resource")
    assert check(tmp_path, "state_folder").message.endswith("is private and writable")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        found = check(tmp_path, "state_folder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (found.status.value, found.code) == ("failed", "STATE_FOLDER")
    assert f"{tmp_path / 'home'} cannot be written to" in found.message
    assert "CAPCLI_HOME" in found.message
    assert list((tmp_path / "home").glob(".health-*")) == []


def test_who_announces_what_waits_is_named_and_a_missing_program_is_a_warning(tmp_path):
    program = tmp_path / "notify-send"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    nothing = check(tmp_path, "notifications", PATH="/nonexistent")
    assert (nothing.status.value, "capcli approve --watch" in nothing.message) == ("ok", True)
    missing = check(tmp_path, "notifications", CAP_NOTIFY_CMD="/nonexistent/tell --token t0ken")
    assert (missing.status.value, "t0ken" in missing.message) == ("warning", False)
    both = check(tmp_path, "notifications", CAP_NOTIFY_CMD=f"{program} --token t0ken", PATH=str(tmp_path))
    assert (both.status.value, both.message.endswith(f"{program} (CAP_NOTIFY_CMD)")) == ("ok", True)
    assert "t0ken" not in both.message
