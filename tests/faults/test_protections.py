"""Each protection holds by itself: what it guards stays whole while those beside it are taken away."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from capcli.store import journal
from capcli.store.lock import FileAccountLock, FileSessionLock
from tests.faults.bench import SECOND_ACCOUNT, Bench, order
from tests.faults.checker import violations
from tests.faults.wire import after, meanwhile


@contextmanager
def open_door(_self: object, *_of: str) -> Iterator[None]:
    yield


def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    for lock in (FileAccountLock, FileSessionLock):
        monkeypatch.setattr(lock, "__call__", open_door)


def test_without_the_lock_the_claim_lets_one_send(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process executes the preview while the first one reads; both hold the account."""
    without_locks(monkeypatch)
    preview_id, other = bench.preview(), bench.process()
    bench.wire.on("GET", "/workingorders", meanwhile(lambda: bench.execute(preview_id, other)))
    told = bench.execute(preview_id)
    found = bench.evidence()
    assert (found.posts, len(found.ledger.orders), told.replayed) == (1, 1, True)
    assert violations(found) == []


def test_without_the_state_of_the_preview_its_attempt_is_the_only_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second lock on a preview: no second attempt fits in the table."""
    without_locks(monkeypatch)
    monkeypatch.setattr(journal, "_CLAIM", "SELECT * FROM previews WHERE id = ? AND expires_at > ?")
    preview_id, other = bench.preview(), bench.process()
    bench.wire.on("GET", "/workingorders", meanwhile(lambda: bench.execute(preview_id, other)))
    told = bench.execute(preview_id)
    found = bench.evidence()
    assert (found.posts, len(found.ledger.orders), told.replayed) == (1, 1, True)
    assert violations(found) == []


def test_a_sender_whose_claim_was_settled_meanwhile_stops(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its write of SENDING finds another state, and that is looked at."""
    without_locks(monkeypatch)
    preview_id, other = bench.preview(), bench.process()
    real = bench.app.journal.move

    def move(attempt_id: str, from_state: Any, to_state: Any, **facts: Any) -> bool:
        if to_state == "SENDING":
            assert bench.execute(preview_id, other).state == "NOT_SENT"
        return real(attempt_id, from_state, to_state, **facts)

    monkeypatch.setattr(bench.app.journal, "move", move)
    assert bench.execute(preview_id).state == "NOT_SENT"
    found = bench.evidence()
    assert (found.posts, violations(found)) == (0, [])


def test_a_preview_that_was_claimed_stays_claimed_without_its_attempt(bench: Bench) -> None:
    """Somebody tidies the journal up: the preview itself still says that it was used."""
    preview_id = bench.preview()
    assert bench.execute(preview_id).state == "LANDED"
    bench.time.tick(90)
    bench.app.close()
    with closing(sqlite3.connect(bench.journal)) as db, db:
        db.execute("DROP TRIGGER attempts_are_not_deleted")
        db.execute("DELETE FROM attempts")
    bench.restart()
    assert bench.execute(preview_id).exit != 0
    assert bench.evidence().posts == 1


def test_the_lock_keeps_two_orders_from_passing_one_limit(bench: Bench) -> None:
    """Claims are per preview: only the lock stands between the look and the send of two of them."""
    bench.restart(CAP_MAX_ORDERS_PER_DAY="1")
    first, second = bench.preview(), bench.preview(order("2"))
    other = bench.process(CAP_MAX_ORDERS_PER_DAY="1")
    bench.wire.on("GET", "/workingorders", meanwhile(lambda: bench.execute(second, other)))
    assert bench.execute(first).state == "LANDED"
    assert bench.told[0].exit == 10
    assert bench.execute(second).exit == 5
    found = bench.evidence()
    assert (found.posts, violations(found)) == (1, [])


def test_without_the_lock_an_order_that_may_be_live_keeps_the_next_one_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the moment before the send another process looks: the journal tells it, not the broker."""
    without_locks(monkeypatch)
    second, other = bench.preview(order("2")), bench.process()
    bench.wire.on(
        "POST", "/positions", meanwhile(lambda: bench.execute(second, other), after(httpx.ReadTimeout))
    )
    bench.execute(bench.preview())
    assert (bench.told[0].exit, bench.told[0].code) == (10, "BLOCKED")
    assert bench.evidence().posts == 1


def test_a_session_that_moves_after_the_last_look_carries_no_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread switches the account when everything has been checked and claimed."""
    preview_id = bench.preview()
    real = bench.app.journal.claim

    def claim(*args: Any, **facts: Any) -> Any:
        claimed = real(*args, **facts)
        bench.time.tick(1)
        bench.app.broker.switch_account(SECOND_ACCOUNT)
        return claimed

    monkeypatch.setattr(bench.app.journal, "claim", claim)
    told = bench.execute(preview_id)
    found = bench.evidence()
    assert (told.state, told.exit, found.posts) == ("NOT_SENT", 7, 0)
    assert violations(found) == []
