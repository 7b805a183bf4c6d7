"""Login and logout: tried at the broker, then kept in the keychain; never in argv, never on paper."""

import json
import sys
from datetime import timedelta

import httpx
import keyring
import keyring.errors
import pytest

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.cli.conftest import KEYS
from tests.credentials.stores import Store

GOOD = json.dumps({"api_key": "paper", "identifier": "paper", "password": "paper"})
BAD = json.dumps({"api_key": "paper", "identifier": "paper", "password": "login-password"})


@pytest.fixture
def keychain(monkeypatch):
    memory = Store()
    monkeypatch.setattr(keyring.core, "_keyring_backend", memory)
    return memory.items


class Host(httpx.BaseTransport):
    """The paper broker in the place of another host, and what arrived there."""

    def __init__(self, capcli):
        self.seen = []
        self.answers = {}
        self._paper = PaperTransport(capcli.home.parent / "demo.db", capcli.time.clock)

    def handle_request(self, request):
        line = f"{request.method} {request.url.path.removeprefix('/api/v1')}"
        self.seen.append(line)
        answer = self.answers.get(line)
        if isinstance(answer, BaseException):
            raise answer
        return answer or self._paper.handle_request(request)

    def close(self):
        self._paper.close()


@pytest.fixture
def host(capcli):
    return Host(capcli)


@pytest.fixture
def broker(capcli, host):
    return lambda: Runtime(
        clock=capcli.time.clock, sleep=capcli.time.sleep, monotonic=capcli.time.monotonic, transport=host
    )


@pytest.fixture
def types(monkeypatch):
    """Answer the hidden questions, one after the other; the last answer for ever."""

    def answer(*words):
        left = list(words)
        monkeypatch.setattr("getpass.getpass", lambda prompt, stream: left.pop(0) if left[1:] else left[0])

    return answer


def test_a_login_that_works_is_kept_and_makes_demo_the_default(capcli, keychain, broker):
    done = capcli("login", "--env", "demo", "--stdin", "--json", stdin=GOOD, runtime=broker())
    assert (done.code, done.data["stored_in"]) == (0, "capcli/main/demo")
    assert ("capcli/main/demo", "capcli") in keychain
    assert "demo" in (capcli.home / "config.toml").read_text()
    accounts = capcli("accounts", "--json", runtime=broker())
    assert (accounts.code, accounts.json["env"]) == (0, "demo")


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks")
def test_a_login_whose_profile_cannot_be_written_says_what_was_done(capcli, keychain, broker):
    capcli.home.mkdir()
    (capcli.home / "config.toml").symlink_to(capcli.home / "gone" / "config.toml")
    done = capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    assert done.code == 3
    assert "You are logged in and the credentials are stored (" in done.err
    assert "profile main was not written:" in done.err
    assert "Until it is, add --env demo." in done.err
    assert capcli("accounts", "--env", "demo", runtime=broker()).code == 0


def test_any_layout_of_the_file_takes_a_login(capcli, keychain, broker):
    file = capcli.home / "config.toml"
    file.parent.mkdir()
    file.write_text('profiles = { main = { env = "paper" } }\n')
    assert capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker()).code == 0
    assert 'profiles = { main = { env = "demo" } }' in file.read_text()


def test_a_wrong_password_is_exit_4_and_nothing_is_kept(capcli, keychain, broker):
    done = capcli("login", "--env", "demo", "--stdin", stdin=BAD, runtime=broker())
    assert done.code == 4
    assert "Authentication failed" in done.err
    assert "login-password" not in done.err
    assert keychain == {}
    assert not (capcli.home / "config.toml").exists()


def test_typed_credentials_are_asked_for_one_by_one(capcli, keychain, broker, monkeypatch):
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt, stream: asked.append(prompt) or "paper")
    done = capcli("login", "--env", "demo", typed="paper\n", runtime=broker())
    assert (done.code, len(asked)) == (0, 2)
    assert "Two-Factor Authentication: switch it on first" in done.err
    assert "no advice" in done.err
    assert "keychain: tests.credentials.stores.Store" in done.err
    assert "Next" in done.out
    assert keychain


def test_no_answer_stores_nothing(capcli, keychain, broker, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt, stream: "paper")
    assert capcli("login", "--env", "demo", typed="", runtime=broker()).code == 130
    assert keychain == {}


def test_status_shows_the_end_of_the_key_only(capcli, keychain, broker):
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    shown = capcli("login", "--status", runtime=broker())
    assert (shown.code, "keychain item capcli/main/demo" in shown.out) == (0, True)


def test_forgetting_leaves_the_profile_so_nothing_falls_back_to_paper(capcli, keychain, broker):
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    gone = capcli("logout", "--forget", "--json", runtime=broker())
    assert (gone.code, gone.data["forgotten"], keychain) == (0, True, {})
    after = capcli("positions", "--json", runtime=broker())
    assert (after.code, after.error["code"]) == (3, "CREDENTIALS_MISSING")
    assert "capcli login" in after.error["next"]


def test_paper_needs_neither(capcli):
    assert "Paper needs no credentials" in capcli("login").out
    assert capcli("logout", "--forget").code == 0


def test_without_a_terminal_the_same_login_is_proposed_with_its_credentials_on_stdin(capcli):
    told = capcli("login", "--env", "demo", "--profile", "second", "--json")
    assert told.error["next"] == "capcli login --env demo --profile second --stdin < credentials.json"


@pytest.mark.parametrize(("typed", "env"), [("\npaper\n", "demo"), ("LIVE\npaper\n", "live")])
def test_a_person_who_named_no_environment_is_asked_and_demo_is_proposed(
    capcli, keychain, broker, types, typed, env
):
    types("paper")
    done = capcli("login", typed=typed, runtime=broker())
    assert (done.code, (f"capcli/main/{env}", "capcli") in keychain) == (0, True)
    assert "Environment [demo]: " in done.err
    assert f'env = "{env}"' in (capcli.home / "config.toml").read_text()


def test_choosing_paper_needs_no_login(capcli, host, broker):
    done = capcli("login", typed="paper\n", runtime=broker())
    assert (done.code, "Paper needs no credentials" in done.out, host.seen) == (0, True, [])


def test_an_environment_that_is_none_is_asked_for_three_times(capcli, host, broker):
    done = capcli("login", typed="test\nprod\nx\ndemo\n", runtime=broker())
    assert (done.code, done.err.count("Type demo, live or paper"), host.seen) == (2, 3, [])


def test_credentials_on_stdin_for_no_named_environment_are_not_read(capcli, host, broker):
    done = capcli("login", "--stdin", stdin=GOOD, runtime=broker())
    assert (done.code, host.seen) == (2, [])
    assert "capcli login --env demo --stdin < credentials.json" in done.err


def test_a_slip_and_a_wrong_password_may_be_typed_again(capcli, keychain, broker, types):
    types("paper", "'paper'", "paper", "login-password", "paper", "paper")
    done = capcli("login", "--env", "demo", typed="paper\npaper\npaper\n", runtime=broker())
    assert done.code == 0
    assert "still wrapped in quotes" in done.err
    assert "Authentication failed" in done.err
    assert done.err.count("Nothing was stored. Type all three again") == 2
    assert "login-password" not in done.err
    assert keychain


def test_the_third_refusal_ends_it_and_nothing_is_stored(capcli, keychain, host, broker, types):
    types("paper", "no", "paper", "no", "paper", "no", "paper")
    done = capcli("login", "--env", "demo", typed="paper\n" * 5, runtime=broker())
    assert (done.code, host.seen.count("POST /session"), keychain) == (4, 3, {})
    assert not (capcli.home / "config.toml").exists()


def test_the_wrong_environment_is_said_plainly_and_not_asked_again(capcli, keychain, host, broker, types):
    types("paper")
    host.answers["POST /session"] = httpx.Response(401, json={"errorCode": "error.null.accountId"})
    done = capcli("login", "--env", "demo", "--profile", "second", typed="paper\n" * 3, runtime=broker())
    assert (done.code, host.seen.count("POST /session"), keychain) == (4, 1, {})
    assert "Environment mismatch: this login has no account on demo. The key was made for live." in done.err
    assert "capcli login --env live --profile second" in done.err


def test_a_locked_keychain_is_told_before_anybody_types_or_the_broker_is_asked(
    capcli, keychain, host, broker, types, monkeypatch
):
    def locked(*_):
        raise keyring.errors.KeyringLocked

    types("paper")
    monkeypatch.setattr(Store, "get_password", locked)
    for words, typed in (((), "paper\n"), (("--stdin",), None)):
        done = capcli("login", "--env", "demo", *words, stdin=GOOD, typed=typed, runtime=broker())
        assert (done.code, "The keychain is locked" in done.err) == (3, True)
        assert "API key" not in done.err
    assert host.seen == []


def test_a_login_names_the_accounts_the_keychain_and_the_next_command(capcli, keychain, broker):
    done = capcli("login", "--env", "demo", "--stdin", "--json", stdin=GOOD, runtime=broker())
    assert [row["currency"] for row in done.data["accounts"]] == ["USD", "EUR"]
    assert done.json["account_id"] == done.data["accounts"][0]["account_id"]
    assert (done.data["backend"], done.data["next"]) == (
        "tests.credentials.stores.Store",
        "capcli health",
    )


def test_the_session_of_a_login_serves_the_next_command(capcli, keychain, host, broker, tmp_path):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, env=env, runtime=broker())
    assert capcli("positions", env=env, runtime=broker()).code == 0
    assert host.seen.count("POST /session") == 1
    place = capcli("login", "--status", "--json", env=env, runtime=broker()).data["session"]
    assert place.startswith(("file ", "keychain item capcli/main/demo/session"))


def test_status_tells_the_age_of_the_key_and_asks_nobody(capcli, keychain, host, broker):
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    capcli.time.now += timedelta(days=40)
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    asked = len(host.seen)
    shown = capcli("login", "--status", "--json", runtime=broker())
    assert (shown.data["key_age_days"], shown.data["logged_in"], len(host.seen)) == (40, None, asked)
    assert shown.data["key_stored_at"].startswith("2026-11-21")
    assert "40 days" in capcli("login", "--status", runtime=broker()).out


def test_the_age_of_a_key_in_the_environment_is_unknown(capcli, broker):
    env = {"CAP_API_KEY": "paper", "CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}
    shown = capcli("login", "--status", env=env, runtime=broker())
    assert (shown.code, "Key age      unknown" in shown.out) == (0, True)


def test_a_checked_status_logs_in_anew(capcli, keychain, host, broker):
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    before = host.seen.count("POST /session")
    shown = capcli("login", "--status", "--check", "--json", runtime=broker())
    assert (shown.code, shown.data["logged_in"], host.seen.count("POST /session")) == (0, True, before + 1)
    assert shown.json["account_id"]


def test_a_checked_status_that_is_refused_is_exit_4_and_still_a_status(capcli, keychain, host, broker):
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    host.answers["POST /session"] = httpx.Response(401, json={"errorCode": "error.invalid.api.key"})
    shown = capcli("login", "--status", "--check", "--json", runtime=broker())
    assert (shown.code, shown.data["logged_in"], shown.error["code"]) == (4, False, "LOGIN_REFUSED")
    assert shown.data["source"] == "keychain item capcli/main/demo"


def test_check_alone_is_refused(capcli, host, broker):
    done = capcli("login", "--check", "--env", "demo", runtime=broker())
    assert (done.code, host.seen) == (2, [])


def test_credentials_are_forgotten_although_the_broker_cannot_be_told(
    capcli, keychain, host, broker, tmp_path
):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    capcli("login", "--env", "demo", "--stdin", stdin=GOOD, env=env, runtime=broker())
    host.answers["DELETE /session"] = httpx.ConnectError("down")
    gone = capcli("logout", "--forget", env=env, runtime=broker())
    assert (gone.code, keychain) == (0, {})
    assert "could not be reached" in gone.out
    assert list((runtime / "capcli").glob("session-*")) == []


def test_an_incomplete_environment_does_not_leave_a_login_half_done(capcli, keychain, broker):
    env = {"CAP_API_KEY": "other"}
    done = capcli("login", "--env", "demo", "--stdin", stdin="\ufeff" + GOOD, env=env, runtime=broker())
    assert (done.code, ("capcli/main/demo", "capcli") in keychain) == (0, True)
    assert "unset them to use these" in done.err
    assert 'env = "demo"' in (capcli.home / "config.toml").read_text()
    gone = capcli("logout", "--forget", "--env", "demo", env=env, runtime=broker())
    assert (gone.code, keychain) == (0, {})
    assert "stay in use until you unset them" in gone.out


def test_stdin_beside_status_is_refused_and_not_ignored(capcli, keychain, host, broker):
    done = capcli("login", "--status", "--stdin", "--env", "demo", stdin=GOOD, runtime=broker())
    assert (done.code, host.seen, keychain) == (2, [], {})
    assert "capcli --env demo login --status" in done.err


def test_credentials_on_stdin_that_are_refused_are_told_not_to_be_stored(capcli, keychain, broker):
    done = capcli("login", "--env", "demo", "--stdin", "--json", stdin=BAD, runtime=broker())
    assert (done.code, done.error["code"]) == (4, "LOGIN_REFUSED")
    assert done.error["message"].endswith("Nothing was stored.")


@pytest.mark.parametrize("leaves", [EOFError, KeyboardInterrupt])
def test_leaving_after_a_refused_try_does_not_claim_that_nothing_was_sent(
    capcli, keychain, host, broker, monkeypatch, leaves
):
    answers = ["paper", "login-password"]

    def answer(_prompt, stream):
        if answers:
            return answers.pop(0)
        raise leaves

    monkeypatch.setattr("getpass.getpass", answer)
    done = capcli("login", "--env", "demo", typed="paper\n" * 3, runtime=broker())
    assert (done.code, "POST /session" in host.seen, keychain) == (130, True, {})
    assert "Nothing was stored." in done.err.splitlines()[-1]
    assert "Nothing was sent" not in done.err


def test_ctrl_c_while_the_broker_tries_the_key_stores_nothing_and_says_so(
    capcli, keychain, host, broker, types
):
    types("paper")
    host.answers["POST /session"] = KeyboardInterrupt()
    done = capcli("login", "--env", "demo", typed="paper\n", runtime=broker())
    assert (done.code, keychain) == (130, {})
    assert "Interrupted. Nothing was stored." in done.err


def test_ctrl_c_while_the_keychain_stores_the_key_promises_nothing(capcli, keychain, broker, monkeypatch):
    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "set_password", pressed)
    done = capcli("login", "--env", "demo", "--stdin", stdin=GOOD, runtime=broker())
    assert (done.code, "Nothing was" in done.err) == (130, False)
    assert "login --status" in done.err


def test_json_is_not_typed_at_a_terminal(capcli, host, broker):
    done = capcli("login", "--env", "demo", "--stdin", typed=GOOD, runtime=broker())
    assert (done.code, host.seen, "it would be visible on the screen" in done.err) == (2, [], True)


def test_a_login_does_not_carry_what_a_profile_allows_to_another_environment(capcli, keychain):
    assert capcli("config", "set", "CAP_ENV", "demo").code == 0
    assert capcli("config", "set", "CAP_ALLOW_TRADING", "true").code == 0

    refused = capcli("login", "--env", "live", "--stdin", "--json", stdin=KEYS)

    assert (refused.code, refused.error["code"]) == (2, "USAGE")
    assert "allow_trading there was meant for demo" in refused.error["message"]
    assert keychain == {}
