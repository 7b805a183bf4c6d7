"""The operating system's keychain, replaced for one test."""

from collections.abc import Callable, Iterator

import keyring.backend
import keyring.core
import pytest

from .stores import Hanging, Store

Use = Callable[[keyring.backend.KeyringBackend], None]


@pytest.fixture
def use_store() -> Iterator[Use]:
    """Put a store in the operating system's place."""
    before = keyring.core._keyring_backend
    used: list[keyring.backend.KeyringBackend] = []

    def use(store: keyring.backend.KeyringBackend) -> None:
        used.append(store)
        keyring.set_keyring(store)

    yield use
    keyring.core._keyring_backend = before
    for store in used:
        if isinstance(store, Hanging):
            store.released.set()


@pytest.fixture
def store(use_store: Use) -> Store:
    found = Store()
    use_store(found)
    return found
