"""Every column, index and page that a hand changed is found, and no new risk is claimed on such a journal."""

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from capcli import system
from capcli.domain.account_events import EventKind, Happened
from capcli.domain.alerts import Level, Way
from capcli.domain.approval import ApprovalState
from capcli.domain.attempt import AttemptState, PreviewState
from capcli.domain.chain import Anchor
from capcli.domain.mandate import Deed, MandateState, Spend
from capcli.domain.market import Side
from capcli.errors import CapcliError, JournalAltered, JournalBehind, JournalUnreadable
from capcli.store.chain import Chain
from capcli.store.db import Database
from capcli.store.journal import SqliteJournal
from capcli.store.schema import MIGRATIONS

from .builders import NOW, a_close, a_mandate, a_preview, an_approval, an_attempt

S = AttemptState
KEY = b"k" * 32
WAITING = "p_00000000000w"


def made() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for statement in (one for statements in MIGRATIONS for one in statements):
        connection.execute(statement)
    return connection


def names(kind: str) -> list[str]:
    with closing(made()) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = ? AND sql NOT NULL", (kind,))
        return sorted(row[0] for row in found)


def columns() -> list[tuple[str, str]]:
    with closing(made()) as connection:
        return [
            (table, row[1])
            for table in names("table")
            for row in connection.execute(f"PRAGMA table_info({table})")
        ]


def lived(journal: SqliteJournal) -> None:
    """Let everything happen that fills a table; one preview waits to be executed."""
    journal.deal_numbers.give("paper", "1", ["d1"], at=NOW)
    filled = Happened(EventKind.FILLED, NOW, epic="SILVER", side=Side.BUY, deal_id="d1")
    journal.account_events.record(("paper", "paper", "1"), [("filled d1", filled)], {"entries": 1}, at=NOW)
    journal.alerts.add(("paper", "paper", "1"), [Level("SILVER", Way.ABOVE, Decimal(31))], at_most=9, at=NOW)
    journal.save_preview(a_preview())
    journal.ask_approval([an_approval()])
    journal.decide(an_approval().code_hash, ApprovalState.APPROVED, at=NOW, by="a person")
    journal.claim("p_000000000001", an_attempt(), now=NOW, permit=an_approval().digest)
    journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW)
    journal.move("a_000000000001", S.SENDING, S.UNKNOWN, at=NOW, deal_reference="o_1", note="no answer")
    journal.mandates.grant(a_mandate())
    journal.mandates.end(["m_1"], MandateState.REVOKED, at=NOW, by="a person")
    journal.mandates.grant(a_mandate("m_2"))
    journal.save_preview(a_preview("p_mandated"))
    use = Spend("m_2", "night", Deed.OPEN, Decimal(7))
    journal.claim("p_mandated", an_attempt("a_mandated", preview_id="p_mandated"), now=NOW, permit=use)
    journal.save_preview(a_preview(WAITING))


def risk(journal: SqliteJournal) -> CapcliError | None:
    """Return what refuses the order that waits; None when it is claimed."""
    try:
        assert journal.claim(WAITING, an_attempt("a_new", preview_id=WAITING), now=NOW)
    except CapcliError as error:
        return error
    return None


def way_out(journal: SqliteJournal) -> None:
    journal.open_attempt(a_close())
    assert journal.move(a_close().attempt_id, S.CLAIMED, S.SENDING, at=NOW)


@pytest.fixture(params=[None, KEY], ids=["plain", "keyed"])
def key(request: pytest.FixtureRequest) -> bytes | None:
    return request.param


# The key changes nothing in how a row is sealed, and there are many columns.
plain_alone = pytest.mark.parametrize("key", [None], ids=["plain"], indirect=True)


@pytest.fixture
def used(path: Path, key: bytes | None) -> Path:
    with closing(SqliteJournal(path, key=lambda: key)) as journal:
        lived(journal)
    return path


@pytest.fixture
def later(used: Path, key: bytes | None) -> Iterator[SqliteJournal]:
    """The journal as the next process opens it."""
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        yield journal


def by_hand(path: Path, *statements: str) -> None:
    """Change the file as somebody would who takes the triggers off and puts them back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys=OFF")
        triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)
        for _, sql in triggers:
            raw.execute(sql)


def changing(path: Path, table: str, column: str) -> str:
    """Return the statement that gives a column of the first row another value."""
    with closing(sqlite3.connect(path)) as raw:
        (found,) = raw.execute(f"SELECT {column} FROM {table} ORDER BY rowid LIMIT 1").fetchone()
    match found:
        case None:
            value = "'7'"
        case int():
            value = str(found + 1000)
        case bytes():
            value = "x'7b7d'"
        case _:
            value = f"'{found}7'"
    return f"UPDATE {table} SET {column} = {value} WHERE rowid = (SELECT min(rowid) FROM {table})"


_OTHERS = ", ".join(name for table, name in columns() if table == "previews" and name != "id")
ANOTHER_PREVIEW = f"INSERT INTO previews (id, {_OTHERS}) SELECT id || 'x', {_OTHERS} FROM previews"


def test_there_is_something_to_change_in_every_table(used: Path) -> None:
    with closing(sqlite3.connect(used)) as raw:
        counts = {name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names("table")}
    assert {"previews", "attempts", "events", "approvals", "switches"} <= counts.keys()
    assert 0 not in counts.values()


def test_a_journal_that_nobody_touched_is_content(later: SqliteJournal, key: bytes | None) -> None:
    assert later.inspect(key).breaks == ()
    assert later.remembered() is None
    assert risk(later) is None


@plain_alone
@pytest.mark.parametrize("name", names("table"))
def test_a_column_changed_by_hand(used: Path, key: bytes | None, name: str) -> None:
    folders = used.parent, system.guard_folder()
    whole = {file: file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}
    with closing(SqliteJournal(put_back(whole, used), key=lambda: key)) as later:
        assert later.inspect(key).breaks == ()
        assert risk(later) is None
    for table, column in columns():
        if table == name:
            by_hand(put_back(whole, used), changing(used, table, column))

            with closing(SqliteJournal(used, key=lambda: key)) as later:
                assert any(one.table == table for one in later.inspect(key).breaks), column
                assert isinstance(risk(later), JournalAltered | JournalBehind), column
                way_out(later)


def put_back(whole: dict[Path, bytes], journal: Path) -> Path:
    """Put a closed journal back as it was, with what is remembered of it."""
    for file, content in whole.items():
        file.write_bytes(content)
    return journal


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE attempts SET state = 'NOT_SENT'", "state: not what the events say"),
        ("UPDATE previews SET expires_at = '2036-05-04T14:02:11.250000Z'", "expires_at: not what"),
        ("UPDATE previews SET state = 'READY', quote = 'x'", "quote, state: not what"),
        ("DELETE FROM attempts", "it was removed"),
        ("DELETE FROM approvals", "it was removed"),
        (ANOTHER_PREVIEW, "no event records it"),
        ("DELETE FROM events WHERE seq = 3", "it does not follow the row before it"),
    ],
)
def test_rows_changed_by_hand(
    used: Path, later: SqliteJournal, key: bytes | None, statement: str, fault: str
) -> None:
    by_hand(used, statement)

    breaks = later.inspect(key).breaks
    assert any(fault in one.fault for one in breaks)
    assert max(len(one.row) for one in breaks) <= 24, "of a hash the beginning is enough"
    assert isinstance(risk(later), JournalAltered)
    way_out(later)


def test_a_change_while_the_journal_is_open_is_found(later: SqliteJournal, used: Path) -> None:
    assert later.attempt("a_000000000001")
    by_hand(used, "UPDATE attempts SET state = 'NOT_SENT'")

    with pytest.raises(JournalAltered, match="attempts a_000000000001: state"):
        later.require_intact()


@plain_alone
@pytest.mark.parametrize("name", [*names("index"), *names("trigger")])
def test_an_index_or_a_trigger_that_was_dropped(
    used: Path, later: SqliteJournal, key: bytes | None, name: str
) -> None:
    kind = "INDEX" if name in names("index") else "TRIGGER"
    with closing(sqlite3.connect(used)) as raw:
        raw.execute(f"DROP {kind} {name}")

    assert ("schema", name, "it was removed") in {
        (one.table, one.row, one.fault) for one in later.inspect(key).breaks
    }
    assert isinstance(risk(later), JournalAltered)
    way_out(later)


@plain_alone
def test_an_index_that_was_made_anew_over_other_columns(
    used: Path, later: SqliteJournal, key: bytes | None
) -> None:
    with closing(sqlite3.connect(used)) as raw:
        raw.execute("DROP INDEX attempts_by_send")
        raw.execute("CREATE INDEX attempts_by_send ON attempts (env)")

    (found,) = later.inspect(key).breaks
    assert (found.table, found.row, found.fault) == ("schema", "attempts_by_send", "it was altered")


def test_a_page_of_an_index_that_another_one_stands_in_for(
    used: Path, later: SqliteJournal, key: bytes | None
) -> None:
    with closing(sqlite3.connect(used)) as raw:
        roots = dict(raw.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'index'"))
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    page, other = roots["attempts_by_send"], roots["attempts_newest"]
    content = bytearray(used.read_bytes())
    content[(page - 1) * size : page * size] = content[(other - 1) * size : other * size]
    used.write_bytes(content)

    assert [one.table for one in later.inspect(key).breaks][:1] == ["file"]
    assert isinstance(risk(later), JournalAltered)


@plain_alone
def test_damage_that_no_statement_meets_is_found_by_a_look_through_the_file(
    used: Path, key: bytes | None
) -> None:
    with closing(SqliteJournal(used)) as journal:
        journal.check()
    content = bytearray(used.read_bytes())
    content[36:40] = (7).to_bytes(4, "big")  # how many pages are free
    used.write_bytes(content)
    with closing(SqliteJournal(used)) as journal:
        assert journal.preview(WAITING)
        with pytest.raises(JournalUnreadable, match=r"is damaged (?s:.)*freelist"):
            journal.check()


def is_damaged(journal: SqliteJournal, key: bytes | None) -> bool:
    """Say whether a look through the file finds damage, be it that nothing can be read any more."""
    try:
        found = journal.inspect(key).breaks
    except JournalUnreadable as error:
        return "is damaged" in error.message
    return [one.table for one in found][:1] == ["file"]


@pytest.mark.parametrize("seed", range(5))
def test_ten_pages_overwritten(path: Path, key: bytes | None, seed: int) -> None:
    with closing(SqliteJournal(path, key=lambda: key)) as journal:
        lived(journal)
        for number in range(60):
            journal.save_preview(a_preview(f"p_x{number:011}", document=b"x" * 3000))
    chance, content = random.Random(seed), bytearray(path.read_bytes())
    for page in chance.sample(range(1, len(content) // 4096), 10):
        content[page * 4096 : (page + 1) * 4096] = chance.randbytes(4096)
    path.write_bytes(content)

    with closing(SqliteJournal(path, key=lambda: key)) as journal:
        assert is_damaged(journal, key)
        assert isinstance(risk(journal), JournalAltered | JournalUnreadable)


def copy_of(path: Path, to: Path) -> Path:
    to.mkdir()
    return Path(shutil.copy2(path, to))


def test_an_older_journal_that_was_put_back(used: Path, key: bytes | None, tmp_path: Path) -> None:
    older = copy_of(used, tmp_path / "backup")
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        assert risk(journal) is None
    shutil.copy2(older, used)

    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        error = risk(journal)
        assert isinstance(error, JournalBehind)
        assert "is older than before" in error.message
        assert error.next == "capcli history accept"
        assert (found := journal.remembered())
        assert "is older than before" in found.fault
        (identity,) = journal._db.row("SELECT value FROM switches WHERE name = 'journal'", ())
        assert (found.table, found.row) == ("record", identity[:12])
        way_out(journal)
        assert isinstance(risk(journal), JournalBehind), "closing made it fit"


def test_a_journal_that_was_deleted(used: Path, key: bytes | None) -> None:
    used.unlink()
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        assert journal.preview(WAITING) is None
        assert (found := journal.remembered())
        assert "is not the journal that was there" in found.fault
        journal.save_preview(a_preview(WAITING))
        assert isinstance(risk(journal), JournalBehind)
        way_out(journal)


def test_a_journal_that_was_emptied(used: Path, key: bytes | None) -> None:
    os.truncate(used, 0)
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        assert isinstance(risk(journal), JournalUnreadable)


def test_an_older_journal_at_another_place_is_behind_too(
    used: Path, key: bytes | None, tmp_path: Path
) -> None:
    older = copy_of(used, tmp_path / "elsewhere")
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        assert risk(journal) is None

    with closing(SqliteJournal(older, key=lambda: key)) as journal:
        assert isinstance(risk(journal), JournalBehind)


def test_a_journal_that_was_moved_goes_on(used: Path, key: bytes | None, tmp_path: Path) -> None:
    moved = copy_of(used, tmp_path / "elsewhere")
    with closing(SqliteJournal(moved, key=lambda: key)) as journal:
        assert risk(journal) is None


def record(path: Path) -> Path:
    (found,) = system.guard_folder().glob("journal-*.json")
    return found


def test_one_crash_between_the_journal_and_its_record_is_tolerated(used: Path, key: bytes | None) -> None:
    before = record(used).read_bytes()
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        journal.note(None, "halt", at=NOW, detail={})
    record(used).write_bytes(before)

    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        assert risk(journal) is None


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b'{"journal": "x"'])
def test_a_record_that_is_lost_or_cannot_be_read_takes_a_person(
    used: Path, key: bytes | None, content: bytes | None
) -> None:
    file = record(used)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        refused = risk(journal)
        assert isinstance(refused, JournalBehind)
        assert "may be an older copy" in refused.message
        assert "Compare 'capcli history executions' with the broker's own history" in refused.message
        assert journal.remembered()
        way_out(journal)
        assert isinstance(risk(journal), JournalBehind)

        journal.accept((), at=NOW, reason="the guard folder was cleaned")

        assert journal.remembered() is None
        journal.require_intact()
        # The order that waited may have been sent by what was lost.
        waiting = journal.preview(WAITING)
        assert waiting is not None
        assert waiting.state is PreviewState.EXPIRED


def test_a_guard_folder_that_cannot_be_written_stops_new_risk_alone(used: Path, key: bytes | None) -> None:
    shutil.rmtree(system.guard_folder())
    system.guard_folder().write_text("in the way")
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        assert isinstance(risk(journal), JournalUnreadable | JournalBehind)
        way_out(journal)


def test_a_forger_without_the_key_is_found(used: Path) -> None:
    """Somebody who knows how it is made changes a row and seals the record anew, as well as one can."""
    with closing(SqliteJournal(used, key=lambda: KEY)) as journal:
        journal.note(None, "halt", at=NOW, detail={})
    by_hand(used, "UPDATE attempts SET state = 'NOT_SENT'")
    with closing(SqliteJournal(used)) as forger:
        facts = json.loads(record(used).read_bytes())
        held = forger._chain._custody.open_record(None)
        with held as one:
            one.untouched = True
            one.keep(facts["journal"], (facts["count"], facts["head"]))

    with closing(SqliteJournal(used, key=lambda: KEY)) as journal:
        assert isinstance(risk(journal), JournalAltered)


def test_what_the_keychain_remembers_is_asked_where_the_files_were_touched(
    used: Path, key: bytes | None, tmp_path: Path
) -> None:
    """The whole home is older than before, the guard folder with it."""
    with closing(SqliteJournal(used, key=lambda: KEY)) as journal:
        journal.note(None, "halt", at=NOW, detail={})
        found = journal.inspect(KEY)
    anchor = Anchor(KEY, found.events + 2, "later")
    used.touch()

    with closing(SqliteJournal(used, key=lambda: KEY, anchor=lambda: anchor)) as journal:
        error = risk(journal)

    assert isinstance(error, JournalAltered | JournalBehind)
    assert "the keychain remembers" in error.message


def test_an_untouched_journal_is_not_looked_through(
    used: Path, key: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(*_: object) -> None:
        raise AssertionError("the whole journal was read")

    monkeypatch.setattr(Chain, "_require_unchanged", looked)
    for number in range(3):
        with (
            closing(SqliteJournal(used, key=lambda: key)) as journal,
            closing(SqliteJournal(used, key=lambda: key)) as other,
        ):
            other.save_preview(a_preview(f"p_{number}"))
            journal.require_intact()
            assert journal.claim(f"p_{number}", an_attempt(f"a_{number}", preview_id=f"p_{number}"), now=NOW)


def test_a_journal_that_was_looked_through_is_not_looked_through_again(
    used: Path, later: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    used.touch()
    later.require_intact()
    monkeypatch.setattr(Chain, "_require_unchanged", lambda *_: pytest.fail("it was read twice"))
    later.require_intact()
    assert risk(later) is None


def test_another_process_that_was_killed_costs_one_look_and_no_refusal(used: Path, key: bytes | None) -> None:
    """A database that is never closed leaves its log behind, as a kill does."""
    killed = Database(used)
    dead = SqliteJournal(used, key=lambda: key, database=killed)
    dead.note(None, "halt", at=NOW, detail={})
    with closing(SqliteJournal(used, key=lambda: key)) as journal:
        assert risk(journal) is None
    killed.close()
