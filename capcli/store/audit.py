"""Checks the whole journal: its pages, its schema, its event chain, and every row that events cover.

It reads one row at a time and keeps the events' seals in a temporary table, so memory does not grow.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from capcli.domain.chain import Inspection, JournalBreak, Mark
from capcli.store import seals
from capcli.store.events import FIRST_HASH, KEYED, chain_hash
from capcli.store.schema import Migrations

Progress = Callable[[int, int], None]

_SHOWN = 12
_STEP = 1000


def inspect(
    connection: sqlite3.Connection,
    key: bytes | None,
    migrations: Migrations,
    marks: Iterable[Mark] = (),
    progress: Progress = lambda _done, _all: None,
) -> Inspection:
    """Compare the journal with what capcli wrote; `key` is that of the keyed events, None without one.

    `marks` are what is remembered elsewhere of how far the chain came. `progress` gets how many entries
    are done, of how many. The connection must be its own, for another one may hold pages from before.
    """
    checked = [row[0] for row in connection.execute("PRAGMA main.integrity_check(10)")]
    if checked != ["ok"]:
        # Continuing would only repeat this, or fail.
        damage = (JournalBreak("file", "", f"it is damaged: {found[:200]}") for found in checked)
        return Inspection(0, 0, "", tuple(damage))
    walk = _Walk(connection, key, {mark.count: mark for mark in marks if mark.count}, progress)
    found = [*walk.events(), *walk.rows()]
    breaks = [*walk.cut_off(), *found, *_schema(connection, migrations)]
    return Inspection(
        walk.count,
        walk.keyed,
        walk.head,
        tuple(breaks),
        unread=walk.keyed if key is None else 0,
        altered=tuple(walk.altered),
    )


def _schema(connection: sqlite3.Connection, migrations: Migrations) -> Iterator[JournalBreak]:
    """Compare tables, indexes and triggers with capcli's own."""
    with closing(sqlite3.connect(":memory:")) as made:
        for statement in (one for statements in migrations for one in statements):
            made.execute(statement)
        wanted = dict(_objects(made))
    found = dict(_objects(connection))
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            yield JournalBreak("schema", name, "it was removed")
        elif name not in wanted:
            yield JournalBreak("schema", name, "it was added")
        elif wanted[name] != found[name]:
            yield JournalBreak("schema", name, "it was altered")


def _objects(connection: sqlite3.Connection) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, *rest in connection.execute("SELECT name, type, tbl_name, sql FROM main.sqlite_master"):
        if not name.startswith("sqlite_stat"):
            yield name, tuple(rest)


class _Walk:
    """Walks the events, then the rows that they cover."""

    def __init__(
        self, connection: sqlite3.Connection, key: bytes | None, marks: dict[int, Mark], progress: Progress
    ) -> None:
        self._connection = connection
        self._key = key
        self._marks = marks
        self._progress = progress
        self.count = self.keyed = 0
        self.head = FIRST_HASH
        self.altered: list[tuple[str, tuple[Any, ...]]] = []
        counts = (f"SELECT count(*) FROM {name}" for name in (seals.CHAIN, *seals.tables(connection)))  # noqa: S608
        self._done, self._all = 0, sum(connection.execute(sql).fetchone()[0] for sql in counts)
        connection.execute("CREATE TEMP TABLE recorded (name, key, hash, marks, PRIMARY KEY (name, key))")

    def events(self) -> Iterator[JournalBreak]:
        for row in self._connection.execute("SELECT * FROM events ORDER BY seq"):
            self.count += 1
            if fault := self._fault(row):
                yield JournalBreak("events", str(row["seq"]), fault)
            self.head = str(row["hash"])
            mark = self._marks.get(self.count)
            if mark is not None and mark.head != self.head:
                other = f"it is not the event that {mark.keeper} remembers"
                fault = f"{other}: the journal was rewritten or replaced"
                yield JournalBreak("record", str(self.count), fault)
            self.keyed += self.head.startswith(KEYED)
            if not self._take(row["rows"]):
                yield JournalBreak("events", str(row["seq"]), "what it tells of other rows cannot be read")
            self._step()

    def cut_off(self) -> Iterator[JournalBreak]:
        for mark in self._marks.values():
            if mark.count > self.count:
                gone = f"the last {mark.count - self.count} were cut off"
                fault = f"{mark.keeper} remembers {mark.count} events: {gone}"
                yield JournalBreak("record", str(self.count), fault)

    def _fault(self, row: sqlite3.Row) -> str | None:
        columns, sealed = tuple(row)[:-1], str(row["hash"])
        if row["prev_hash"] != self.head:
            return "it does not follow the row before it: one was removed, added or moved"
        if sealed.startswith(KEYED):
            if self._key is not None and chain_hash(columns, self._key) != sealed:
                return "it was altered, or written without the key"
        elif chain_hash(columns) != sealed:
            return "it was altered"
        if row["seq"] != self.count:
            return f"its number should be {self.count}"
        mark = self._marks.get(self.count)
        if mark is not None and mark.head != sealed:
            return f"it is not the event that {mark.keeper} remembers: the journal was rewritten or replaced"
        return None

    def _take(self, rows: str) -> bool:
        try:
            for name, key, *rest in json.loads(rows):
                self._connection.execute(
                    "INSERT OR REPLACE INTO temp.recorded VALUES (?, ?, ?, ?)", (name, json.dumps(key), *rest)
                )
        except (ValueError, TypeError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
            return False
        return True

    def rows(self) -> Iterator[JournalBreak]:
        for table, key, row in seals.rows(self._connection):
            self._step()
            place = (table, json.dumps(key))
            recorded = self._connection.execute(
                "SELECT hash, marks FROM temp.recorded WHERE name = ? AND key = ?", place
            ).fetchone()
            if recorded is None or recorded["hash"] is None:
                yield self._altered(table, key, "no event records it")
            elif recorded["hash"] != seals.row_hash(row):
                columns = ", ".join(seals.altered(row, recorded["marks"])) or "it"
                yield self._altered(table, key, f"{columns}: not what the events say")
            self._connection.execute("DELETE FROM temp.recorded WHERE name = ? AND key = ?", place)
        for left in self._connection.execute("SELECT name, key FROM temp.recorded WHERE hash IS NOT NULL"):
            yield self._altered(left["name"], tuple(json.loads(left["key"])), "it was removed")

    def _step(self) -> None:
        self._done += 1
        if self._done % _STEP == 0:
            self._progress(self._done, self._all)

    def _altered(self, table: str, key: tuple[Any, ...], fault: str) -> JournalBreak:
        self.altered.append((table, key))
        # The last column of a key names the row; the beginning of a hash is enough.
        name = str(key[-1])
        return JournalBreak(table, name[:_SHOWN] if len(name) > 2 * _SHOWN else name, fault)
