"""A journal that a hand changed sends no new risk."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.desk import Seat, refusal


def by_hand(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as raw:
        raw.execute(statement)


def test_a_preview_whose_expiry_was_moved_is_not_sent(seat: Seat) -> None:
    preview = seat.preview()
    by_hand(seat.home, "UPDATE previews SET expires_at = '2036-05-04T14:04:11.250000Z'")
    seat.time.tick(130)

    assert refusal(lambda: seat.execute(preview.preview_id)).code == "JOURNAL_ALTERED"
    assert seat.tap.orders() == []
