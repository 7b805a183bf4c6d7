"""The event chain: one row for every change and decision, each with the hash of the row before it.

An event also carries the seals of the rows that changed with it.
With a key the hash is an HMAC, and says so in front; without one it is a plain SHA-256.
"""

import hmac
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from msgspec import Struct, field

from capcli.store.records import stamp
from capcli.store.seals import Seal

FIRST_HASH = "0" * 64
KEYED = "hmac-sha256:"


class Event(Struct, frozen=True):
    """Something that happened, to an attempt or to the journal as a whole."""

    kind: str
    at: datetime
    attempt_id: str | None = None
    from_state: str | None = None
    to_state: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


Append = Callable[[Event], None]
Writing = Callable[[], AbstractContextManager[tuple[sqlite3.Connection, Append]]]
"""Opens a transaction of the journal, in which an event tells of what changes."""


def append(
    connection: sqlite3.Connection, event: Event, rows: Sequence[Seal] = (), key: bytes | None = None
) -> tuple[int, str]:
    """Add an event at the end of the chain with the seals of what changed; return its number and hash.

    The caller holds the write lock, so the end stays the end.
    """
    last = connection.execute(
        "SELECT seq, hash FROM events WHERE seq = (SELECT max(seq) FROM events)"
    ).fetchone()
    seq, previous = (last["seq"] + 1, last["hash"]) if last else (1, FIRST_HASH)
    row = (
        seq,
        event.attempt_id,
        event.kind,
        stamp(event.at),
        event.from_state,
        event.to_state,
        as_text(event.detail),
        json.dumps(rows, separators=(",", ":")),
        previous,
    )
    connection.execute(
        """INSERT INTO events (seq, attempt_id, kind, at, from_state, to_state, detail, rows, prev_hash, hash)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (*row, sealed := chain_hash(row, key)),
    )
    return seq, sealed


def chain_hash(row: tuple[Any, ...], key: bytes | None = None) -> str:
    """Hash a row without its last column: a JSON array from seq to prev_hash, ASCII, no spaces."""
    text = json.dumps(row, separators=(",", ":")).encode("ascii")
    if key is None:
        return sha256(text).hexdigest()
    return KEYED + hmac.new(key, text, sha256).hexdigest()


def as_text(detail: Mapping[str, Any]) -> str:
    """Return facts as canonical JSON; Decimals and times as text, bytes as their hash."""
    return json.dumps(dict(detail), sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    match value:
        case datetime():
            return stamp(value)
        case Decimal():
            return str(value)
        case bytes():
            return f"sha256:{sha256(value).hexdigest()}"
        case _:
            raise ValueError(f"An event cannot hold {value!r}")
