"""Preferences rest for five minutes, per host and account; whatever is wrong with a file costs a request."""

from decimal import Decimal
from pathlib import Path

import pytest

from capcli.domain.account import Leverage, Preferences
from capcli.store.preferences import FilePreferences
from tests.support.clock import Time

CHOSEN = Preferences(hedging=True, leverages={"SHARES": Leverage(Decimal(5), (Decimal(1), Decimal(5)))})


def book(folder: Path, time: Time, host: str = "http://paper") -> FilePreferences:
    return FilePreferences(folder / "cache", host, time.now)


def test_another_process_reads_what_was_saved(tmp_path: Path, time: Time) -> None:
    book(tmp_path, time).save("1", CHOSEN)
    assert book(tmp_path, time).load("1") == CHOSEN
    assert book(tmp_path, time).load("2") is None
    assert book(tmp_path, time, "https://demo").load("1") is None


def test_after_five_minutes_it_is_not_believed(tmp_path: Path, time: Time) -> None:
    book(tmp_path, time).save("1", CHOSEN)
    time.tick(299.999)
    assert book(tmp_path, time).load("1") == CHOSEN
    time.tick(0.001)
    assert book(tmp_path, time).load("1") is None


def test_a_time_ahead_of_the_clock_is_not_believed(tmp_path: Path, time: Time) -> None:
    later = Time(time.now().replace(year=2027))
    book(tmp_path, later).save("1", CHOSEN)
    assert book(tmp_path, time).load("1") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"at": "yesterday"}',
        b'{"at": "2026-03-02T12:00:00+00:00", "hedging": 1, "leverages": {}}',
        b'{"at": "2026-03-02T12:00:00+00:00", "hedging": true, "leverages": {"A": ["x"]}}',
        b'{"at": "2026-03-02T12:00:00", "hedging": true, "leverages": {}}',
        b"\xff",
    ],
)
def test_a_broken_file_is_a_missing_one(tmp_path: Path, time: Time, content: bytes) -> None:
    kept = book(tmp_path, time)
    kept.save("1", CHOSEN)
    next((tmp_path / "cache").glob("preferences-*")).write_bytes(content)
    assert kept.load("1") is None


def test_what_is_dropped_is_gone_and_the_others_stay(tmp_path: Path, time: Time) -> None:
    kept, other = book(tmp_path, time), book(tmp_path, time, "https://demo")
    for account in ("1", "2"):
        kept.save(account, CHOSEN)
    other.save("1", CHOSEN)
    kept.drop("1")
    assert (kept.load("1"), kept.load("2")) == (None, CHOSEN)
    kept.drop_all()
    assert (kept.load("2"), other.load("1")) == (None, CHOSEN)


def test_a_folder_that_cannot_be_used_costs_only_the_sharing(tmp_path: Path, time: Time) -> None:
    (tmp_path / "cache").write_text("a file")
    kept = book(tmp_path, time)
    kept.save("1", CHOSEN)
    kept.drop("1")
    assert kept.load("1") is None
