"""The cache of what was seen: bounded, private, and never a reason to fail."""

import sys

import pytest

from capcli.store.seen import MOST, SeenValues, read_seen, seen_file


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def kept(cache):
    return read_seen(seen_file(cache, "paper"))


def test_the_newest_stand_first_and_the_oldest_leave(cache):
    seen = SeenValues(cache, "paper")
    seen.note({"epics": {f"E{number}": "" for number in range(MOST)}})
    seen.note({"epics": {"GOLD": "Gold", "E7": ""}})
    epics = list(kept(cache)["epics"])
    assert epics[:3] == ["GOLD", "E7", "E0"]
    assert len(epics) == MOST


def test_a_name_once_known_stays(cache):
    seen = SeenValues(cache, "paper")
    seen.note({"epics": {"GOLD": "Gold"}})
    seen.note({"epics": {"GOLD": ""}})
    assert kept(cache) == {"epics": {"GOLD": "Gold"}}


def test_only_plain_values_and_printable_names_are_kept(cache):
    bad = ("$(rm)", "a b", "x\ny", "", "-f", "a'b")
    SeenValues(cache, "paper").note(
        {"epics": {**dict.fromkeys(bad, ""), "GOLD": "Go\tld\n\x1b[31m" + "x" * 99}}
    )
    assert list(kept(cache)["epics"]) == ["GOLD"]
    about = kept(cache)["epics"]["GOLD"]
    assert about.isprintable()
    assert len(about) <= 48


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_file_is_private(cache):
    SeenValues(cache, "paper").note({"epics": {"GOLD": ""}})
    assert seen_file(cache, "paper").stat().st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in cache.iterdir()] == ["seen-paper.txt"]


def test_nothing_is_written_where_nothing_is_new(cache):
    seen = SeenValues(cache, "paper")
    seen.note({"epics": {"GOLD": "Gold", "SILVER": ""}})
    before = seen_file(cache, "paper").stat().st_ino
    seen.note({"epics": {"GOLD": "Gold"}})
    assert seen_file(cache, "paper").stat().st_ino == before


def test_a_folder_that_cannot_be_written_or_a_torn_file_is_no_error(tmp_path, cache):
    (tmp_path / "file").write_text("")
    SeenValues(tmp_path / "file" / "cache", "paper").note({"epics": {"GOLD": ""}})
    cache.mkdir()
    seen_file(cache, "paper").write_bytes(b"epics\tGOLD\nwhat\xff")
    SeenValues(cache, "paper").note({"epics": {"SILVER": ""}})
    assert kept(cache) == {"epics": {"SILVER": ""}}


def test_what_cannot_be_put_in_place_leaves_no_file_behind(cache):
    SeenValues(cache, "paper").note({"epics": {"GOLD": ""}})
    seen_file(cache, "paper").unlink()
    seen_file(cache, "paper").mkdir()
    SeenValues(cache, "paper").note({"epics": {"SILVER": ""}})
    assert [file.name for file in cache.iterdir()] == ["seen-paper.txt"]
