"""A journal that a hand changed, that went back in time or is gone sends no new risk; closing goes on."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from capcli.domain.attempt import AttemptState
from tests.support.desk import refusal
from tests.support.fixtures import Seats

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
    fresh = refusal(lambda: later.execute(later.preview().preview_id, again=True))

    assert refused == ["PREVIEW_UNKNOWN" if hand is older else code]
    assert (fresh.exit_code, fresh.code) == (3, "JOURNAL_BEHIND" if code == "PREVIEW_UNKNOWN" else code)
    assert fresh.next in {"capcli history accept", "capcli history verify"}
    assert later.tap.orders() == []
    assert later.app.verification.verify(ask_keychain=False).exit_code == 3
    assert later.app.closings.close(deal or "", confirmed=True).data.state is AttemptState.LANDED
    assert later.book() == []


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
