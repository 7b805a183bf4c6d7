"""Notes are read beside the journal: they change nothing in its folder, and a bad file only hides them."""

from decimal import Decimal

from capcli.store.order_notes import order_notes
from tests.support.seat import Seat


def written(seat: Seat) -> dict[str, int]:
    """Return the files of the journal but SQLite's own, and when each was written last."""
    files = (file for file in seat.home.iterdir() if "journal" in file.name)
    return {one.name: one.stat().st_mtime_ns for one in files if not one.name.endswith(("-shm", "-wal"))}


def test_they_are_read_from_an_open_and_from_a_closed_journal_and_change_nothing(seat: Seat) -> None:
    deal = seat.open(note="why", tag="dip").deal_id or ""
    for _ in range(2):
        before = written(seat)
        found = order_notes(seat.home / "journal.db", "paper", seat.app.host, [deal, "other"])
        assert {name: (kept.note, kept.tag) for name, kept in found.items()} == {deal: ("why", "dip")}
        assert written(seat) == before
        seat.app.journal.close()
    assert seat.app.verification.verify(ask_keychain=False).data.intact
    assert seat.execute(seat.preview(size="2").preview_id, again=True).exit_code == 0


def test_a_journal_that_is_not_there_or_damaged_only_hides_them(seat: Seat) -> None:
    deal = seat.open(note="why").deal_id or ""
    journal = seat.home / "journal.db"
    assert order_notes(seat.home / "none.db", "paper", seat.app.host, [deal]) == {}
    assert not (seat.home / "none.db").exists()
    seat.app.journal.close()
    journal.write_bytes(b"no database" * 100)
    assert order_notes(journal, "paper", seat.app.host, [deal]) == {}
    (row,) = seat.app.portfolio.positions().data.positions
    assert (row.size, row.note) == (Decimal("1.5"), None)
