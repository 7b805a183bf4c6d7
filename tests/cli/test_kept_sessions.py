"""Consecutive commands share one login, and nobody else's: what is kept where, and when it is dropped."""

import json
from threading import Event

import pytest

from capcli.credentials import keychain
from tests.cli.conftest import KEYS, Memory
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT

ENVIRONMENT = {"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}
ITEM, SESSION = "capcli/main/demo", "capcli/main/demo/session"


def test_a_warm_command_makes_its_requests_and_reads_the_session_item_alone(logged_in, keychain):
    assert logged_in("positions").code == 0

    assert logged_in.tap.seen() == ["GET /positions"]
    assert keychain.read == [SESSION]
    assert logged_in.files() == []


def test_the_item_holds_what_the_session_belongs_to_and_no_credential(logged_in, keychain):
    document = json.loads(keychain.items[SESSION])

    (session,) = document["sessions"].values()
    assert document["host"] == "https://demo-api-capital.backend-capital.com"
    assert session["account_id"] == FIRST_ACCOUNT
    assert len(session["fingerprint"]) == 16
    assert "password" not in keychain.items[SESSION]
    assert len(keychain.items[SESSION]) < 1280


def test_credentials_of_the_environment_leave_the_keychain_alone(demo, keychain):
    for _ in range(2):
        assert demo("positions", env=ENVIRONMENT).code == 0

    assert demo.logins() == 1
    assert keychain.read == []
    assert len(demo.files()) == 1


def test_another_key_in_the_environment_has_a_session_of_its_own(demo):
    assert demo("positions", env=ENVIRONMENT).code == 0
    assert demo("positions", env=ENVIRONMENT | {"CAP_API_KEY": "another"}).code == 4
    assert demo("positions", env=ENVIRONMENT).code == 0

    assert demo.logins() == 1, "an unknown key is refused before there is a login"


def test_two_profiles_never_see_each_others_session(logged_in, keychain):
    assert logged_in("--profile", "second", "login", "--stdin", stdin=KEYS).code == 0
    logged_in.tap.requests.clear()

    assert logged_in("--profile", "second", "positions").code == 0
    assert logged_in("positions").code == 0
    assert logged_in.logins() == 0
    sessions = [json.loads(keychain.items[item])["sessions"] for item in keychain.items if "session" in item]
    assert sessions[0][""]["cst"] != sessions[1][""]["cst"]


def test_another_host_gets_a_login_and_never_the_tokens(logged_in):
    elsewhere = {"CAP_API_URL": "https://elsewhere.example"}
    logged_in.capcli.time.sleep(2)

    assert logged_in("positions", env=elsewhere).code == 0

    key, login, read = logged_in.tap.requests
    assert (key.url.host, "cst" in key.headers) == ("elsewhere.example", False)
    assert (login.method, login.url.host) == ("POST", "elsewhere.example")
    assert "cst" not in login.headers
    assert read.url.host == "elsewhere.example"


def test_a_new_login_makes_the_old_session_unusable(logged_in, keychain):
    before = keychain.items[SESSION]

    assert logged_in("login", "--stdin", stdin=KEYS).code == 0
    assert keychain.items[SESSION] != before
    assert logged_in("positions").code == 0


@pytest.mark.parametrize("words", [("logout",), ("logout", "--forget")])
def test_logging_out_drops_the_session(logged_in, keychain, words):
    assert logged_in(*words).code == 0

    assert SESSION not in keychain.items
    assert logged_in.tap.seen() == ["DELETE /session"]


@pytest.mark.parametrize("words", [("logout",), ("logout", "--forget")])
def test_logging_out_ends_the_sessions_of_the_other_accounts_too(logged_in, keychain, words):
    assert logged_in("--account", SECOND_ACCOUNT, "positions").code == 0
    kept = json.loads(keychain.items[SESSION])["sessions"].values()
    logged_in.tap.requests.clear()

    assert logged_in(*words).code == 0

    assert SESSION not in keychain.items
    assert logged_in.tap.seen() == ["DELETE /session"] * 2
    assert {request.headers["cst"] for request in logged_in.tap.requests} == {each["cst"] for each in kept}


def test_logging_out_ends_and_removes_the_files_of_all_accounts(demo):
    for words in ((), ("--account", SECOND_ACCOUNT)):
        assert demo(*words, "positions", env=ENVIRONMENT).code == 0
    assert len(demo.files()) == 2

    gone = demo("logout", env=ENVIRONMENT)

    assert (gone.code, gone.data["ended"], demo.files()) == (0, True, [])
    assert demo.tap.seen().count("DELETE /session") == 2


def test_logging_out_of_one_host_leaves_the_session_of_another(logged_in, keychain):
    assert logged_in("logout", env={"CAP_API_URL": "https://elsewhere.example"}).data["ended"] is False

    assert logged_in.tap.seen() == []
    assert SESSION in keychain.items


def test_logging_out_behind_a_locked_keychain_is_no_success(logged_in, keychain):
    keychain.locked = True
    told = logged_in("logout")
    keychain.locked = False

    assert (told.code, told.error["code"]) == (3, "KEYCHAIN_LOCKED")
    assert logged_in.tap.seen() == []
    assert logged_in("logout").data["ended"]


def test_logging_out_without_a_keychain_is_no_success(demo, monkeypatch):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    told = demo("logout")
    assert (told.code, told.error["code"]) == (3, "KEYCHAIN_MISSING")


@pytest.mark.parametrize(("words", "asked"), [(("logout",), 1), (("health",), 1), (("login", "--status"), 1)])
def test_a_silent_keychain_costs_a_command_one_deadline(logged_in, monkeypatch, words, asked):
    released, calls = Event(), []

    def wait(*_args):
        calls.append("asked")
        released.wait(60)

    monkeypatch.setattr(Memory, "get_password", wait)
    monkeypatch.setattr(keychain, "DEADLINE_S", 0.2)
    told = logged_in(*words)
    released.set()

    assert (told.code, told.error["code"], len(calls)) == (3, "KEYCHAIN_SILENT", asked)


def test_forgetting_drops_the_sessions_of_all_accounts(logged_in, keychain):
    assert logged_in("--account", SECOND_ACCOUNT, "positions").code == 0

    assert logged_in("logout", "--forget").code == 0

    assert keychain.items == {}


def test_a_locked_keychain_is_told_and_the_session_is_there_once_it_is_open(logged_in, keychain):
    keychain.locked = True
    assert logged_in("positions").error["code"] == "KEYCHAIN_LOCKED"
    assert logged_in.tap.seen() == []
    keychain.locked = False

    assert logged_in("positions").code == 0
    assert logged_in.logins() == 0


def test_a_silent_keychain_is_waited_for_once_and_told(logged_in, monkeypatch):
    """Neither for the session nor for the credentials again: a command ends after one deadline."""
    released, calls = Event(), []

    def wait(*_args):
        calls.append("asked")
        released.wait(60)

    monkeypatch.setattr(Memory, "get_password", wait)
    monkeypatch.setattr(keychain, "DEADLINE_S", 0.2)
    told = logged_in("positions")
    released.set()

    assert (told.code, told.error["code"], calls) == (3, "KEYCHAIN_SILENT", ["asked"])


def test_accounts_use_holds_for_the_next_commands_and_beyond_a_new_session(logged_in):
    assert logged_in("accounts", "use", SECOND_ACCOUNT).code == 0

    assert logged_in("positions").json["account_id"] == SECOND_ACCOUNT
    logged_in.capcli.time.sleep(3000)
    logged_in.tap.requests.clear()
    assert logged_in("positions").json["account_id"] == SECOND_ACCOUNT
    assert logged_in.logins() == 1


def test_the_account_option_goes_first_and_leaves_the_choice(logged_in):
    logged_in("accounts", "use", SECOND_ACCOUNT)

    assert logged_in("--account", FIRST_ACCOUNT, "positions").json["account_id"] == FIRST_ACCOUNT
    assert logged_in("positions").json["account_id"] == SECOND_ACCOUNT
    assert logged_in("--account", FIRST_ACCOUNT, "positions").json["account_id"] == FIRST_ACCOUNT


def test_using_an_account_beside_a_default_one_is_told_to_end_with_the_command(logged_in):
    default = {"CAP_DEFAULT_ACCOUNT_ID": FIRST_ACCOUNT}

    done = logged_in("accounts", "use", SECOND_ACCOUNT, env=default)

    assert (done.code, done.data["account_id"]) == (0, SECOND_ACCOUNT)
    assert f"the next command is on {FIRST_ACCOUNT} again" in done.err
    logged_in.tap.requests.clear()
    for _ in range(2):
        assert logged_in("positions", env=default).json["account_id"] == FIRST_ACCOUNT
    assert logged_in.logins() == 0
    assert logged_in.tap.seen()[-1] == "GET /positions"
    assert logged_in.tap.seen().count("PUT /session") == 1


def test_a_session_that_the_broker_ended_is_renewed_without_a_word(logged_in):
    logged_in.capcli.time.sleep(700)

    done = logged_in("positions")

    assert (done.code, done.err) == (0, "")
    login = ["GET /session/encryptionKey", "POST /session"]
    assert logged_in.tap.seen() == ["GET /positions", *login, "GET /positions"]


def test_a_wait_for_the_rate_limit_is_told_unless_it_was_asked_to_be_quiet(logged_in):
    for words, told in (((), True), (("--quiet",), False)):
        logged_in.tap.breaks("GET", "/positions", before=too_many(), times=2)
        done = logged_in(*words, "positions")
        assert done.code == 0
        assert ("Waiting 2 s for the broker's rate limit" in done.err) is told


def too_many():
    from tests.support.tap import says

    return says(429, {"errorCode": "error.too-many.requests"})
