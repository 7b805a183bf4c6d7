"""`record` shows a recording and writes it when a person says so; `paper check` reads it back."""

import json
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

PLANTED = {
    "accountName": "Ada Lovelace",
    "accountId": "353210987654321123",
    "owner": "ada@example.org",
    "balance": "10234.56",
}


@pytest.fixture
def planted(logged_in: Any) -> Any:
    """Give the account a name, a number and money of its own, in a field that nobody knows."""
    inner = logged_in.tap._inner

    def accounts(request: httpx.Request) -> httpx.Response:
        answer = inner.handle_request(request)
        body = json.loads(answer.content)
        body["accounts"][0] |= PLANTED | {"balance": body["accounts"][0]["balance"] | {"deposit": 10234.56}}
        return httpx.Response(200, json=body, headers={"date": answer.headers["date"]})

    logged_in.tap.breaks("GET", "/accounts", before=accounts)
    return logged_in


def test_a_recording_is_written_after_it_was_shown(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    done = planted.at_terminal("record", str(file), typed="y\n")
    assert done.code == 0, done.err
    text = file.read_text()
    assert text.strip() in done.out
    assert "This is all that is recorded." in done.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [value for value in PLANTED.values() if value in text]
    assert "<text 12>" in text
    assert {request.method for request in planted.tap.requests} == {"GET"}


def test_what_was_recorded_shows_no_difference(logged_in: Any, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    assert logged_in.at_terminal("record", str(file), typed="y\n").code == 0
    found = logged_in.capcli("paper", "check", str(file), "--json")
    assert (found.code, found.data["differences"]) == (0, [])
    assert "No difference in 19 answers." in logged_in.capcli("paper", "check", str(file)).out


def test_what_is_new_is_a_table(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    assert planted.at_terminal("record", str(file), typed="y\n").code == 0
    shown = planted.capcli("paper", "check", str(file)).out
    assert "GET /accounts" in shown
    assert "no such field" in shown


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_without_a_yes_nothing_is_written(logged_in: Any, tmp_path: Path, typed: str) -> None:
    file = tmp_path / "answers.json"
    done = logged_in.at_terminal("record", str(file), typed=typed)
    assert (done.code, file.exists()) == (5, False)
    assert "nothing was written" in done.err


def test_a_recording_takes_a_terminal(logged_in: Any, tmp_path: Path) -> None:
    done = logged_in("record", str(tmp_path / "answers.json"))
    assert (done.code, done.error["code"]) == (5, "NOT_CONFIRMED")
    assert logged_in.tap.requests == []


def test_a_recording_is_made_on_demo_only(capcli: Any, tmp_path: Path) -> None:
    done = capcli("record", str(tmp_path / "answers.json"), typed="y\n")
    assert done.code == 2
    assert "A recording is made on demo, and this is paper. Nothing was read." in done.err


def test_a_file_that_is_there_is_kept(logged_in: Any, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text("mine")
    done = logged_in.at_terminal("record", str(file), typed="y\n")
    assert (done.code, file.read_text(), logged_in.tap.requests) == (2, "mine", [])


def test_a_place_that_cannot_be_written_is_told(logged_in: Any, tmp_path: Path) -> None:
    done = logged_in.at_terminal("record", str(tmp_path / "no" / "answers.json"), typed="y\n")
    assert done.code == 3
    assert "cannot be written: No such file or directory." in done.err


def test_a_file_that_is_no_recording_is_refused(capcli: Any, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_bytes(b"\xff\xfe")
    assert capcli("paper", "check", str(tmp_path / "other.json")).code == 2
    assert capcli("paper", "check", str(tmp_path / "none.json")).code == 2
