"""What macOS has otherwise than Linux, on a system that only claims to be it."""

import errno
import subprocess
import sys

import pytest

from capcli import system
from tests.support.paths import IMPORT_PATH

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX system claims to be another")

FOLDERS = """
import sys
sys.platform = "darwin"
from capcli.system import folders
found = folders({"HOME": "/Users/me"})
print(found.config, found.state, found.cache, found.runtime, sep="|")
"""


def test_files_lie_in_the_library():
    done = subprocess.run(
        [sys.executable, "-c", FOLDERS],
        env={"PYTHONPATH": IMPORT_PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    library = "/Users/me/Library"
    kept = f"{library}/Application Support/capcli"
    assert done.stdout.strip() == f"{kept}|{kept}|{library}/Caches/capcli|None"


@pytest.mark.parametrize("refused", [None, errno.ENOTSUP])
def test_what_must_hold_over_a_power_cut_leaves_the_drives_cache(refused, monkeypatch, tmp_path):
    import fcntl

    asked = []

    def control(_descriptor: int, command: int) -> int:
        asked.append(command)
        if refused:
            raise OSError(refused, "not supported")
        return 0

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    system.put_in_place(tmp_path / "facts", b"{}", durable=True)
    system.sync_folder(tmp_path)
    assert asked == [51, 51]
    assert (tmp_path / "facts").read_bytes() == b"{}"
