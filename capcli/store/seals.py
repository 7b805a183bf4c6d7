"""Seals the rows of the journal: each event carries a hash of every row that its transaction changed.

Tables and columns are read from the file itself, so a new one is protected without being listed anywhere.
"""

import json
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

CHAIN = "events"
_MARK = 4


class Seal(NamedTuple):
    """A row's seal: its table, its primary key, its hash, and a mark of each column.

    `hash` is None for a row that was removed. The marks only name the columns of a row whose hash is wrong.
    """

    table: str
    key: tuple[Any, ...]
    hash: str | None
    marks: str


def watch(connection: sqlite3.Connection) -> None:
    """Track the rows that this connection changes by any statement."""
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("CREATE TEMP TABLE changed (name, key, UNIQUE (name, key))")
    for table in tables(connection):
        for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            key = ", ".join(f"{row}.{name}" for name in key_of(connection, table))
            connection.execute(
                f"CREATE TEMP TRIGGER {table}_{event} AFTER {event} ON main.{table} BEGIN "  # noqa: S608
                f"INSERT OR IGNORE INTO changed VALUES ('{table}', json_array({key})); END"
            )


def touch(connection: sqlite3.Connection, table: str, key: tuple[Any, ...]) -> None:
    """Include a row in the next event as if it had changed."""
    connection.execute("INSERT OR IGNORE INTO temp.changed VALUES (?, ?)", (table, json.dumps(key)))


def changed(connection: sqlite3.Connection) -> list[Seal]:
    """Return the seals of the rows that changed since the last call."""
    found = []
    for name, key in connection.execute("SELECT name, key FROM temp.changed").fetchall():
        where = " AND ".join(f"{column} = ?" for column in key_of(connection, name))
        values = tuple(json.loads(key))
        row = connection.execute(f"SELECT * FROM main.{name} WHERE {where}", values).fetchone()  # noqa: S608
        found.append(Seal(name, values, None, "") if row is None else seal(name, values, row))
    connection.execute("DELETE FROM temp.changed")
    return found


def rows(connection: sqlite3.Connection) -> Iterator[tuple[str, tuple[Any, ...], sqlite3.Row]]:
    """Return every row covered by events: its table, its key and its values."""
    for table in tables(connection):
        names = key_of(connection, table)
        for row in connection.execute(f"SELECT * FROM main.{table}"):  # noqa: S608
            yield table, tuple(row[name] for name in names), row


def seal(table: str, key: tuple[Any, ...], row: sqlite3.Row) -> Seal:
    return Seal(table, key, row_hash(row), "".join(_hash(value)[:_MARK] for value in row))


def row_hash(row: sqlite3.Row) -> str:
    """Hash all columns of a row. Nulls are left out, so that a migration can add a column."""
    return _hash({name: _plain(row[name]) for name in row.keys() if row[name] is not None})  # noqa: SIM118


def altered(row: sqlite3.Row, marks: str) -> list[str]:
    """Return the columns of a row that differ from its marks."""
    known = (marks[at : at + _MARK] for at in range(0, len(marks), _MARK))
    return [
        name
        for name, value, mark in zip(row.keys(), row, known, strict=False)
        if _hash(value)[:_MARK] != mark
    ]


def tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables covered by events: all but the events."""
    found = connection.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return [row[0] for row in found.fetchall() if row[0] != CHAIN]


def key_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns of a table's primary key."""
    found = connection.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE pk ORDER BY pk")  # noqa: S608
    return [row[0] for row in found.fetchall()] or ["rowid"]


def _hash(value: Any) -> str:
    return sha256(json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    # An editor may have replaced bytes by text: the two must hash differently.
    return [sha256(value).hexdigest()] if isinstance(value, bytes) else value
