"""Login and logout: tried at the broker, then kept in the keychain; never in argv, never on paper."""

import json

import keyring
import pytest
from keyring.backend import KeyringBackend

from capcli.app import Surroundings
from capcli.paper.transport import PaperTransport

GOOD = json.dumps({"api_key": "paper", "identifier": "paper", "password": "paper"})
BAD = json.dumps({"api_key": "paper", "identifier": "paper", "password": "login-password"})


class Memory(KeyringBackend):
    priority = 9

    def __init__(self):
        super().__init__()
        self.items = {}

    def get_password(self, service, username):
        return self.items.get((service, username))

    def set_password(self, service, username, password):
        self.items[service, username] = password

    def delete_password(self, service, username):
        del self.items[service, username]


@pytest.fixture
def keychain(monkeypatch):
    memory = Memory()
    monkeypatch.setattr(keyring.core, "_keyring_backend", memory)
    return memory.items


@pytest.fixture
def broker(capcli):
    """The paper broker in the place of the demo host."""
    return lambda: Surroundings(
        clock=capcli.time.clock,
        sleep=capcli.time.sleep,
        monotonic=capcli.time.monotonic,
        transport=PaperTransport(capcli.home.parent / "demo.db", capcli.time.clock),
    )


def test_a_login_that_works_is_kept_and_makes_demo_the_default(capcli, keychain, broker):
    done = capcli("login", "--env", "demo", "--stdin", "--json", stdin=GOOD, around=broker())
    assert (done.code, done.data["stored_in"]) == (0, "capcli/main/demo")
    assert ("capcli/main/demo", "capcli") in keychain
    assert "demo" in (capcli.home / "config.toml").read_text()
    accounts = capcli("accounts", "--json", around=broker())
    assert (accounts.code, accounts.json["env"]) == (0, "demo")


def test_a_wrong_password_is_exit_4_and_nothing_is_kept(capcli, keychain, broker):
    done = capcli("login", "--env", "demo", "--stdin", stdin=BAD, around=broker())
    assert done.code == 4
    assert "Authentication failed" in done.err
    assert "login-password" not in done.err
    assert keychain == {}
    assert not (capcli.home / "config.toml").exists()


def test_typed_credentials_are_asked_for_one_by_one(capcli, keychain, broker, monkeypatch):
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt, stream: asked.append(prompt) or "paper")
    done = capcli("login", "--env", "demo", typed="paper\n", around=broker())
    assert (done.code, len(asked)) == (0, 2)
    assert "two-factor" in done.err
    assert keychain


def test_no_answer_stores_nothing(capcli, keychain, broker, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt, stream: "paper")
    assert capcli("login", "--env", "demo", typed="", around=broker()).code == 130
    assert keychain == {}


def test_status_shows_the_end_of_the_key_only(capcli, keychain, broker):
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, around=broker())
    shown = capcli("login", "--status", around=broker())
    assert (shown.code, "keychain item capcli/main/demo" in shown.out) == (0, True)


def test_forgetting_leaves_the_profile_so_nothing_falls_back_to_paper(capcli, keychain, broker):
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, around=broker())
    gone = capcli("logout", "--forget", "--json", around=broker())
    assert (gone.code, gone.data["forgotten"], keychain) == (0, True, {})
    after = capcli("positions", "--json", around=broker())
    assert (after.code, after.error["code"]) == (3, "CREDENTIALS_MISSING")
    assert "capcli login" in after.error["next"]


def test_paper_needs_neither(capcli):
    assert "Paper needs no credentials" in capcli("login").out
    assert capcli("logout", "--forget").code == 0


def test_without_a_terminal_the_same_login_is_proposed_with_its_credentials_on_stdin(capcli):
    told = capcli("login", "--env", "demo", "--profile", "second", "--json")
    assert told.error["next"] == "capcli login --env demo --profile second --stdin < credentials.json"
