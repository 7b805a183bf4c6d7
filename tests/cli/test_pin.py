"""The PIN on the command line: set at login, asked on a terminal only, kept in the keychain."""

import json

import httpx
import keyring
import pytest

from capcli.runtime import Runtime
from tests.cli.conftest import KEYS
from tests.support.seat import _Open

PIN = "korrekt pferd"
ITEM = "capcli/main/live/pin"


@pytest.fixture
def typing(monkeypatch):
    """Answer the hidden questions in turn; what was asked is returned as a list that grows."""

    def answers(*words):
        asked, left = [], list(words)

        def answer(question, stream):
            asked.append(question)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr("getpass.getpass", answer)
        return asked

    return answers


@pytest.fixture
def live(capcli, demo, keychain):
    """Return commands on live, whose host is a paper broker behind a tap."""
    time = capcli.time
    runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=demo.tap)

    def call(*words, **given):
        return capcli("--env", "live", *words, runtime=runtime, **given)

    return call


@pytest.fixture
def pin(live, typing):
    typing("paper", "paper", PIN, PIN)
    assert live("login", typed="paper\n").code == 0


def test_login_on_a_terminal_sets_the_pin(live, typing, keychain):
    asked = typing("paper", "paper", "12345", "12345", PIN, "another", PIN, PIN)

    done = live("login", typed="paper\n")

    assert (done.code, "The PIN is set" in done.out) == (0, True)
    assert "at least 6" in done.err
    assert "two PINs differ" in done.err
    assert len(asked) == 8
    assert json.loads(keychain.items[ITEM])["wrong"] == 0
    assert PIN not in str(keychain.items) + done.out + done.err


def test_login_with_a_pin_that_is_there_asks_for_none(live, typing, pin):
    asked = typing("paper", "paper")

    assert live("login", typed="paper\n").code == 0
    assert len(asked) == 2


def test_a_login_stands_without_a_pin(live, typing, keychain):
    typing("paper", "paper")

    done = live("login", typed="paper\n")

    assert (done.code, "No PIN was set" in done.out) == (0, True)
    assert ITEM not in keychain.items


def test_stdin_brings_no_pin_and_says_where_it_comes_from(live, keychain):
    done = live("login", "--stdin", "--json", stdin=KEYS)

    assert (done.code, ITEM in keychain.items) == (0, False)
    assert "capcli live checklist" in done.data["note"]


def test_resume_asks_for_the_pin_on_live(live, typing, pin):
    live("halt")
    asked = typing(PIN)

    assert live("resume", "--confirm", typed="").code == 0
    assert len(asked) == 1


def test_a_pipe_cannot_type_a_pin(live, pin):
    live("halt")

    refused = live("resume", "--confirm", "--json", stdin=f"{PIN}\n")

    assert (refused.code, refused.error["code"]) == (5, "PIN_NEEDED")
    assert "terminal" in refused.error["message"]
    assert live("positions", "--json").data["halt"]


def test_five_wrong_pins_halt(live, typing, pin, capcli, keychain):
    live("halt")
    typing(*["wrong pin"] * 5)
    codes = [live("resume", "--confirm", typed="") for _ in range(5)]

    assert {one.code for one in codes} == {5}
    assert "4 tries are left" in codes[0].err
    assert "5 times in a row: halted" in codes[4].err
    assert json.loads(keychain.items[ITEM])["wrong"] == 5
    everything = "".join(one.out + one.err for one in codes)
    assert "wrong pin" not in everything
    assert PIN.encode() not in (capcli.home / "journal.db").read_bytes()


def test_a_locked_keychain_recognises_nobody(live, typing, pin, keychain):
    live("halt")
    keychain.locked = True
    typing(PIN)

    assert live("resume", "--confirm", typed="").code == 3


def test_forgetting_the_login_forgets_the_pin(live, pin, keychain):
    assert live("logout", "--forget").code == 0

    assert ITEM not in keychain.items


def test_paper_and_demo_ask_for_no_pin(capcli, demo, keychain):
    demo("halt")
    assert demo("resume", "--confirm").code == 0
    capcli("halt")
    assert capcli("resume", "--confirm").code == 0


OFF = {"CAP_ALLOW_TRADING": "false"}


@pytest.fixture
def deal(demo, capcli):
    """Open a position at the broker that stands for live, as another program does."""
    with httpx.Client(transport=_Open(demo.tap), base_url="https://paper/api/v1") as http:
        login = {"identifier": "paper", "password": "paper"}
        tokens = http.post("/session", json=login, headers={"X-CAP-API-KEY": "paper"}).headers
        http.headers.update({name: tokens[name] for name in ("CST", "X-SECURITY-TOKEN")})
        http.post("/positions", json={"epic": "SILVER", "direction": "BUY", "size": 1.5})
        (row,) = http.get("/positions").json()["positions"]
    return row["position"]["dealId"]


def test_closing_where_trading_is_off_takes_the_word_and_the_pin(live, typing, pin, deal):
    asked = typing("wrong pin", PIN)

    wrong = live("close", deal, env=OFF, typed="CLOSE\n")
    assert (wrong.code, len(asked)) == (5, 1)
    assert [row["deal_id"] for row in live("positions", "--json").data["positions"]] == [deal]

    done = live("close", deal, env=OFF, typed="CLOSE\n")
    assert (done.code, len(asked)) == (0, 2), done
    assert live("positions", "--json").data["positions"] == []


def test_a_pin_that_cannot_be_read_keeps_nobody_from_closing(live, typing, pin, deal, keychain, monkeypatch):
    asked, real = typing(), keychain.get_password

    def locked(service, username):
        if service == ITEM:
            raise keyring.errors.KeyringLocked
        return real(service, username)

    monkeypatch.setattr(keychain, "get_password", locked)

    done = live("close", deal, env=OFF, typed="CLOSE\n")

    assert (done.code, asked) == (0, [])
    assert "The PIN of live is not asked for" in done.err
