"""The keychain: what is stored, what is refused, and that nothing waits for ever."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import keyring.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.credentials.form import from_json, key_ending, masked, to_json
from capcli.credentials.keychain import Keychain, load_backend
from capcli.errors import (
    ConfigError,
    CredentialsMissing,
    KeychainLocked,
    KeychainMissing,
    KeychainSilent,
    KeychainUnsafe,
    SettingInvalid,
)
from capcli.ports.login import Credentials
from capcli.settings import Env
from tests.support.drawn import ANY

from .stores import Failing, Forgetful, Hanging, Store

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
CREDENTIALS = Credentials("kEy-0123456789", "jane@example.com", "Secr3t!")


def chain(deadline_s: float = 3.0, *, profile: str = "main", env: Env = Env.DEMO) -> Keychain:
    return Keychain(profile, env, deadline_s)


def test_credentials_come_back_from_one_item(store):
    chain().save(CREDENTIALS, at=AT)
    assert chain().load() == CREDENTIALS
    assert list(store.items) == [("capcli/main/demo", "capcli")]


def test_profiles_and_envs_do_not_share_items(store):
    chain().save(CREDENTIALS, at=AT)
    assert chain(env=Env.LIVE).load() is None
    assert chain(profile="other").load() is None


def test_a_key_keeps_the_time_of_its_first_storing_and_another_key_gets_its_own(store):
    later = AT + timedelta(days=30)
    chain().save(CREDENTIALS, at=AT)
    chain().save(Credentials(CREDENTIALS.api_key, "jane@example.com", "typed anew"), at=later)
    kept, _ = chain().read()
    assert (kept.credentials.password, kept.stored_at) == ("typed anew", AT)
    chain().save(Credentials("another-key-1234", "jane@example.com", "p4ss"), at=later)
    assert chain().read()[0].stored_at == later


@pytest.mark.parametrize("stamp", ["", ',"stored_at":"2026-11-25"', ',"stored_at":7', ',"stored_at":"x"'])
def test_an_item_without_a_time_has_a_key_of_unknown_age(store, stamp):
    text = f'{{"api_key":"kkkk","identifier":"i","password":"p"{stamp}}}'
    store.set_password("capcli/main/demo", "capcli", text)
    assert chain().read()[0].stored_at is None


def test_deleting_what_is_missing_is_fine(store):
    chain().save(CREDENTIALS, at=AT)
    assert chain().delete() is True
    assert chain().delete() is False
    assert chain().load() is None


def test_backend_is_named(store):
    assert chain().check().endswith("stores.Store")


@pytest.mark.parametrize(
    "use",
    [Keychain.load, Keychain.delete, lambda chain: chain.save(CREDENTIALS, at=AT)],
    ids=["load", "delete", "save"],
)
def test_window_that_nobody_answers_ends_at_the_deadline(use_store, use):
    use_store(Hanging())
    with pytest.raises(KeychainSilent, match=r"within 0.05 s") as caught:
        use(chain(0.05))
    assert caught.value.next == "capcli login --status"


def test_a_person_is_told_what_is_waited_for_before_the_deadline(use_store, monkeypatch, caplog):
    monkeypatch.setattr("capcli.credentials.keychain.DEADLINE_S", 0.03)
    use_store(Hanging())
    with pytest.raises(KeychainSilent, match=r"within 0.06 s"):
        chain(0.06).load()
    assert "asking for its password in a window" in caplog.text
    caplog.clear()
    with pytest.raises(KeychainSilent):
        chain(0.03).load()
    assert caplog.text == ""


def test_process_ends_although_the_keychain_still_hangs():
    code = (
        f"import keyring, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from stores import Hanging\n"
        "from capcli.credentials.keychain import Keychain\n"
        "keyring.set_keyring(Hanging())\n"
        "try: Keychain('main', 'demo', 0.05).load()\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "KeychainSilent"


class LockedException(Exception):
    """secretstorage's name for it."""


class PromptDismissedException(Exception):
    """secretstorage's name for a window that was closed."""


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (keyring.errors.KeyringLocked, KeychainLocked),
        (LockedException, KeychainLocked),
        (PromptDismissedException, KeychainLocked),
        (keyring.errors.NoKeyringError, KeychainMissing),
        (keyring.errors.InitError, KeychainMissing),
        (keyring.errors.PasswordSetError, ConfigError),
        (OSError, ConfigError),
    ],
)
def test_backend_s_error_is_told_in_our_words(use_store, raised, told):
    use_store(Failing(raised))
    for call in (chain().load, lambda: chain().save(CREDENTIALS, at=AT)):
        with pytest.raises(ConfigError) as caught:
            call()
        assert type(caught.value) is told
        assert caught.value.exit_code == 3
        assert caught.value.next
        assert "Secr3t" not in str(caught.value.problem())
        assert caught.value.__cause__ is caught.value.__context__ is None


class PlaintextKeyring(Store):
    """Named like the one of keyrings.alt."""


class Weak(Store):
    priority = 0.5


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        (keyring.backends.null.Keyring, KeychainUnsafe),
        (keyring.backends.chainer.ChainerBackend, KeychainUnsafe),
        (PlaintextKeyring, KeychainUnsafe),
        (Weak, KeychainUnsafe),
        (Forgetful, KeychainUnsafe),
        (keyring.backends.fail.Keyring, KeychainMissing),
    ],
)
def test_store_that_does_not_protect_or_keep_is_refused(use_store, backend, told):
    use_store(backend())
    with pytest.raises(told):
        chain().save(CREDENTIALS, at=AT)


@pytest.fixture
def no_choice(monkeypatch, tmp_path, use_store):
    """Nobody chose a backend, and there is no session bus."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return monkeypatch


def test_misspelt_backend_is_named(no_choice):
    no_choice.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.Secret.Keyring")
    with pytest.raises(KeychainMissing, match=r"keyring.backends.Secret.Keyring") as caught:
        load_backend()
    assert caught.value.next == "unset PYTHON_KEYRING_BACKEND"


@pytest.mark.skipif(sys.platform != "linux", reason="the configuration folder and the bus of Linux")
def test_user_s_choice_wins_over_the_platform_s_store(no_choice, tmp_path):
    config = tmp_path / "python_keyring" / "keyringrc.cfg"
    config.parent.mkdir()
    config.write_text("[backend]\ndefault-keyring=keyring.backends.null.Keyring\n")
    with pytest.raises(KeychainUnsafe, match=r"null.Keyring"):
        load_backend()


@pytest.mark.skipif(sys.platform != "linux", reason="the bus of Linux")
def test_machine_without_a_keychain_says_what_else_works(no_choice):
    with pytest.raises(KeychainMissing, match="set CAP_API_KEY, CAP_IDENTIFIER and CAP_API_PASSWORD"):
        chain().load()


def test_credentials_that_would_not_fit_are_refused(store):
    with pytest.raises(ConfigError, match="a keychain item holds 1000"):
        chain().save(Credentials("k" * 500, "i" * 300, "p" * 300), at=AT)
    assert store.items == {}


def test_item_that_somebody_else_wrote_is_refused(store):
    wrong_kind = '{"api_key": 1, "identifier": "i", "password": "p"}'
    for text in ("", "not json", "[]", '{"api_key": "k"}', wrong_kind):
        store.set_password("capcli/main/demo", "capcli", text)
        with pytest.raises(CredentialsMissing, match="capcli/main/demo"):
            chain().load()


def test_json_from_a_pipe_may_use_the_variable_s_word():
    text = '{"api_key": "kkkk", "identifier": "i", "api_password": "p", "note": 1}'
    assert from_json(text, "stdin") == Credentials("kkkk", "i", "p")
    with pytest.raises(SettingInvalid, match="placeholder"):
        from_json(text.replace('"p"', '"your_password"'), "stdin")


@given(st.text(ANY, min_size=1, max_size=60).filter(lambda text: text.isprintable() and text == text.strip()))
def test_stored_text_fits_every_store_and_comes_back(password):
    stored = to_json(Credentials("k", "i", "x" + password), AT)
    assert from_json(stored, "item").password == "x" + password


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [("jane@example.com", "j***@example.com"), ("a@b@c.com", "a***@c.com"), ("jane", "j***"), ("@x", "@***")],
)
def test_identifier_is_masked(identifier, shown):
    assert masked(identifier) == shown


def test_ending_of_a_short_key_is_not_shown():
    assert (key_ending("abcdefgh1234"), key_ending("abcd")) == ("…1234", "…")
