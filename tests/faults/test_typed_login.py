"""The guided login at a real terminal: what is typed at a hidden question is not on the screen."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.served import served
from tests.support.launched import as_own_user
from tests.support.paths import IMPORT_PATH

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing"),
]


class Screen:
    """The person's side of a terminal."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.text = ""

    def until(self, question: str) -> None:
        """Read on until a question stands there, not the one that was answered before."""
        begin, end = len(self.text), time.monotonic() + 20
        while question not in self.text[begin:]:
            assert time.monotonic() < end, self.text
            if not select.select([self._handle], [], [], 1)[0]:
                continue
            try:
                self.text += os.read(self._handle, 4096).decode(errors="replace")
            except OSError:
                assert question in self.text[begin:], self.text

    def type(self, answer: str) -> None:
        time.sleep(0.7)  # a person is slower than half a second, before which nothing counts
        os.write(self._handle, f"{answer}\n".encode())


def test_a_person_types_and_the_secrets_are_not_shown(tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    with served(tmp_path / "paper.db") as (host, port):
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TERM": "xterm",
            "CAPCLI_HOME": str(tmp_path / "capcli"),
            "PYTHONPATH": IMPORT_PATH,
            "PYTHON_KEYRING_BACKEND": "tests.credentials.stores.Store",
            "CAP_API_URL": f"http://{host}:{port}",
        }
        words = [sys.executable, *as_own_user(), "-m", "capcli", "login", "--env", "demo"]
        pipes = {"stdin": slave, "stdout": slave, "stderr": slave}
        with subprocess.Popen(words, env=environ, start_new_session=True, **pipes) as process:
            os.close(slave)
            screen = Screen(master)
            for password in ("login-password-5", "paper"):
                for question, answer in (
                    ("API key (hidden): ", "paper"),
                    ("E-mail address of the account: ", "paper"),
                    ("API key's own password (hidden): ", password),
                ):
                    screen.until(question)
                    screen.type(answer)
            screen.until("capcli health")
            assert process.wait(timeout=20) == 0
    os.close(master)
    assert "Authentication failed" in screen.text
    assert "Type all three again" in screen.text
    assert "login-password-5" not in screen.text
    assert "Logged in on demo; the credentials are in the keychain." in screen.text
