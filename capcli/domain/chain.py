"""What is known of the journal's chain of events: where it ended, and where it does not fit."""

from typing import Any

from msgspec import Struct


class JournalBreak(Struct, frozen=True):
    """A row of the journal that is not as its event chain tells: its table, its id or number, and what."""

    table: str
    row: str
    fault: str


class Mark(Struct, frozen=True):
    """How far a journal's chain came, as `keeper` remembers it: the number of events and the last hash."""

    count: int
    head: str
    keeper: str


class Inspection(Struct, frozen=True):
    """What a look through the whole journal found.

    `head` is the hash of the last event. `keyed` events are sealed with the keychain's key, and `unread` of
    those could not be checked since the key was not there. `altered` are the rows that are not as the events
    tell: table and primary key.
    """

    events: int
    keyed: int
    head: str
    breaks: tuple[JournalBreak, ...]
    unread: int = 0
    altered: tuple[tuple[str, tuple[Any, ...]], ...] = ()


class Anchor(Struct, frozen=True):
    """What the keychain keeps of a journal: the key of its chain, how many events it had, the last hash."""

    key: bytes
    count: int = 0
    head: str = ""

    @property
    def mark(self) -> Mark:
        return Mark(self.count, self.head, "the keychain")

    def __repr__(self) -> str:
        return f"Anchor(count={self.count})"
