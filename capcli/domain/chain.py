"""The journal's event chain: its known end, and breaks in it."""

from typing import Any

from msgspec import Struct


class JournalBreak(Struct, frozen=True):
    """A row of the journal that does not match its event chain: its table, its id or number, the fault."""

    table: str
    row: str
    fault: str


class Mark(Struct, frozen=True):
    """The end of a journal's chain as stored by `keeper`: the number of events and the last hash."""

    count: int
    head: str
    keeper: str


class Inspection(Struct, frozen=True):
    """The result of a check of the whole journal.

    `head` is the hash of the last event. `keyed` events are sealed with the keychain's key; `unread` of them
    could not be checked without the key. `altered` are the rows that differ from the events: table and
    primary key.
    """

    events: int
    keyed: int
    head: str
    breaks: tuple[JournalBreak, ...]
    unread: int = 0
    altered: tuple[tuple[str, tuple[Any, ...]], ...] = ()


class Anchor(Struct, frozen=True):
    """A journal's record in the keychain: the key of its chain, the number of events, the last hash."""

    key: bytes
    count: int = 0
    head: str = ""

    @property
    def mark(self) -> Mark:
        return Mark(self.count, self.head, "the keychain")

    def __repr__(self) -> str:
        return f"Anchor(count={self.count})"
