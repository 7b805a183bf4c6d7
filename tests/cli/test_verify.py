"""`history verify`: the tamper check, with the keychain's part on demo and without it on paper."""

import json
import sqlite3
from contextlib import closing

import pytest

from capcli.credentials.audit import AuditItem

TRADE = {"CAP_ALLOW_TRADING": "true"}


def tampered(home, *statements, triggers=False):
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys=OFF")
        dropped = (
            []
            if triggers
            else raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        )
        for (name,) in dropped:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)


def anchor(keychain):
    (text,) = (text for name, text in keychain.items.items() if name.startswith("capcli/journal/"))
    return json.loads(text)


@pytest.fixture
def traded(logged_in):
    preview = logged_in("preview", "SILVER", "--size", "1.5", env=TRADE).data["preview_id"]
    assert logged_in("execute", preview, "--confirm", env=TRADE).code == 0
    return logged_in


def test_a_paper_journal_has_a_plain_hash_and_says_so(capcli):
    capcli.bought()

    found = capcli("history", "verify", "--json").data

    assert (found["intact"], found["keyed"], found["anchored"]) == (True, 0, None)
    assert "There is no key here" in found["note"]


def test_on_demo_the_chain_is_sealed_and_the_keychain_vouches_for_it(traded, keychain):
    found = traded("history", "verify").data

    assert found["intact"]
    assert found["events"] == found["keyed"] == found["anchored"] == anchor(keychain)["count"] > 4


def test_what_was_cut_off_is_told_by_the_keychain(traded, capcli):
    tampered(capcli.home, "DELETE FROM events WHERE seq > 2", "DELETE FROM attempts")

    result = traded("history", "verify")

    assert (result.code, result.error["code"]) == (3, "JOURNAL_ALTERED")
    assert any("were cut off" in one["fault"] for one in result.data["breaks"])


def test_a_journal_written_anew_without_the_key_is_told_by_the_keychain(traded, capcli):
    for name in capcli.home.glob("journal.db*"):
        name.unlink()
    for _ in range(8):
        capcli("--env", "paper", "preview", "SILVER", "--size", "1", "--json")

    result = traded("history", "verify")

    assert result.code == 3
    assert any("rewritten or replaced" in one["fault"] for one in result.data["breaks"])


def test_two_journals_have_a_key_each_and_a_link_to_one_has_the_same(traded, keychain, capcli, tmp_path):
    home = capcli.home
    link, other = tmp_path / "link", tmp_path / "other"
    link.symlink_to(home)
    items = {str(place): AuditItem(place / "journal.db", 5).item for place in (home, link, other)}
    assert items[str(home)] == items[str(link)] != items[str(other)]
    assert items[str(home)] in keychain.items

    assert traded("history", "verify", env={"CAPCLI_HOME": str(link)}).data["anchored"] > 4
    traded("preview", "SILVER", "--size", "1", env=TRADE | {"CAPCLI_HOME": str(other)})

    assert traded("history", "verify").data["intact"]


def test_health_finds_it_too(traded, capcli):
    tampered(capcli.home, "UPDATE events SET at = '2026-05-04T15:00:00.000000Z' WHERE seq = 2")

    result = traded("health", "--only", "audit_trail")

    assert result.code == 3
    assert result.data["checks"][-1]["fix"] == "capcli --env demo history verify"


def test_a_locked_keychain_stops_no_order_and_is_told(traded, keychain, capcli, monkeypatch):
    preview = traded("preview", "GOLD", "--size", "1", env=TRADE).data["preview_id"]
    before = anchor(keychain)["count"]
    real = keychain.get_password

    def no_journal(service, username):
        if service.startswith("capcli/journal/"):
            raise LookupError
        return real(service, username)

    with monkeypatch.context() as locked:
        locked.setattr(keychain, "get_password", no_journal)
        assert traded("execute", preview, "--confirm", env=TRADE).code == 0
        assert "could not be asked" in traded("history", "verify").data["note"]

    found = traded("history", "verify")

    assert found.code == 0
    assert found.data["keyed"] == before < found.data["events"]
    assert "plain hash" in found.data["note"]


def test_a_new_beginning_is_accepted_by_a_person_who_says_why(traded, capcli, keychain):
    for name in capcli.home.glob("journal.db*"):
        name.unlink()
    looked = traded("preview", "SILVER", "--size", "1", env=TRADE)
    assert [check["rule"] for check in looked.data["checks"] if not check["passed"]] == ["journal"]
    found = traded("history", "verify")
    assert (found.code, found.error["code"]) == (3, "JOURNAL_BEHIND")
    preview = looked.data["preview_id"]
    assert traded("execute", preview, "--confirm", env=TRADE).error["code"] == "PREVIEW_NOT_EXECUTABLE"

    refused = traded("history", "accept", "--reason", "a new disk")
    accepted = traded.at_terminal("history", "accept", typed="a new disk\ny\n")

    assert refused.error["code"] == "NOT_CONFIRMED"
    assert accepted.code == 0, accepted
    assert traded("history", "verify").data["anchored"] == anchor(keychain)["count"]
    assert traded("history", "verify").code == 0
    with closing(sqlite3.connect(capcli.home / "journal.db")) as raw:
        ((reason,),) = raw.execute("SELECT detail ->> 'reason' FROM events WHERE kind = 'accepted'")
    assert reason == "a new disk"
    assert traded("execute", preview, "--confirm", env=TRADE).code == 5
    afterwards = traded("preview", "SILVER", "--size", "1", env=TRADE).data["preview_id"]
    assert traded("execute", afterwards, "--confirm", env=TRADE).code == 0


@pytest.mark.parametrize("typed", ["", "a new disk\nn\n", "\ny\n"])
def test_nothing_is_accepted_without_a_reason_and_a_yes(traded, capcli, typed):
    tampered(capcli.home, "UPDATE attempts SET note = 'x'", triggers=True)

    assert traded.at_terminal("history", "accept", typed=typed).code != 0
    assert traded("history", "verify").error["code"] == "JOURNAL_ALTERED"


def test_altered_rows_are_accepted_and_an_altered_chain_is_not(traded, capcli):
    tampered(capcli.home, "UPDATE attempts SET note = 'x'", triggers=True)
    assert traded.at_terminal("history", "accept", "--reason", "mine", typed="y\n").code == 0
    assert traded("history", "verify").code == 0

    tampered(capcli.home, "UPDATE events SET at = 'x' WHERE seq = 2")
    refused = traded.at_terminal("history", "accept", "--reason", "mine", typed="y\n")

    assert refused.code == 3
    assert "cannot be accepted" in refused.err
    assert "capcli --env demo config path" in refused.err


def test_the_view_names_the_row(capcli):
    capcli.bought()
    tampered(capcli.home, "UPDATE attempts SET state = 'REJECTED'")

    result = capcli("history", "verify")

    assert "has been altered" in result.out
    assert "state: not what the events say" in result.out
    assert "next: capcli history executions" in result.err
