"""Numbers for deals in the journal."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capcli.errors import JournalBehind
from capcli.store.db import Database
from capcli.store.journal import SqliteJournal
from capcli.store.schema import MIGRATIONS

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_numbers_count_up_per_environment_and_account(journal: SqliteJournal) -> None:
    book = journal.deal_numbers
    assert book.give("paper", "1", ["a", "b", "a"], at=AT) == {"a": 1, "b": 2}
    assert book.give("paper", "1", ["c", "b"], at=AT) == {"b": 2, "c": 3}
    assert book.give("paper", "2", ["a"], at=AT) == book.give("demo", "1", ["a"], at=AT) == {"a": 1}
    assert book.known("paper", "1", ["c", "d"]) == {"c": 3}
    assert (book.deal("paper", "1", 3), book.deal("paper", "1", 4)) == ("c", None)
    found = journal.inspect(None)
    assert (found.altered, found.breaks) == ((), ())


def test_two_processes_give_no_number_twice(path: Path) -> None:
    def number(place: int) -> dict[str, int]:
        with closing(SqliteJournal(path)) as journal:
            return journal.deal_numbers.give("paper", "1", [f"d{place % 4}", f"d{place}"], at=AT)

    with ThreadPoolExecutor(4) as pool:
        found = [pair for one in pool.map(number, range(8)) for pair in one.items()]
    assert len(set(found)) == len({deal for deal, _ in found}) == len({number for _, number in found}) == 8


def test_many_deals_are_asked_for_at_once(journal: SqliteJournal) -> None:
    deals = [f"d{place}" for place in range(1200)]
    given = journal.deal_numbers.give("paper", "1", deals, at=AT)
    assert (
        given
        == journal.deal_numbers.known("paper", "1", deals)
        == dict(zip(deals, range(1, 1201), strict=True))
    )


def test_a_journal_of_the_first_version_gets_the_table(path: Path) -> None:
    with closing(Database(path, migrations=MIGRATIONS[:1])) as db:
        assert db.rows("PRAGMA user_version")[0][0] == 1
    with closing(SqliteJournal(path)) as journal:
        assert journal.deal_numbers.give("paper", "1", ["a"], at=AT) == {"a": 1}


def test_a_journal_that_is_not_the_one_that_was_there_gives_no_number(path: Path) -> None:
    with closing(SqliteJournal(path)) as journal:
        journal.deal_numbers.give("paper", "1", ["a"], at=AT)
    path.unlink()
    with closing(SqliteJournal(path)) as journal, pytest.raises(JournalBehind):
        journal.deal_numbers.give("paper", "1", ["b"], at=AT)
