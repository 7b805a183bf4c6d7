"""A journal that a hand changed, that went back in time or is gone sends no new risk; closing goes on."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.domain.approval import ApprovalState, code_hash
from capcli.domain.attempt import AttemptState
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import refusal

Hand = Callable[[Path], object]


def sql(statement: str) -> Hand:
    def hand(journal: Path) -> None:
        with closing(sqlite3.connect(journal, isolation_level=None)) as raw:
            raw.execute(statement)

    return hand


def older(journal: Path) -> None:
    shutil.copy2(journal.with_name("backup.db"), journal)


HANDS: dict[str, tuple[Hand, str]] = {
    "a later expiry": (
        sql("UPDATE previews SET expires_at = '2036-05-04T14:04:11.250000Z'"),
        "JOURNAL_ALTERED",
    ),
    "another price": (sql("UPDATE previews SET quote = '{}'"), "JOURNAL_ALTERED"),
    "another account": (sql("UPDATE attempts SET account_id = '7'"), "JOURNAL_ALTERED"),
    "a day with fewer orders": (
        sql("UPDATE attempts SET sent_at = '2020-05-04T14:04:11.250000Z'"),
        "JOURNAL_ALTERED",
    ),
    "an index dropped": (sql("DROP INDEX attempts_unresolved"), "JOURNAL_ALTERED"),
    "an older copy": (older, "JOURNAL_BEHIND"),
    "no journal": (Path.unlink, "PREVIEW_UNKNOWN"),
}


@pytest.mark.parametrize("name", HANDS)
def test_no_order_is_sent_and_closing_goes_on(seats: Seats, name: str) -> None:
    hand, code = HANDS[name]
    seat = seats()
    deal = seat.open().deal_id
    seat.close()
    shutil.copy2(seat.home / "journal.db", seat.home / "backup.db")
    seat = seats()
    preview = seat.preview().preview_id
    seat.close()
    hand(seat.home / "journal.db")
    later = seats()

    refused = [refusal(lambda: later.execute(preview, again=True)).code]
    fresh = later.app.previews.preview(later.request())

    assert refused == ["PREVIEW_UNKNOWN" if hand is older else code]
    assert fresh.problem is not None
    assert (fresh.exit_code, fresh.problem.details["failed"]) == (5, ["journal"])
    assert fresh.problem.next in {"capcli history accept", "capcli history verify"}
    assert refusal(lambda: later.execute(fresh.data.preview_id)).code == "PREVIEW_NOT_EXECUTABLE"
    assert later.tap.orders() == []
    assert later.app.verification.verify(ask_keychain=False).exit_code == 3
    assert later.app.closings.close(deal or "", confirmed=True).data.state is AttemptState.LANDED
    assert later.book() == []


@pytest.mark.parametrize("what", ["an index dropped", "deleted"])
def test_a_part_that_cannot_be_written_down_points_at_closing_all_of_it(what: str, seats: Seats) -> None:
    seat = seats()
    deal = seat.open(size="5").deal_id or ""
    seat.close()
    hand, code = HANDS.get(what, (Path.unlink, "JOURNAL_BEHIND"))
    hand(seat.home / "journal.db")
    later = seats()

    error = refusal(lambda: later.app.reductions.reduce(deal, Decimal(2), confirmed=True))

    assert (error.code, error.next) == (code, f"capcli close {deal}")
    assert error.message.endswith("Nothing was sent. You can still close all of it.")


def test_a_preview_that_a_lost_part_of_the_journal_has_sent_is_not_sent_again(seats: Seats) -> None:
    seat = seats()
    preview = seat.preview().preview_id
    seat.close()
    journal = seat.home / "journal.db"
    shutil.copy2(journal, seat.home / "backup.db")
    seat = seats()
    seat.execute(preview)
    seat.close()
    older(journal)
    later = seats()

    assert refusal(lambda: later.execute(preview, again=True)).code == "JOURNAL_BEHIND"
    assert later.app.verification.accept(reason="restored", ask_keychain=False).exit_code == 0
    error = refusal(lambda: later.execute(preview, again=True))

    assert (error.code, later.tap.orders()) == ("PREVIEW_EXPIRED", [])
    assert "it is not known whether it was sent" in error.message
    assert later.open().state is AttemptState.LANDED


@pytest.mark.parametrize(
    ("landed", "accepted", "ahead"),
    [(True, False, 0), (True, True, 0), (False, False, 0), (False, True, 0), (True, False, 5)],
)
def test_an_order_in_a_copy_from_before_its_send_is_looked_for(
    seats: Seats, time: Time, monkeypatch: pytest.MonkeyPatch, *, landed: bool, accepted: bool, ahead: int
) -> None:
    def clock() -> datetime:
        return time.now() + timedelta(hours=ahead)

    seat = seats(clock=clock)
    journal, move = seat.home / "journal.db", seat.app.journal.move

    def copied(attempt_id: str, *states: AttemptState, **facts: Any) -> bool:
        if states[0] is AttemptState.CLAIMED:
            with closing(sqlite3.connect(journal.with_name("backup.db"))) as copy:
                with seat.app.journal._db.fresh() as connection:
                    connection.backup(copy)
                seat.time.tick(1)
        return move(attempt_id, *states, **facts)

    monkeypatch.setattr(seat.app.journal, "move", copied)
    if not landed:
        seat.tap.breaks("POST", "/positions", before=httpx.ReadTimeout("no answer"))
    preview = seat.preview().preview_id
    seat.time.tick(30)
    done = seat.execute(preview)
    assert done.data.state is (AttemptState.LANDED if landed else AttemptState.UNKNOWN)
    seat.close()
    for file in ("journal.db-wal", "journal.db-shm"):
        (seat.home / file).unlink(missing_ok=True)
    older(journal)
    later = seats(clock=clock)
    if accepted:
        assert later.app.verification.accept(reason="restored", ask_keychain=False).exit_code == 0

    (row,) = later.app.reconciliations.reconcile().data.attempts

    assert (row.state_before, row.state) == (
        AttemptState.SENDING if accepted else AttemptState.CLAIMED,
        done.data.state,
    )
    assert row.deal_ids == done.data.deal_ids
    kept = later.app.journal.attempt(row.attempt_id)
    assert kept is not None
    assert kept.sent_at == kept.created_at
    moves = later.app.journal._db.rows("SELECT to_state FROM events WHERE kind = 'move'")
    assert [move["to_state"] for move in moves][:2] == ["SENDING", "UNKNOWN"]
    assert later.app.verification.verify(ask_keychain=False).exit_code == (0 if accepted else 3)


def test_an_approval_that_a_lost_part_of_the_journal_has_used_is_not_used_again(seats: Seats) -> None:
    seat = seats(CAP_APPROVAL="human")
    journal = seat.app.journal
    preview = seat.preview().preview_id
    code = refusal(lambda: seat.execute(preview)).details["approval_code"]
    seat.app.approvals.decide(code, approved=True, by="a test")

    seat.app.verification.accept(reason="restored", ask_keychain=False)

    (row,) = journal.approvals(code_hash(code))
    assert row.state is ApprovalState.VOID


def test_an_attempt_that_a_hand_settled_still_stops_the_account(seats: Seats) -> None:
    seat = seats()
    first, second = seat.preview().preview_id, seat.preview("GOLD", "1").preview_id
    seat.tap.breaks("POST", "/positions", after=httpx.ReadTimeout("no answer"))
    assert seat.execute(first).data.state is not AttemptState.NOT_SENT
    seat.close()
    sql("UPDATE attempts SET state = 'NOT_SENT'")(seat.home / "journal.db")
    later = seats()

    assert refusal(lambda: later.execute(second)).code == "JOURNAL_ALTERED"
    assert later.tap.orders() == []
