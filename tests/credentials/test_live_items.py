"""The keychain items that guard live: what goes in comes out, and what is garbled is a lock."""

from datetime import UTC, datetime

import keyring
import pytest

from capcli.credentials.live_items import LiveItem, PinItem, UnlockItem
from capcli.domain.going_live import Approval, PinHash, Unlock
from capcli.errors import ConfigError, KeychainUnsafe
from tests.credentials.stores import Forgetful, Store

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(monkeypatch):
    found = Store()
    monkeypatch.setattr(keyring.core, "_keyring_backend", found)
    return found


def item(name):
    return LiveItem("main", name, 3.0)


def test_a_pin_hash_comes_back_with_its_count(store):
    kept = PinHash(b"\x01" * 64, b"\x02" * 16, 16384, 8, 1, 3, AT)

    PinItem(item("pin")).save(kept)

    assert PinItem(item("pin")).load() == kept
    assert list(store.items) == [("capcli/main/live/pin", "capcli")]
    assert "0202" not in repr(kept)


def test_a_completed_checklist_comes_back(store):
    kept = Unlock("place", AT, Approval.CONFIRM)

    UnlockItem(item("unlocked")).save(kept)

    assert UnlockItem(item("unlocked")).load() == kept


def test_dropping_what_is_not_there_is_no_error(store):
    item("pin").drop()

    assert PinItem(item("pin")).load() is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"place": "x", "at": "noon", "approval": "nobody"}'])
@pytest.mark.parametrize("kind", [PinItem, UnlockItem])
def test_what_is_garbled_is_not_repeated(store, kind, text):
    store.items["capcli/main/live/pin", "capcli"] = text

    with pytest.raises(ConfigError) as refused:
        kind(item("pin")).load()

    assert "noon" not in refused.value.message
    assert refused.value.next == "capcli logout --forget --env live"


def test_a_store_that_keeps_nothing_is_found_out(monkeypatch):
    monkeypatch.setattr(keyring.core, "_keyring_backend", Forgetful())

    with pytest.raises(KeychainUnsafe):
        UnlockItem(item("unlocked")).save(Unlock("place", AT, Approval.HUMAN))
