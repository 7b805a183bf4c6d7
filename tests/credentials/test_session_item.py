"""Sessions in the keychain: one item a profile and env, and a file where the keychain does not work."""

import json
import time
from datetime import UTC, datetime

import keyring.errors
import pytest
from msgspec.structs import replace

from capcli.credentials import session_item
from capcli.credentials.session_item import FirstUsableCache, KeychainSessionCache
from capcli.credentials.sessions import FileSessionCache
from capcli.errors import KeychainLocked, KeychainSilent
from capcli.ports.login import StoredSession

from .stores import Failing, Forgetful, Hanging, Store

AT = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
SESSION = StoredSession("cst-S3cr3t", "tok-S3cr3t", "42", "7", "USD", 60, AT, "0123456789abcdef")
ITEM = ("capcli/main/demo/session", "capcli")
HOST = "https://demo.example"


def in_keychain(account: str = "", host: str = HOST, deadline_s: float = 3) -> KeychainSessionCache:
    return KeychainSessionCache(ITEM[0], host, account, deadline_s)


def first_usable(folder, keychain: KeychainSessionCache | None) -> FirstUsableCache:
    return FirstUsableCache(keychain, FileSessionCache(folder, "key"))


def test_a_session_comes_back_from_its_item(store):
    assert in_keychain().load() is None

    assert in_keychain().save(SESSION)

    assert in_keychain().load() == SESSION
    document = json.loads(store.items[ITEM])
    assert document["host"] == HOST
    assert document["sessions"][""]["fingerprint"] == SESSION.fingerprint


def test_accounts_have_sessions_of_their_own(store):
    other = replace(SESSION, cst="other", account_id="43")
    in_keychain().save(SESSION)
    in_keychain("43").save(other)

    assert (in_keychain().load(), in_keychain("43").load()) == (SESSION, other)
    in_keychain("43").drop()
    assert (in_keychain().load(), in_keychain("43").load()) == (SESSION, None)


def test_a_session_of_another_host_is_not_seen_and_makes_way(store):
    in_keychain().save(SESSION)
    elsewhere = in_keychain(host="https://live.example")

    assert elsewhere.load() is None
    elsewhere.save(replace(SESSION, cst="live"))

    assert in_keychain().load() is None


def test_dropping_the_last_session_removes_the_item(store):
    in_keychain().save(SESSION)
    in_keychain().drop()
    in_keychain().drop()
    assert store.items == {}


def test_forgetting_removes_the_sessions_of_all_accounts(store):
    in_keychain().save(SESSION)
    in_keychain("43").save(SESSION)
    in_keychain().forget()
    in_keychain().forget()
    assert store.items == {}


def test_the_item_never_outgrows_the_windows_store_and_keeps_the_newest(store):
    for number in range(8):
        in_keychain(str(number)).save(replace(SESSION, account_id=str(number)))
        assert len(store.items[ITEM]) < 1280

    assert in_keychain("7").load() == replace(SESSION, account_id="7")
    assert in_keychain("0").load() is None


def test_a_session_that_no_item_holds_rests_in_the_file(store, tmp_path):
    long = replace(SESSION, cst="x" * 1300)
    cache = first_usable(tmp_path / "run", in_keychain())

    cache.save(long)

    assert store.items == {}
    assert first_usable(tmp_path / "run", in_keychain()).load() == long


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "7", "null", '{"host": "https://demo.example"}', "[" * 9999]
)
def test_any_content_is_no_session(store, text):
    store.items[ITEM] = text
    assert in_keychain().load() is None


@pytest.mark.parametrize("kept", [None, 7, [], {}, {"cst": 1}, "text"])
def test_fields_of_another_kind_are_no_session(store, kept):
    store.items[ITEM] = json.dumps({"host": HOST, "sessions": {"": kept}})
    assert in_keychain().load() is None
    assert in_keychain().save(SESSION)
    assert in_keychain().load() == SESSION


@pytest.mark.parametrize("sessions", [[], "text", 7, None])
def test_sessions_of_another_kind_are_none(store, sessions):
    store.items[ITEM] = json.dumps({"host": HOST, "sessions": sessions})
    assert in_keychain().load() is None


def test_the_keychain_is_used_before_the_file(store, tmp_path):
    cache = first_usable(tmp_path / "run", in_keychain())
    cache.file.save(replace(SESSION, cst="from a time when it was locked"))

    cache.save(SESSION)

    assert cache.load() == SESSION
    assert cache.file.load() is None
    assert cache.describe() == "keychain item capcli/main/demo/session"


@pytest.mark.parametrize("in_store", [True, False])
def test_a_default_session_is_kept_for_no_account_where_there_is_none(store, tmp_path, in_store):
    other = replace(SESSION, cst="other")
    named = FirstUsableCache(
        in_keychain("43") if in_store else None, FileSessionCache(tmp_path / "run", "key", "43")
    )
    default = first_usable(tmp_path / "run", in_keychain() if in_store else None)

    named.save_default(SESSION)
    named.save_default(other)

    assert (default.load(), named.load()) == (SESSION, None)


def test_a_default_session_does_not_ask_a_silent_keychain_again(use_store, tmp_path):
    silent = Hanging()
    use_store(silent)
    cache = first_usable(tmp_path / "run", in_keychain("43", deadline_s=0.05))
    cache.load()

    cache.save_default(SESSION)

    assert (silent.asked, cache.file.load()) == (1, SESSION)


def test_a_locked_keychain_leaves_the_file(use_store, tmp_path):
    use_store(Failing(keyring.errors.KeyringLocked))
    cache = first_usable(tmp_path / "run", in_keychain())

    cache.save(SESSION)

    assert isinstance(cache.trouble, KeychainLocked)
    assert first_usable(tmp_path / "run", in_keychain()).load() == SESSION
    assert cache.describe() == f"file {cache.file.file}; the keychain is not used (KEYCHAIN_LOCKED)"


def test_a_silent_keychain_costs_one_deadline_a_process(use_store, tmp_path):
    silent = Hanging()
    use_store(silent)
    cache = first_usable(tmp_path / "run", in_keychain(deadline_s=0.05))

    for _ in range(3):
        cache.load()
        cache.save(SESSION)
        cache.drop()
        cache.describe()

    assert silent.asked == 1
    assert isinstance(cache.trouble, KeychainSilent)


def test_a_long_process_asks_a_keychain_again_that_was_locked_at_first(use_store, tmp_path, monkeypatch):
    use_store(Failing(keyring.errors.KeyringLocked))
    cache = first_usable(tmp_path / "run", in_keychain())
    cache.save(SESSION)
    assert isinstance(cache.just_failed(), KeychainLocked)
    use_store(Store())

    now = time.monotonic() + 61
    monkeypatch.setattr(session_item, "monotonic", lambda: now)
    cache.save(SESSION)

    assert cache.just_failed() is None
    assert cache.describe() == "keychain item capcli/main/demo/session"


def test_a_keychain_that_forgets_leaves_the_file(use_store, tmp_path):
    use_store(Forgetful())
    first_usable(tmp_path / "run", in_keychain()).save(SESSION)

    assert first_usable(tmp_path / "run", in_keychain()).load() == SESSION


def test_without_keychain_and_folder_nothing_is_kept_and_that_is_said():
    cache = first_usable(None, None)
    cache.save(SESSION)
    assert cache.load() is None
    assert cache.describe().startswith("not cached")


def test_forgetting_takes_the_files_of_all_accounts_of_the_key(tmp_path):
    caches = [FileSessionCache(tmp_path / "run", "key", account) for account in ("", "42", "43")]
    other = FileSessionCache(tmp_path / "run", "other key", "42")
    for cache in (*caches, other):
        cache.save(SESSION)
    assert len({cache.file for cache in caches}) == 3

    caches[1].forget()

    assert [cache.load() for cache in caches] == [None] * 3
    assert other.load() == SESSION


def test_taking_all_sessions_out_empties_the_item_and_the_files(store, tmp_path):
    other, filed = replace(SESSION, cst="other", account_id="43"), replace(SESSION, cst="filed")
    in_keychain().save(SESSION)
    in_keychain("43").save(other)
    FileSessionCache(tmp_path / "run", "key", "44").save(filed)

    assert set(first_usable(tmp_path / "run", in_keychain()).take_all()) == {SESSION, other, filed}

    assert store.items == {}
    assert first_usable(tmp_path / "run", in_keychain()).take_all() == ()


def test_a_keychain_in_trouble_gives_no_sessions_out_and_the_file_keeps_its_own(use_store, tmp_path):
    use_store(Failing(keyring.errors.KeyringLocked))
    cache = first_usable(tmp_path / "run", in_keychain())
    cache.file.save(SESSION)

    for _ in range(2):
        with pytest.raises(KeychainLocked):
            cache.take_all()

    assert cache.file.load() == SESSION


def test_a_keychain_unlocked_since_gives_its_sessions_out_at_once(use_store, tmp_path, monkeypatch):
    use_store(Failing(keyring.errors.KeyringLocked))
    cache = first_usable(tmp_path / "run", in_keychain())
    assert cache.load() is None
    use_store(Store())
    in_keychain().save(SESSION)

    now = time.monotonic() + 6
    monkeypatch.setattr(session_item, "monotonic", lambda: now)

    assert cache.take_all() == (SESSION,)
