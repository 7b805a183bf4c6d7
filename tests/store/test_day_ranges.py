"""Ranges of days rest for that day, per host and market; whatever is wrong with a file costs a request."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from capcli.store.day_ranges import FileDayRanges

TODAY, TOMORROW = date(2026, 3, 2), date(2026, 3, 3)
MOVED = Decimal("0.612")


def book(folder: Path, host: str = "paper") -> FileDayRanges:
    return FileDayRanges(folder / "cache", host)


def test_another_process_reads_what_was_saved_for_that_day_alone(tmp_path: Path) -> None:
    book(tmp_path).save("SILVER", TODAY, MOVED)
    book(tmp_path).save("GOLD", TODAY, Decimal(40))
    assert book(tmp_path).load("SILVER", TODAY) == MOVED
    assert book(tmp_path).load("GOLD", TODAY) == Decimal(40)
    assert book(tmp_path).load("EURUSD", TODAY) is None
    assert book(tmp_path).load("SILVER", TOMORROW) is None
    assert book(tmp_path, "demo").load("SILVER", TODAY) is None


def test_the_next_day_begins_with_nothing(tmp_path: Path) -> None:
    book(tmp_path).save("SILVER", TODAY, MOVED)
    book(tmp_path).save("GOLD", TOMORROW, Decimal(40))
    assert book(tmp_path).load("SILVER", TOMORROW) is None
    assert book(tmp_path).load("GOLD", TOMORROW) == Decimal(40)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"day": "2026-03-02"}',
        b'{"day": "2026-03-02", "ranges": 4}',
        b'{"day": "2026-03-02", "ranges": {"SILVER": null}}',
        b'{"day": "2026-03-02", "ranges": {"SILVER": "much"}}',
        b'{"day": "2026-03-02", "ranges": {"SILVER": "NaN"}}',
        b'{"day": "2026-03-02", "ranges": {"SILVER": "-1"}}',
        b"\xff\xfe",
    ],
)
def test_a_file_that_makes_no_sense_is_a_missing_one_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    book(tmp_path).save("SILVER", TODAY, MOVED)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(content)
    assert book(tmp_path).load("SILVER", TODAY) is None
    book(tmp_path).save("SILVER", TODAY, MOVED)
    assert book(tmp_path).load("SILVER", TODAY) == MOVED


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder belongs")
    book(tmp_path).save("SILVER", TODAY, MOVED)
    assert book(tmp_path).load("SILVER", TODAY) is None


def test_a_host_that_began_anew_is_forgotten(tmp_path: Path) -> None:
    book(tmp_path).save("SILVER", TODAY, MOVED)
    book(tmp_path, "demo").save("SILVER", TODAY, MOVED)
    book(tmp_path).drop_all()
    book(tmp_path).drop_all()
    assert book(tmp_path).load("SILVER", TODAY) is None
    assert book(tmp_path, "demo").load("SILVER", TODAY) == MOVED
