"""The guided login at a real terminal: what is typed at a hidden question is not on the screen."""

import os
import sys
from pathlib import Path

import pytest

from tests.faults.served import served
from tests.support.paths import IMPORT_PATH
from tests.support.screen import terminal

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing"),
]


def test_a_person_types_and_the_secrets_are_not_shown(tmp_path: Path) -> None:
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
        with terminal(environ, "login", "--env", "demo") as (screen, process, _):
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
    assert "Authentication failed" in screen.text
    assert "Type all three again" in screen.text
    assert "login-password-5" not in screen.text
    assert "Logged in on demo; the credentials are in the keychain." in screen.text
