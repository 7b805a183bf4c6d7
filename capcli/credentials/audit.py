"""The keychain item of a journal: the key of its event chain, and where the chain ended.

An order never fails because of it: without the keychain rows get a plain hash, marked as such.
"""

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import TypeVar

from msgspec.structs import replace

from capcli.credentials.keychain import Item
from capcli.domain.chain import Anchor
from capcli.errors import CapcliError, ConfigError
from capcli.system import file_lock

T = TypeVar("T")

_KEY_BYTES = 32
_LEFT_ALONE_S = 60.0
_LOCK_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class AuditItem:
    """One item for each journal file of this user, named after its place. Raises what the keychain does."""

    journal: Path
    deadline_s: float

    @property
    def item(self) -> str:
        # Links to the folder are resolved: it is the same journal.
        journal = self.journal.parent.resolve() / self.journal.name
        place = sha256(str(journal).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        return f"capcli/journal/{place}"

    def load(self) -> Anchor | None:
        """Return the stored anchor, None without one. Raises ConfigError for an unreadable item."""
        text = Item(self.item, self.deadline_s).read()
        if text is None:
            return None
        try:
            document = json.loads(text)
            return Anchor(bytes.fromhex(document["key"]), int(document["count"]), str(document["head"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"The keychain item {self.item} cannot be read ({type(error).__name__}), so the journal"
                f" can no longer be verified.",
                next="capcli history accept",
            ) from None

    def begin(self) -> Anchor:
        """Store a new key and return it as read back."""
        self.save(Anchor(secrets.token_bytes(_KEY_BYTES)))
        kept = self.load()
        if kept is None:
            raise ConfigError(f"The keychain accepted the item {self.item} but does not return it.")
        return kept

    def save(self, anchor: Anchor) -> None:
        document = {"key": anchor.key.hex(), "count": anchor.count, "head": anchor.head}
        Item(self.item, self.deadline_s).write(json.dumps(document))


@dataclass(slots=True)
class ChainSeal:
    """The chain's key for one process, read once, and the stored end of the chain.

    `just_failed` returns a recent failure of the keychain: it is not asked again then.
    A lock file serialises the processes, so that one key is made and the end never moves back.
    """

    item: AuditItem
    lock: Path
    just_failed: Callable[[], CapcliError | None]
    _key: bytes | None = field(default=None, init=False)
    anchored: tuple[int, str] | None = field(default=None, init=False)
    _failed_at: float | None = field(default=None, init=False)
    _guard: RLock = field(default_factory=RLock, init=False)

    def key(self) -> bytes | None:
        """Return the chain's key, created at first use; None while the keychain is unavailable."""
        with self._guard:
            if self._key is None and not self._left_alone():
                self._key = self._tried(self._made)
            return self._key

    def remembered(self) -> Anchor | None:
        """Return the journal's anchor; None while the keychain is unavailable."""
        with suppress(CapcliError):
            return self.item.load()
        return None

    def anchor(self, head: tuple[int, str] | None) -> None:
        """Store the chain's end in the keychain, if it has an earlier one. Never raises."""
        with self._guard:
            if head is None or head == self.anchored or self._left_alone():
                return
            self._tried(lambda: self._moved_on(*head))
            self.anchored = head

    def _made(self) -> bytes:
        found = self.item.load()
        if found is None:
            with file_lock(self.lock, wait_s=_LOCK_WAIT_S):
                found = self.item.load() or self.item.begin()
        return found.key

    def _moved_on(self, count: int, head: str) -> None:
        with file_lock(self.lock, wait_s=_LOCK_WAIT_S):
            kept = self.item.load()
            if kept is not None and kept.key == self._key and kept.count < count:
                self.item.save(replace(kept, count=count, head=head))

    def _tried(self, use: Callable[[], T]) -> T | None:
        with suppress(CapcliError, OSError):
            return use()
        self._failed_at = monotonic()
        return None

    def _left_alone(self) -> bool:
        if self.just_failed() is not None:
            return True
        return self._failed_at is not None and monotonic() - self._failed_at < _LEFT_ALONE_S
