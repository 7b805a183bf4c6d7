"""Keyring backends that stand for the operating system's stores."""

import json
import os
import threading
from pathlib import Path

import keyring.backend
import keyring.errors


class Store(keyring.backend.KeyringBackend):
    """A protected store that keeps what it is given."""

    priority = 9

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.items.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("No such password!")


class Hanging(Store):
    """A store whose window nobody answers, until the test lets go."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self._hang()
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self._hang()

    def _hang(self) -> None:
        self.asked += 1
        self.released.wait(60)


class Failing(Store):
    """A store that answers everything with one error, and repeats the secret in it."""

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__()
        self.kind = kind

    def get_password(self, service: str, username: str) -> str | None:
        raise self.kind("while reading")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.kind(f"cannot store {password}")


class Forgetful(Store):
    """A store that takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Shared(Store):
    """A store that several processes share: the file that TEST_KEYCHAIN names."""

    @property
    def _file(self) -> Path:
        return Path(os.environ["TEST_KEYCHAIN"])

    def _all(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        return found

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service}\n{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file.write_text(json.dumps(self._all() | {f"{service}\n{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        kept = self._all()
        if kept.pop(f"{service}\n{username}", None) is None:
            raise keyring.errors.PasswordDeleteError("No such password!")
        self._file.write_text(json.dumps(kept))
