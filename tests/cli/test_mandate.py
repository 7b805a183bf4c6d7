"""`capcli mandate`: a person grants on a terminal, in fixed amounts and until a local time."""

import re
import stat
import sys
import time as machine
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TERMS = ("--epics", "SILVER,GOLD", "--risk", "0.5%", "--total-risk", "200USD", "--orders", "2")
HUMAN = {"CAP_APPROVAL": "human"}
GRANT = ("mandate", "grant", "night", *TERMS, "--until", "18:00")


@pytest.fixture
def athens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A computer two hours ahead of UTC."""
    monkeypatch.setenv("TZ", "EET-2")
    machine.tzset()
    yield
    monkeypatch.undo()
    machine.tzset()


def file_of(granted: Any) -> Path:
    found = re.search(r"CAP_MANDATE_FILE=(\S+)", granted.out)
    assert found is not None, granted
    return Path(found[1])


@pytest.mark.skipif(sys.platform == "win32", reason="a time zone is set per process on Unix alone")
def test_a_person_reads_fixed_amounts_and_the_local_end_and_a_script_then_sends(
    capcli: Any, athens: None
) -> None:
    granted = capcli(*GRANT, env=HUMAN, typed="y\n")

    assert granted.code == 0, granted
    assert "each losing at most 50.00 USD at its stop" in granted.err
    assert "all together losing at most 200.00 USD, costs included" in granted.err
    assert re.search(r"until 2026-\d\d-\d\d 18:00 EET \(UTC\+0200\)", granted.err)
    file = file_of(granted)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text().strip()
    assert secret not in granted.out + granted.err

    bot = HUMAN | {"CAP_MANDATE_FILE": str(file)}
    preview = capcli("preview", "SILVER", "--size", "1", "--stop", "24.50", "-q", env=bot).out.strip()
    sent = capcli("execute", preview, "--confirm", "--json", env=bot)
    assert (sent.code, sent.data["state"]) == (0, "LANDED"), sent
    listed = capcli("mandate", "list", "--json", env=bot)
    (row,) = listed.data["mandates"]
    assert (row["name"], row["state"], row["orders_used"], row["orders"]) == ("night", "ACTIVE", 1, 2)
    assert 0 < row["charged"] < 50
    assert "BUY 1 SILVER (mandate night)" in capcli("history", "executions", env=HUMAN).out
    shown = capcli("mandate", "list", env=HUMAN).out
    assert "in force" in shown
    assert "1 of 2" in shown
    assert "this client has night" in capcli("health", "--only", "mandates", env=bot).out
    for said in (sent, listed):
        assert secret not in said.out + said.err

    revoked = capcli("mandate", "revoke", "night", env=HUMAN)
    assert (revoked.code, file.exists()) == (0, False)
    preview = capcli("preview", "SILVER", "--size", "2", "--stop", "24.50", "-q", env=bot).out.strip()
    assert capcli("execute", preview, "--confirm", "--json", env=bot).error["code"] == "APPROVAL_REQUIRED"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_pipe_or_a_program_grants_nothing(capcli: Any, words: tuple[str, ...]) -> None:
    for typed in (None, "y\n") if words else (None,):
        refused = capcli(*GRANT, *words, env=HUMAN, stdin="y\n", typed=typed)
        assert refused.code == 5
        assert "terminal" in refused.out + refused.err
    assert capcli("mandate", "list", "--json").data["mandates"] == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--risk", "100"), "write 100% for 100 % of the equity, or 100USD"),
        (("--risk", "50EUR"), "the account is in USD"),
        (("--total-risk", "10USD"), "less than the 50.00"),
        (("--total-risk", "1"), "--total-risk is '1': write 1%"),
        (("--orders", "0"), "--orders is 1 to 1000"),
        (("--until", "25:00"), "Write 18:00 or 2026-01-31T18:00 in local time"),
        (("--until", "2030-01-01T00:00Z"), "more than 24 h ahead"),
        (("--until", "2020-01-01T00:00Z"), "in the past"),
        (("--epics", "silver"), "SILVER"),
    ],
)
def test_terms_that_cannot_be_granted_are_refused_before_the_question(
    capcli: Any, changed: tuple[str, ...], said: str
) -> None:
    refused = capcli(*GRANT, *changed, env=HUMAN, typed="y\n")
    assert refused.code in {2, 6}
    assert said in refused.err
    assert "Grant it?" not in refused.err
    assert capcli("mandate", "list", "--json").data["mandates"] == []


def test_two_of_one_name_are_not_in_force_at_once(capcli: Any) -> None:
    assert capcli(*GRANT, env=HUMAN, typed="y\n").code == 0
    again = capcli(*GRANT, env=HUMAN, typed="y\n")
    assert (again.code, "capcli mandate revoke night --env paper" in again.err) == (5, True)


def test_there_are_none_on_live(capcli: Any) -> None:
    refused = capcli(*GRANT, "--env", "live", "--json", env=HUMAN)
    assert (refused.code, refused.error["code"]) == (5, "LIVE_LOCKED")
    assert "no mandates on live" in refused.error["message"]


def test_where_nobody_is_asked_the_person_is_told_that_it_changes_nothing(capcli: Any) -> None:
    assert "nobody is asked anyway" in capcli(*GRANT, typed="y\n").err


def test_a_name_that_nothing_has_is_told(capcli: Any) -> None:
    missing = capcli("mandate", "revoke", "nobody", "--json")
    assert (missing.error["code"], missing.error["next"]) == ("MANDATE_UNKNOWN", "capcli mandate list")


def test_health_warns_of_a_file_that_others_can_read(capcli: Any, tmp_path: Path) -> None:
    file = tmp_path / "x.secret"
    file.write_text("a secret")
    file.chmod(0o644)
    told = capcli("health", "--only", "mandates", "--json", env=HUMAN | {"CAP_MANDATE_FILE": str(file)})
    (check,) = [row for row in told.data["checks"] if row["name"] == "mandates"]
    assert (check["status"], check["fix"]) == ("warning", "capcli mandate list")
    assert "0600 is required" in check["message"]


@pytest.mark.parametrize("words", [(), ("--confirm",)])
def test_a_person_at_a_terminal_is_asked_all_the_same(capcli: Any, words: tuple[str, ...]) -> None:
    bot = HUMAN | {"CAP_MANDATE_FILE": str(file_of(capcli(*GRANT, env=HUMAN, typed="y\n")))}
    preview = capcli("preview", "SILVER", "--size", "1", "--stop", "24.50", "-q", env=bot).out.strip()

    refused = capcli("execute", preview, *words, env=bot, typed="n\n")

    assert (refused.code, "Send it? [y/N]" in refused.err) == (5, True), refused
    assert capcli("positions", "--json").data["positions"] == []


def test_an_install_carries_the_file_into_the_entry_of_that_client(capcli: Any, tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    env = {"CAP_MANDATE_FILE": "/secrets/night.secret", "HOME": str(tmp_path)}
    shown = capcli("mcp", "install", "cursor", "--dry-run", env=env).out
    assert '"CAP_MANDATE_FILE": "/secrets/night.secret"' in shown
