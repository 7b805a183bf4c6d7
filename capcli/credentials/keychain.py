"""The operating system's keychain, with a hard deadline around every call. keyring is loaded only here."""

import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from capcli.credentials.form import from_json, stored_at, to_json
from capcli.errors import (
    CapcliError,
    ConfigError,
    KeychainLocked,
    KeychainMissing,
    KeychainSilent,
    KeychainUnsafe,
)
from capcli.ports.login import Credentials
from capcli.settings import Env
from capcli.system import session_bus

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

DEADLINE_S = 3.0
INTERACTIVE_DEADLINE_S = 60.0
"""With a person there, the keychain's own window may be open."""

_BUS = "DBUS_SESSION_BUS_ADDRESS"
_USER = "capcli"
"""Fixed: the Windows store keeps one user per service and moves the others to compound names."""

_UNSAFE = ("keyring.backends.null", "keyring.backends.chainer", "keyrings.alt")
_INSTEAD = "Without a keychain, set CAP_API_KEY, CAP_IDENTIFIER and CAP_API_PASSWORD (or _FILE, or _CMD)."


_UNLOCK = {"darwin": "security unlock-keychain", "win32": "capcli login --status"}
_KNOWN = {
    "keyring.backends.SecretService": "Secret Service",
    "keyring.backends.macOS": "macOS Keychain",
    "keyring.backends.Windows": "Windows Credential Manager",
    "keyring.backends.kwallet": "KWallet",
    "keyring.backends.libsecret": "Secret Service (libsecret)",
}


class Item(Struct, frozen=True):
    """One item of the keychain: a text under a name. Raises the Keychain errors, and ConfigError."""

    name: str
    deadline_s: float

    def read(self) -> str | None:
        return self.use(lambda backend: backend.get_password(self.name, _USER))

    def write(self, text: str) -> bool:
        """Store a text and read it back; False if it was not stored."""
        return self.use(lambda backend: _stored(backend, self.name, text))

    def remove(self) -> bool:
        """Remove the item; False when there was none."""

        def remove(backend: "KeyringBackend") -> bool:
            if backend.get_password(self.name, _USER) is None:
                return False
            backend.delete_password(self.name, _USER)
            return True

        return self.use(remove)

    def use(self, use: "Callable[[KeyringBackend], T]") -> T:
        return within(lambda: use(load_backend()), self.deadline_s)


def _stored(backend: "KeyringBackend", name: str, text: str) -> bool:
    backend.set_password(name, _USER, text)
    return backend.get_password(name, _USER) == text


class StoredCredentials(Struct, frozen=True):
    """The credentials of an item, and when the key was stored (None if unknown)."""

    credentials: Credentials
    stored_at: datetime | None


class Keychain:
    """The keychain item of one profile and env."""

    def __init__(self, profile: str, env: Env, deadline_s: float = DEADLINE_S) -> None:
        self.item = f"capcli/{profile}/{env}"
        self.deadline_s = deadline_s
        self._stored = Item(self.item, deadline_s)

    def load(self) -> Credentials | None:
        """Return the stored credentials, or None. Raises the Keychain errors, and ConfigError for garbage."""
        kept, _ = self.read()
        return kept.credentials if kept else None

    def read(self) -> tuple[StoredCredentials | None, str]:
        """Return the item's content and the backend's name. Raises as `load` does."""
        text, name = self._stored.use(
            lambda backend: (backend.get_password(self.item, _USER), backend_name(backend))
        )
        if text is None:
            return None, name
        return StoredCredentials(from_json(text, f"the keychain item {self.item}"), stored_at(text)), name

    def save(self, credentials: Credentials, *, at: datetime) -> None:
        """Store the credentials and read them back; an unchanged key keeps its time.

        Raises the Keychain errors, and ConfigError when they are too long.
        """
        to_json(credentials, at)  # too long: refused before the keychain is opened

        def store(backend: "KeyringBackend") -> bool:
            since = _since(backend.get_password(self.item, _USER), credentials.api_key)
            return _stored(backend, self.item, to_json(credentials, since or at))

        if not self._stored.use(store):
            raise KeychainUnsafe(
                "The keychain accepted the credentials but does not return them. They are not stored.",
                next="python -m keyring diagnose",
            )

    def delete(self) -> bool:
        """Remove the item; False when there was none. Raises the Keychain errors."""
        return self._stored.remove()

    def check(self) -> str:
        """Open the keychain and name its backend, whatever the item holds. Raises the Keychain errors."""
        return self._stored.use(
            lambda backend: (backend.get_password(self.item, _USER), backend_name(backend))
        )[1]


def _since(text: str | None, api_key: str) -> datetime | None:
    """Return when an item with this same key was stored."""
    try:
        found = from_json(text, "the keychain item") if text else None
    except CapcliError:
        return None
    return stored_at(text) if text and found and found.api_key == api_key else None


def backend_name(backend: "KeyringBackend") -> str:
    """Return a backend's name for messages."""
    kind = type(backend)
    return _KNOWN.get(kind.__module__, f"{kind.__module__}.{kind.__qualname__}")


def load_backend() -> "KeyringBackend":
    """Return the protected store: the user's own choice (variable, keyringrc.cfg), else the platform's.

    Detection by keyring itself would import every backend (70 ms) and may fall back to a plain file.
    """
    from keyring import core

    if sys.platform == "linux" and not os.environ.get(_BUS) and (bus := session_bus()) is not None:
        # keyring's library needs the user's session bus, which a bare environment does not name.
        os.environ[_BUS] = f"unix:path={bus}"
    embedding = getattr(core, "_keyring_backend", None)  # set by keyring.set_keyring, as tests do
    try:
        backend = embedding or core.load_env() or core.load_config() or core.load_keyring(_platform_store())
    except Exception as error:  # noqa: BLE001 - whatever the backend's import or start raises
        raise _not_loaded(error) from None
    return _protected(backend)


def _platform_store() -> str:
    stores = {"darwin": "macOS.Keyring", "win32": "Windows.WinVaultKeyring"}
    return f"keyring.backends.{stores.get(sys.platform, 'SecretService.Keyring')}"


def _not_loaded(error: Exception) -> ConfigError:
    chosen = os.environ.get("PYTHON_KEYRING_BACKEND")
    if chosen:
        return KeychainMissing(
            f"PYTHON_KEYRING_BACKEND names {chosen}, which cannot be loaded ({error}).",
            _INSTEAD,
            next="unset PYTHON_KEYRING_BACKEND",
        )
    return KeychainMissing(
        f"This computer offers no keychain to this process ({error}).",
        _INSTEAD,
        next="capcli help environment",
    )


def _protected(backend: "KeyringBackend") -> "KeyringBackend":
    name = f"{type(backend).__module__}.{type(backend).__qualname__}"
    if name.startswith("keyring.backends.fail"):
        raise KeychainMissing(
            f"keyring is configured to use no keychain ({name}).",
            _INSTEAD,
            next="python -m keyring diagnose",
        )
    if name.startswith(_UNSAFE) or "plaintext" in name.lower() or backend.priority < 1:
        raise KeychainUnsafe(
            f"keyring is configured to use {name}, which does not protect what it stores. Nothing was stored"
            f" or read. Choose another backend.",
            _INSTEAD,
            next="python -m keyring diagnose",
        )
    return backend


def within(call: Callable[[], T], deadline_s: float) -> T:
    """Run a keychain call in a daemon thread: a prompt that nobody answers must not hang the process."""
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            answers.put((None, error))

    threading.Thread(target=run, name="capcli-keychain", daemon=True).start()
    answer = _awaited(answers, deadline_s)
    if answer is None:
        raise KeychainSilent(
            f"The keychain did not answer within {deadline_s:g} s; it may be asking for its password in a"
            " window. Answer there, then try again.",
            "Nothing was sent.",
            next="capcli login --status",
        )
    value, error = answer
    if error is not None:
        raise _explained(error)
    return value  # type: ignore[return-value]  # None only where T allows it


def _awaited(answers: "queue.SimpleQueue[T]", deadline_s: float) -> T | None:
    """Return the answer, or None. With a person, report the wait after the usual time."""
    with suppress(queue.Empty):
        return answers.get(timeout=min(deadline_s, DEADLINE_S))
    if deadline_s > DEADLINE_S:
        import logging

        logging.getLogger("capcli.keychain").warning(
            "no answer yet; the keychain may be asking for its password in a window"
        )
        with suppress(queue.Empty):
            return answers.get(timeout=deadline_s - DEADLINE_S)
    return None


def _explained(error: BaseException) -> BaseException:
    """Turn a backend's exceptions into our errors, without their text: it may hold the secret."""
    if isinstance(error, CapcliError) or not isinstance(error, Exception):
        return error
    kind = type(error).__name__
    if any(word in kind for word in ("Locked", "Prompt", "Dismissed")):
        return KeychainLocked(
            "The keychain is locked. Nothing was stored, read or sent. Unlock it (the next command takes its"
            " password; on a desktop its own window does), then try again.",
            next=_UNLOCK.get(sys.platform, "gnome-keyring-daemon --replace --unlock"),
        )
    if kind in {"NoKeyringError", "InitError"}:
        return KeychainMissing(
            f"This computer's keychain cannot be opened or set up by this process ({kind}).",
            _INSTEAD,
            next="capcli help environment",
        )
    return ConfigError(
        f"The keychain failed ({kind}). Nothing was sent.", _INSTEAD, next="python -m keyring diagnose"
    )
