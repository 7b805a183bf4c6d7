"""Every file is its user's own, whatever the umask says."""

import os
import stat
import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import KEYS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_no_file_is_open_to_others(capcli, demo, keychain, no_umask, tmp_path):
    deal = capcli.bought("--stop", "24.50")
    for words in (
        ("close", deal, "--confirm"),
        ("watchlists",),
        ("accounts",),
        ("halt",),
        ("config", "set", "CAP_LOG_LEVEL", "ERROR"),
        ("prices", "SILVER", "--from", "2026-11-20", "--output", str(capcli.home / "out.csv")),
    ):
        assert capcli(*words).code == 0, words
    assert demo("login", "--stdin", stdin=KEYS).code == 0
    assert demo("positions", env={"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "p", "CAP_API_PASSWORD": "paper"})

    found = [path for top in (capcli.home, tmp_path / "run") for path in top.rglob("*")]
    names = {path.name for path in found}
    assert {"journal.db", "paper.db", "halted", "config.toml", "told-no-limits", "out.csv"} <= names
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in found}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
