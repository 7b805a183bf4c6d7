"""The journal's record outside its folder: detects a restored older copy, and foreign writes.

The guard folder has a record of each journal: its id, how far its chain came, and a stamp of its files.
capcli sets their modification time to a value of its own, so every other write shows, however soon
it comes. A matching stamp saves checking the whole file before each order.
"""

import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from sqlite3 import Connection
from time import time_ns
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from capcli.domain.chain import Mark
from capcli.errors import CapcliError, ConfigError, JournalBehind, JournalUnreadable, StateFolderUnusable
from capcli.store.events import KEYED
from capcli.system import file_lock, private_folder, put_in_place, read_guarded

KEEPER = "the guard folder"
_WAIT_S = 10.0
_SECOND_NS = 1_000_000_000

Ask = Callable[[str, tuple[Any, ...]], Any]
"""Runs a query on the journal and returns its first row, None without one."""


def asking(connection: Connection) -> Ask:
    return lambda sql, values: connection.execute(sql, values).fetchone()


class Record(Struct, frozen=True):
    """The record of a journal. Without a `stamp` its files may have been changed."""

    journal: str
    path: str
    count: int
    head: str
    stamp: str = ""

    @property
    def mark(self) -> Mark:
        return Mark(self.count, self.head, KEEPER)


@dataclass(slots=True)
class OpenRecord:
    """A journal's record, held under the lock, and the result of comparing the journal with it.

    `trouble` blocks new risk. `untouched`: the files are as capcli left them.
    """

    custody: "Custody"
    key: bytes | None
    record: Record | None = None
    trouble: CapcliError | None = None
    untouched: bool = False

    def compare(self, ask: Ask) -> None:
        """Check that the journal is the recorded one, or a later one of the same chain."""
        identity = self.custody.identity(ask)
        if self.trouble is None and identity is not None:
            self.trouble = self.custody.behind(self.record, identity, ask)
        elif self.trouble is None and self.record is not None:
            self.trouble = _replaced(self.record)

    def begun(self) -> None:
        """Treat a journal that this process just created as untouched, unless there was another one."""
        self.untouched = self.trouble is None

    def keep(self, identity: str, head: tuple[int, str]) -> None:
        """Record the chain's end. Raises StateFolderUnusable."""
        stamp = self.custody.stamp(renew=True) if self.untouched else ""
        self.record = Record(identity, str(self.custody.journal), *head, stamp)
        self.custody.write(self.record, self.key)

    def restamp(self) -> None:
        """Record the files' stamp after this process has closed them. Raises StateFolderUnusable."""
        if self.record is not None and self.untouched and self.record.stamp != self.custody.stamp():
            self.renew()

    def renew(self) -> None:
        """Keep the recorded chain, and record the files' stamp. Raises StateFolderUnusable."""
        if self.record is not None:
            self.keep(self.record.journal, (self.record.count, self.record.head))


class Custody:
    """The record of one journal file in the guard folder."""

    def __init__(self, journal: Path, guard: Path, wait_s: float = _WAIT_S) -> None:
        self.journal = journal.parent.resolve() / journal.name
        self.guard = guard
        self.wait_s = wait_s
        self.name = f"journal-{sha256(os.fsencode(self.journal)).hexdigest()[:16]}"

    @contextmanager
    def open_record(self, key: bytes | None, wait_s: float | None = None) -> Iterator[OpenRecord]:
        """Lock the record. A failure becomes its `trouble`, which does not stop writing."""
        lock = file_lock(self.guard / f"{self.name}.lock", wait_s=self.wait_s if wait_s is None else wait_s)
        with ExitStack() as stack:
            try:
                stack.enter_context(lock)
            except (CapcliError, OSError) as error:
                cause = error.message if isinstance(error, CapcliError) else str(error)
                trouble = JournalUnreadable(
                    f"The record of the journal outside its folder cannot be used: {cause} No new risk is"
                    " sent.",
                    next="capcli health",
                )
                yield OpenRecord(self, key, trouble=trouble)
                return
            yield self.read_record(key)

    def read_record(self, key: bytes | None) -> OpenRecord:
        """Return the record and compare the files with it, without the lock."""
        try:
            record, trusted = self._read(self.guard / f"{self.name}.json", key)
        except StateFolderUnusable as error:
            return OpenRecord(self, key, trouble=_forgotten(error.message))
        fits = record is not None and bool(record.stamp) and record.stamp == self.stamp()
        return OpenRecord(self, key, record, untouched=trusted and fits)

    def identity(self, ask: Ask) -> str | None:
        """Return the journal's id, None before its first write."""
        row = ask("SELECT value FROM switches WHERE name = 'journal'", ())
        return None if row is None else str(row[0])

    def behind(self, record: Record | None, identity: str, ask: Ask) -> ConfigError | None:
        """Return the error of a journal that does not match its record, here or at an earlier place."""
        known = [record] if record is not None else self._elsewhere(identity)
        if not known:
            return _forgotten(f"there is none in {self.guard}.")
        for one in known:
            if one.journal != identity:
                return _replaced(one)
            row = ask("SELECT hash FROM events WHERE seq = ?", (one.count,))
            if row is None:
                (there,) = ask("SELECT max(seq) FROM events", ())
                return _behind(
                    f"The journal is older than before: it has {there or 0} events and had {one.count}."
                    " Orders that it does not know of may be live. No new risk is sent. Put the later one"
                    " back, or accept this one."
                )
            if row[0] != one.head:
                return _behind(
                    f"The journal is not the one that was here: its event {one.count} is another one. No new"
                    " risk is sent. Put the right one back, or accept this one."
                )
        return None

    def stamp(self, *, renew: bool = False) -> str:
        """Return a stamp that changes with every write to the files; `renew` makes a new one."""
        log = self.journal.with_name(f"{self.journal.name}-wal")
        file, changed = _stamp(self.journal, renew=renew)
        # SQLite sets the owner of its log at each opening, which counts as a change of that file.
        return f"{file}:{changed} {_stamp(log, renew=renew)[0]}"

    def write(self, record: Record, key: bytes | None) -> None:
        """Write the record, sealed with the chain's key if there is one."""
        facts = asdict(record)
        private_folder(self.guard)
        content = json.dumps(facts | {"seal": _seal(facts, key)}).encode()
        try:
            # Not synced: after a power cut the journal may be ahead of its record, never behind.
            put_in_place(self.guard / f"{self.name}.json", content)
        except OSError as error:
            cause = error.strerror or error
            raise StateFolderUnusable(f"{self.guard} cannot be written: {cause}.") from error

    def _read(self, file: Path, key: bytes | None) -> tuple[Record | None, bool]:
        """Return a record, and whether its stamp is trusted: without the key it may be forged."""
        facts = read_guarded(file)
        if facts is None:
            return None, False
        seal = facts.pop("seal", "")
        sealed = str(seal).startswith(KEYED)
        if not (key is None and sealed) and seal != _seal(facts, key if sealed else None):
            raise StateFolderUnusable(f"{file} was altered.")
        try:
            return Record(**facts), sealed or key is None
        except TypeError as error:
            raise StateFolderUnusable(f"{file} was written by another capcli.") from error

    def _elsewhere(self, identity: str) -> list[Record]:
        """Return records of the journal at other places: it may have been moved."""
        found = []
        for file in self.guard.glob("journal-*.json"):
            with suppress(CapcliError):
                record, _ = self._read(file, None)
                if record is not None and record.journal == identity:
                    found.append(record)
        return found


def new_identity() -> str:
    return secrets.token_hex(16)


def _stamp(file: Path, *, renew: bool) -> tuple[str, int]:
    """Return a file's times, including the one that shows a reset modification time."""
    with suppress(FileNotFoundError):
        found = file.stat()
        if found.st_size and renew:
            os.utime(file, ns=(found.st_atime_ns, time_ns() - secrets.randbelow(_SECOND_NS)))
            found = file.stat()
        if found.st_size:
            return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}", found.st_ctime_ns
    return "-", 0


def _seal(facts: dict[str, Any], key: bytes | None) -> str:
    text = json.dumps(facts, sort_keys=True).encode()
    return sha256(text).hexdigest() if key is None else KEYED + hmac.new(key, text, sha256).hexdigest()


def _behind(message: str) -> ConfigError:
    return JournalBehind(message, next="capcli history accept")


def _forgotten(why: str) -> ConfigError:
    return _behind(
        f"capcli keeps a note of how far this journal has got, and cannot use it: {why} So the journal "
        "may be an older copy, and orders that it does not list may be live. No new order is sent; closing "
        "and cancelling work. Compare 'capcli history executions' with the broker's own history; if"
        " nothing is missing, accept the journal."
    )


def _replaced(record: Record) -> ConfigError:
    return _behind(
        f"{record.path} is not the journal that was there: that one had {record.count} events, and orders in "
        "it may be live. No new risk is sent. Put it back, or accept this one."
    )
