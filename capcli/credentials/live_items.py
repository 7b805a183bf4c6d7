"""The keychain items that guard live, of one profile: the PIN's hash, and the completed checklist."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from capcli.credentials.keychain import load_backend, within
from capcli.domain.going_live import Approval, Unlock
from capcli.errors import ConfigError, KeychainUnsafe
from capcli.ports import PinHash

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

_USER = "capcli"


@dataclass(frozen=True, slots=True)
class LiveItem:
    """One item beside the live credentials of a profile, as text. Raises what the keychain does."""

    profile: str
    name: str
    deadline_s: float

    @property
    def item(self) -> str:
        return f"capcli/{self.profile}/live/{self.name}"

    def read(self) -> str | None:
        """Return what the item holds, None without one."""
        return self._within(lambda backend: backend.get_password(self.item, _USER))

    def write(self, text: str) -> None:
        """Store a text and read it back. Raises KeychainUnsafe where it did not stay."""

        def store(backend: "KeyringBackend") -> bool:
            backend.set_password(self.item, _USER, text)
            return backend.get_password(self.item, _USER) == text

        if not self._within(store):
            raise KeychainUnsafe(
                f"The keychain accepted the item {self.item} but does not return it. Nothing is stored"
                f" there.",
                next="python -m keyring diagnose",
            )

    def drop(self) -> None:
        """Remove the item, if it is there."""

        def remove(backend: "KeyringBackend") -> None:
            if backend.get_password(self.item, _USER) is not None:
                backend.delete_password(self.item, _USER)

        self._within(remove)

    def garbled(self, error: Exception) -> ConfigError:
        """Return the error for a text that cannot be read; none of it is repeated."""
        return ConfigError(
            f"The keychain item {self.item} cannot be read ({type(error).__name__}). Live stays locked."
            f" Start over: forget the login of live, log in, and complete the checklist.",
            next="capcli logout --forget --env live",
        )

    def _within(self, use: "Callable[[KeyringBackend], T]") -> T:
        return within(lambda: use(load_backend()), self.deadline_s)


@dataclass(frozen=True, slots=True)
class PinItem:
    """The `PinKeeper` port: the hash, its salt and cost, and the count of wrong tries, as JSON."""

    item: LiveItem

    def load(self) -> PinHash | None:
        text = self.item.read()
        if text is None:
            return None
        try:
            held = json.loads(text)
            at = held["wrong_at"]
            return PinHash(
                bytes.fromhex(held["hash"]),
                bytes.fromhex(held["salt"]),
                int(held["n"]),
                int(held["r"]),
                int(held["p"]),
                int(held["wrong"]),
                None if at is None else datetime.fromisoformat(at),
            )
        except (ValueError, TypeError, KeyError) as error:
            garbled = self.item.garbled(error)
        raise garbled

    def save(self, pin: PinHash) -> None:
        at = None if pin.wrong_at is None else pin.wrong_at.isoformat()
        held = {"hash": pin.hash.hex(), "salt": pin.salt.hex(), "n": pin.n, "r": pin.r, "p": pin.p}
        self.item.write(json.dumps(held | {"wrong": pin.wrong, "wrong_at": at}))


@dataclass(frozen=True, slots=True)
class UnlockItem:
    """The `UnlockKeeper` port: for which place live was unlocked, when, and who approves there, as JSON."""

    item: LiveItem

    def load(self) -> Unlock | None:
        text = self.item.read()
        if text is None:
            return None
        try:
            held = json.loads(text)
            return Unlock(
                str(held["place"]), datetime.fromisoformat(held["at"]), Approval(str(held["approval"]))
            )
        except (ValueError, TypeError, KeyError) as error:
            garbled = self.item.garbled(error)
        raise garbled

    def save(self, unlock: Unlock) -> None:
        held = {"place": unlock.place, "at": unlock.at.isoformat(), "approval": unlock.approval.value}
        self.item.write(json.dumps(held))
