"""No statement of the journal reads or sorts more than it returns, so old days cost nothing."""

import re
import sqlite3
from datetime import timedelta

from capcli.domain.approval import ApprovalState
from capcli.domain.attempt import AttemptState
from capcli.store.journal import SqliteJournal

from .builders import ACCOUNT, NOW, a_close, a_preview, an_approval, an_attempt

S = AttemptState
# What is as long as the schema, or as one transaction.
BOUNDED = re.compile("temp\\.|pragma_table_info|sqlite_master")


def everything(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview())
    journal.save_preview(a_preview("p_late"))
    journal.ask_approval([an_approval()])
    journal.decide(an_approval().code_hash, ApprovalState.APPROVED, at=NOW, by="a person")
    journal.claim("p_000000000001", an_attempt(), now=NOW, permit=an_approval().digest)
    journal.claim("p_late", an_attempt("a_late", preview_id="p_late"), now=NOW + timedelta(hours=1))
    journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW)
    journal.observe("a_000000000001", S.SENDING, at=NOW, note="seen")
    journal.open_attempt(a_close())
    journal.note(None, "halt", at=NOW, detail={})
    journal.preview("p_late")
    journal.previews("demo", limit=5)
    journal.attempt("a_000000000001")
    journal.attempts("demo", limit=5)
    journal.attempt_of("p_late")
    journal.unresolved(*ACCOUNT)
    journal.recent(*ACCOUNT, NOW)
    journal.moved_at("a_000000000001")
    journal.notes("halt")
    journal.approvals(an_approval().code_hash)
    journal.approvals_of(an_approval().digest, now=NOW)
    journal.approvals_waiting(now=NOW)


def plans(raw: sqlite3.Connection, statement: str) -> list[str]:
    return [row[-1] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()]


def test_every_statement_finds_its_rows_by_an_index(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    statements: list[str] = []
    journal.preview("p_none")
    journal._db._opened().set_trace_callback(statements.append)
    everything(journal)

    asked = [
        one for one in statements if re.match(r"\s*(SELECT|UPDATE|DELETE)", one) and not BOUNDED.search(one)
    ]
    assert len(asked) > 20
    found = {plan: one for one in asked for plan in plans(raw, one)}
    # The approvals of one code or one request, or those that wait now, are few, and sorting them is cheap.
    slow = {
        plan: one
        for plan, one in found.items()
        if "SCAN" in plan or ("TEMP B-TREE" in plan and "approvals" not in one)
    }
    assert slow == {}
