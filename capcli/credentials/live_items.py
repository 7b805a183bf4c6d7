"""The keychain items that guard live, of one profile: the PIN's hash, and the completed checklist."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec.structs import asdict

from capcli.credentials.keychain import Item
from capcli.domain.going_live import PinHash, Unlock
from capcli.domain.hosts import HostKind
from capcli.errors import ConfigError, KeychainUnsafe

T = TypeVar("T")


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
        return Item(self.item, self.deadline_s).read()

    def write(self, text: str) -> None:
        """Store a text and read it back. Raises KeychainUnsafe if it was not stored."""
        if not Item(self.item, self.deadline_s).write(text):
            raise KeychainUnsafe(
                f"The keychain accepted the item {self.item} but does not return it. Nothing is stored"
                f" there.",
                next="python -m keyring diagnose",
            )

    def drop(self) -> None:
        """Remove the item, if it is there."""
        Item(self.item, self.deadline_s).remove()

    def load(self, read: Callable[[str], T]) -> T | None:
        """Return the item parsed by `read`. Raises ConfigError for an unreadable text."""
        text = self.read()
        try:
            return None if text is None else read(text)
        except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
            kind = type(error).__name__
        # Raised out here: nothing of the text is repeated.
        raise ConfigError(
            f"The keychain item {self.item} cannot be read ({kind}). Live stays locked."
            f" Start over: forget the login of live, log in, and complete the checklist.",
            next="capcli logout --forget --env live",
        )


@dataclass(frozen=True, slots=True)
class PinItem:
    """The `PinKeeper` port: the hash, its salt and cost, and the count of wrong tries, as JSON."""

    item: LiveItem

    def load(self) -> PinHash | None:
        return self.item.load(_pin_of)

    def save(self, pin: PinHash) -> None:
        fields = asdict(pin) | {"hash": pin.hash.hex(), "salt": pin.salt.hex()}
        self.item.write(msgspec.json.encode(fields).decode())


def _pin_of(text: str) -> PinHash:
    fields = json.loads(text)
    in_bytes = {name: bytes.fromhex(fields[name]) for name in ("hash", "salt")}
    return msgspec.convert(fields | in_bytes, PinHash)


@dataclass(frozen=True, slots=True)
class UnlockItem:
    """The `UnlockKeeper` port: the place and time of an unlock of live, and who approves there, as JSON."""

    item: LiveItem

    def load(self) -> Unlock | None:
        return self.item.load(lambda text: msgspec.json.decode(text, type=Unlock))

    def save(self, unlock: Unlock) -> None:
        self.item.write(msgspec.json.encode(unlock).decode())


class LiveItems:
    """The items that guard live for one profile. An unlock on one kind of host is no unlock on another."""

    def __init__(self, profile: str, kind: HostKind, deadline_s: float) -> None:
        self._unlocks = {
            each: LiveItem(profile, "unlocked" if each is HostKind.BROKER else f"unlocked-{each}", deadline_s)
            for each in HostKind
        }
        self.pin = PinItem(LiveItem(profile, "pin", deadline_s))
        self.unlock = UnlockItem(self._unlocks[kind])

    def drop(self) -> None:
        """Forget the PIN and every completed checklist. Raises what the keychain does."""
        for item in (*self._unlocks.values(), self.pin.item):
            item.drop()
