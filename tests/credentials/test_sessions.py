"""Session tokens in a private file: used only when nobody else could have written or read them."""

import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.credentials.sessions import FileSessionCache
from capcli.ports.login import StoredSession

SESSION = StoredSession(
    "cst-S3cr3t", "tok-S3cr3t", "42", "7", "USD", 60, datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes and links")


@pytest.fixture
def cache(tmp_path: Path) -> FileSessionCache:
    return FileSessionCache(tmp_path / "capcli", "fingerprint|demo|https://host")


def file_of(cache: FileSessionCache) -> Path:
    assert cache.file is not None
    return cache.file


def test_session_comes_back(cache):
    assert cache.load() is None
    cache.save(SESSION)
    assert cache.load() == SESSION
    assert cache.describe() == f"file {cache.file}"


def test_keys_do_not_share_sessions_or_show_in_the_name(cache):
    cache.save(SESSION)
    other = FileSessionCache(cache.folder, "fingerprint|live|https://host")
    assert other.load() is None
    assert "fingerprint" not in file_of(cache).name
    assert FileSessionCache(cache.folder, "../../x\0\n").file is not None


def test_dropped_session_is_gone(cache):
    cache.save(SESSION)
    cache.drop()
    cache.drop()
    assert cache.load() is None


def test_newer_session_replaces_the_older(cache):
    cache.save(SESSION)
    cache.save(replace(SESSION, cst="new"))
    loaded = cache.load()
    assert loaded is not None
    assert loaded.cst == "new"
    assert [path.name for path in file_of(cache).parent.iterdir()] == [file_of(cache).name]


def test_nothing_is_kept_without_a_folder():
    cache = FileSessionCache(None, "key")
    cache.save(SESSION)
    cache.drop()
    assert cache.load() is None
    assert cache.describe().startswith("not cached")


@posix
def test_file_and_folder_are_private(cache):
    before = os.umask(0)
    cache.save(SESSION)
    os.umask(before)
    assert stat.S_IMODE(file_of(cache).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(cache).parent.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_file_that_others_can_open_is_not_believed(cache, mode):
    cache.save(SESSION)
    file_of(cache).chmod(mode)
    assert cache.load() is None


@posix
def test_folder_that_others_can_enter_is_not_believed_and_closed_on_save(cache):
    cache.save(SESSION)
    file_of(cache).parent.chmod(0o755)
    assert cache.load() is None
    cache.save(SESSION)
    assert cache.load() == SESSION


@posix
def test_linked_file_or_folder_is_not_used(cache, tmp_path):
    cache.save(SESSION)
    real = file_of(cache)
    linked = FileSessionCache(tmp_path / "link", cache.key)
    (tmp_path / "link").symlink_to(real.parent)
    assert linked.load() is None
    assert linked.describe().startswith("not cached")
    aside = tmp_path / "aside"
    real.rename(aside)
    real.symlink_to(aside)
    assert cache.load() is None
    cache.save(SESSION)
    assert not real.is_symlink()
    assert cache.load() == SESSION


@posix
@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="chown takes root")
def test_another_user_s_file_or_folder_is_not_used(cache, tmp_path):
    cache.save(SESSION)
    os.chown(file_of(cache), 12345, 12345)
    assert cache.load() is None
    os.chown(file_of(cache).parent, 12345, 12345)
    cache.save(SESSION)
    assert cache.load() is None
    foreign = tmp_path / "run"
    foreign.mkdir()
    os.chown(foreign, 12345, 12345)
    sudo = FileSessionCache(foreign / "capcli", "key")
    sudo.save(SESSION)
    assert list(foreign.iterdir()) == []
    assert sudo.describe().startswith("not cached")


@posix
def test_pipe_in_the_file_s_place_does_not_hang(cache):
    cache.save(SESSION)
    file_of(cache).unlink()
    os.mkfifo(file_of(cache), 0o600)
    assert cache.load() is None


def test_unusable_places_cost_a_login_and_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        cache = FileSessionCache(folder, "key")
        cache.save(SESSION)
        cache.drop()
        assert cache.load() is None
        assert cache.describe().startswith("not cached")


@given(st.binary(max_size=200) | st.sampled_from([b"{}", b"[]", b"null", b"[" * 9000, b"x" * 20000]))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_any_content_is_a_session_or_none(cache, content):
    cache.save(SESSION)
    file_of(cache).write_bytes(content)
    assert cache.load() is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("cst", 1), ("timezone_offset", "60"), ("timezone_offset", True), ("created_at", "2026-01-01T00:00:00")],
)
def test_field_of_another_kind_is_not_believed(cache, field, value):
    import json

    cache.save(SESSION)
    fields = json.loads(file_of(cache).read_text()) | {field: value}
    file_of(cache).write_text(json.dumps(fields))
    assert cache.load() is None
