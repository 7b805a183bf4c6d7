"""The tables of released versions are what journals out there hold: each is followed, and never edited."""

import sqlite3
from contextlib import closing
from hashlib import sha256

from capcli.store.schema import MIGRATIONS

# A journal is held against these statements, so an edited one makes each that is there an altered journal.
RELEASED = (
    "205bd84008991ede",
    "606eb7576a14266e",
    "803de52bd5268260",
    "0be2236d54e306e1",
    "138bcac22ffcc2dd",
)


def test_no_version_of_the_schema_is_edited() -> None:
    digests = []
    with closing(sqlite3.connect(":memory:")) as made:
        for statements in MIGRATIONS:
            for statement in statements:
                made.execute(statement)
            rows = made.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name")
            digests.append(sha256("\n".join(row[0] for row in rows).encode()).hexdigest()[:16])
    assert tuple(digests[: len(RELEASED)]) == RELEASED, "add a version of the schema instead"
    assert len(digests) == len(RELEASED), "write down the new version here"
