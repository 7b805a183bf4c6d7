"""One yes, many processes: what a person approved once leaves once, by the paper broker's own count."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import Child
from tests.support.launched import as_own_user

pytestmark = pytest.mark.faults

_MANY = 8


def start(home: Path, *words: str) -> "subprocess.Popen[bytes]":
    environ = {"CAPCLI_HOME": str(home), "PATH": os.environ["PATH"], "CAP_APPROVAL": "human"}
    command = [sys.executable, *as_own_user(), "-m", "capcli", *words, "--json"]
    return Child(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(home: Path, *words: str) -> Any:
    out, _ = start(home, *words).communicate(timeout=60)
    return json.loads(out)


def together(home: Path, *words: str) -> list[Any]:
    return [
        json.loads(one.communicate(timeout=120)[0]) for one in [start(home, *words) for _ in range(_MANY)]
    ]


def approve(home: Path, code: str) -> None:
    """Sign as the terminal does; no process without one can."""
    from capcli.app import App

    app = App.build(environ={"CAPCLI_HOME": str(home), "CAP_APPROVAL": "human"})
    app.approvals.decide(code, approved=True, by="a test")
    app.close()


def asked(reply: Any) -> str:
    assert reply["error"]["code"] == "APPROVAL_REQUIRED", reply
    return str(reply["error"]["details"]["approval_code"])


def test_one_approval_of_a_change_sends_one_of_many(tmp_path: Path) -> None:
    words = ("accounts", "topup", "5", "--confirm")
    before = run(tmp_path, "accounts")["data"]["accounts"][0]["cash"]
    approve(tmp_path, asked(run(tmp_path, *words)))

    replies = together(tmp_path, *words)

    assert [reply["ok"] for reply in replies].count(True) == 1, replies
    assert run(tmp_path, "accounts")["data"]["accounts"][0]["cash"] == before + 5


def test_one_approval_of_a_preview_opens_one_position(tmp_path: Path) -> None:
    preview_id = run(tmp_path, "preview", "SILVER", "--size", "1.5")["data"]["preview_id"]
    words = ("execute", preview_id, "--confirm")
    code = asked(run(tmp_path, *words))
    assert {asked(reply) for reply in together(tmp_path, *words)} != set()
    assert run(tmp_path, "positions")["data"]["positions"] == []
    approve(tmp_path, code)

    together(tmp_path, *words)

    assert len(run(tmp_path, "positions")["data"]["positions"]) == 1
    assert run(tmp_path, "approve")["data"]["approvals"] == []
