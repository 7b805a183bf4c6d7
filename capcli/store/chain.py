"""Transactions of the journal: each extends the event chain, and is compared with the stored record."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock

from capcli.domain.chain import Anchor, Inspection, JournalBreak, Mark
from capcli.errors import JournalAltered, StateFolderUnusable
from capcli.store import seals
from capcli.store.audit import inspect
from capcli.store.custody import Custody, OpenRecord, asking, new_identity
from capcli.store.db import Database
from capcli.store.events import Append, Event, append
from capcli.store.records import stamp

_LOOKS = 3


class Chain:
    """Opens transactions of one journal file, one thread at a time. `key` and `anchor` ask the keychain."""

    def __init__(
        self,
        database: Database,
        custody: Custody,
        key: Callable[[], bytes | None],
        anchor: Callable[[], Anchor | None],
    ) -> None:
        self._db = database
        self._custody = custody
        self._key = key
        self._anchor = anchor
        self._one_at_a_time = RLock()
        self._last_key: bytes | None = None
        self.keyed_head: tuple[int, str] | None = None
        """Number and hash of the last event that this process wrote with the chain's key."""

    def close(self) -> None:
        """Close the file. The last process checkpoints it, so its record is renewed."""
        with self._one_at_a_time:
            if not self._db.is_open:
                return
            with self._custody.open_record(self._last_key) as opened:
                self._db.close()
                with suppress(StateFolderUnusable):
                    opened.restamp()

    @contextmanager
    def writing(
        self, *, risk: bool = False, accepting: bool = False, wait_s: float | None = None
    ) -> Iterator[tuple[sqlite3.Connection, Append]]:
        """Open a transaction that extends the chain. The key is fetched before the lock is taken.

        The transaction's last event covers all rows that it changed. `risk`: refuse on a changed journal;
        `accepting`: start a new record. With `wait_s`, for optional writes, any trouble refuses.
        """
        self._last_key = key = self._key()
        events: list[Event] = []
        with self._one_at_a_time, self._custody.open_record(key, wait_s) as opened:
            with self._db.transaction() as connection:
                opened.compare(asking(connection))
                if risk:
                    self._require_intact(opened)
                if wait_s is not None and opened.trouble is not None:
                    raise opened.trouble
                yield connection, events.append
                identity = self._identify(connection, events, opened)
                head = _append(connection, events, key)
            if head is None or identity is None:
                return
            self.keyed_head = head if key is not None else self.keyed_head
            if accepting:
                opened.keep(identity, head)
            elif opened.trouble is None:
                # A missing record is noticed before the next order; this change is made.
                with suppress(StateFolderUnusable):
                    opened.keep(identity, head)

    def _identify(
        self, connection: sqlite3.Connection, events: list[Event], opened: OpenRecord
    ) -> str | None:
        """Return the journal's id, created with its first event."""
        identity = self._custody.identity(asking(connection))
        if identity is None and events:
            at, identity = events[0].at, new_identity()
            connection.execute(
                "INSERT INTO switches VALUES ('journal', ?, 'first use', ?)", (identity, stamp(at))
            )
            events.insert(0, Event("begin", at))
            opened.begun()
        return identity

    def require_intact(self) -> None:
        """Refuse new risk on a changed journal. Raises JournalBehind, JournalAltered.

        If other programs touched the files, the whole journal is checked first, while others may write.
        """
        for _ in range(_LOOKS):
            key = self._key()
            with self._one_at_a_time, self._custody.open_record(key) as opened:
                opened.compare(self._db.row)
                if opened.trouble is not None:
                    raise opened.trouble
                if opened.untouched or opened.record is None:
                    return
                before = self._custody.stamp()
            self._require_unchanged(key, opened)
            with self._one_at_a_time, self._custody.open_record(key) as opened:
                if self._custody.stamp() == before and opened.record is not None:
                    opened.untouched = True
                    opened.renew()
                    return

    def _require_intact(self, opened: OpenRecord) -> None:
        """Refuse in the transaction that would send new risk; no other process writes meanwhile."""
        if opened.trouble is not None:
            raise opened.trouble
        if not opened.untouched:
            self._require_unchanged(opened.key, opened)
            opened.untouched = True
        # A record that cannot be written would let the journal go back in time unnoticed.
        opened.renew()

    def _require_unchanged(self, key: bytes | None, opened: OpenRecord) -> None:
        anchor = self._anchor() if key is not None else None
        marks = [one.mark for one in (opened.record, anchor) if one is not None]
        found = self.inspect(key, marks)
        if found.breaks:
            first = found.breaks[0]
            raise JournalAltered(
                f"The journal has been altered: {first.table} {first.row}: {first.fault}.",
                "Nothing was sent.",
                next="capcli history verify",
            )

    def inspect(
        self,
        key: bytes | None,
        marks: Sequence[Mark] = (),
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Inspection:
        """Compare the file with its event chain, and with the marks. Raises JournalUnreadable."""
        with self._db.fresh() as connection:
            return inspect(connection, key, self._db.migrations, marks, progress)

    def remembered(self) -> JournalBreak | None:
        """Compare the journal with its record outside its folder; None if they match."""
        opened = self._custody.read_record(self._key())
        opened.compare(self._db.row)
        if opened.trouble is None:
            return None
        return JournalBreak(
            "record", opened.record.journal[:12] if opened.record else "", opened.trouble.message
        )


def _append(
    connection: sqlite3.Connection, events: Sequence[Event], key: bytes | None
) -> tuple[int, str] | None:
    """Append a transaction's events, the last with the rows' seals; return the chain's end."""
    rows = seals.changed(connection)
    if rows and not events:
        raise ValueError(f"No event tells why {rows[0].table} {rows[0].key} changed")
    head = None
    for number, event in enumerate(events, 1):
        head = append(connection, event, rows if number == len(events) else (), key)
    return head
