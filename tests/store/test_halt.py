"""The switch on disk: once the file is there, whatever is in it, everything is halted."""

import json
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capcli.domain.halt import Halt
from capcli.errors import StateFolderUnusable
from capcli.store.halt import FileHalt

NOON = Halt(datetime(2026, 3, 2, 12, tzinfo=UTC), "capcli halt", 7, "enough")


def switch_of(root: Path, state: str = "state") -> FileHalt:
    return FileHalt(root / state / "halted", root / "guard" / "halted")


@pytest.fixture
def switch(tmp_path: Path) -> FileHalt:
    return switch_of(tmp_path)


def blocked(folder: Path) -> None:
    """Put a file where a folder is needed: nobody can write into it, root included."""
    folder.write_text("")


def test_nothing_is_halted_at_first(switch: FileHalt) -> None:
    assert switch.read() is None


def test_a_halt_is_read_by_everybody_as_it_was_set(switch: FileHalt, tmp_path: Path) -> None:
    assert switch.set(NOON).halt == NOON
    assert switch_of(tmp_path).read() == NOON
    assert switch_of(tmp_path, "another state folder").read() == NOON


def test_a_second_halt_leaves_the_first(switch: FileHalt) -> None:
    switch.set(NOON)
    assert switch.set(Halt(NOON.at, "cap_halt", 8, "later")).halt == NOON


def test_a_halt_ends_when_it_is_cleared(switch: FileHalt) -> None:
    switch.set(NOON)
    switch.clear()
    assert switch.read() is None
    switch.clear()


@pytest.mark.parametrize("place", ["state", "guard"])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"at":"soon"}', '{"at":null,"by":"x","pid":1,"reason":""}'])
def test_what_cannot_be_read_is_a_halt(switch: FileHalt, tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / place).mkdir()
    (tmp_path / place / "halted").write_text(text)
    held = switch.read()
    assert held is not None
    assert held.words.startswith("halted: ")
    assert "says nothing that can be read" in held.words


@pytest.mark.parametrize("place", ["state", "guard"])
def test_a_switch_that_is_no_file_is_a_halt(switch: FileHalt, tmp_path: Path, place: str) -> None:
    (tmp_path / place / "halted").mkdir(parents=True)
    held = switch.read()
    assert held is not None
    assert "cannot be read" in held.words
    with pytest.raises(StateFolderUnusable):
        switch.clear()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_its_user_can_read_it(switch: FileHalt, tmp_path: Path) -> None:
    switch.set(NOON)
    for place in ("state", "guard"):
        assert stat.S_IMODE((tmp_path / place / "halted").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / place).stat().st_mode) == 0o700


def test_a_full_disk_keeps_nobody_from_halting(switch: FileHalt, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    switch.set(NOON)
    assert switch.read() is not None


def test_either_place_halts(switch: FileHalt, tmp_path: Path) -> None:
    for place in ("state", "guard"):
        switch.set(NOON)
        (tmp_path / place / "halted").unlink()
        assert switch.read() == NOON
        switch.clear()


@pytest.mark.parametrize(("missing", "everywhere"), [("state", True), ("guard", False)])
def test_one_place_that_can_be_written_is_enough(tmp_path: Path, missing: str, everywhere: bool) -> None:
    blocked(tmp_path / missing)
    kept = switch_of(tmp_path).set(NOON)
    assert len(kept.places) == len(kept.failed) == 1
    assert str(tmp_path / missing) in kept.failed[0]
    assert kept.everywhere is everywhere
    assert switch_of(tmp_path).read() is not None


def test_with_no_place_to_write_to_this_process_is_halted_all_the_same(tmp_path: Path) -> None:
    for place in ("state", "guard"):
        blocked(tmp_path / place)
    switch = switch_of(tmp_path)
    kept = switch.set(NOON)
    assert (kept.places, len(kept.failed)) == ((), 2)
    assert switch.read() == NOON


def test_a_resume_clears_what_another_state_folder_halted(tmp_path: Path) -> None:
    mine, other = switch_of(tmp_path, "mine"), switch_of(tmp_path, "other")
    mine.set(NOON)
    other.set(NOON)
    mine.clear()
    assert (mine.read(), other.read()) == (None, None)


@pytest.mark.parametrize("place", ["state", "guard", "other"])
def test_a_resume_that_cannot_clear_a_place_names_it_and_everybody_stays_halted(
    tmp_path: Path, place: str
) -> None:
    switches = [switch_of(tmp_path), switch_of(tmp_path, "other")]
    for switch in switches:
        switch.set(NOON)
    stuck = tmp_path / place / "halted"
    stuck.unlink()
    stuck.mkdir()
    with pytest.raises(StateFolderUnusable, match=rf"{place}.halted .*cannot be removed. It stays halted"):
        switches[0].clear()
    assert all(switch.read() is not None for switch in switches)


def test_a_halt_names_no_file_of_another_name_to_be_removed(switch: FileHalt, tmp_path: Path) -> None:
    switch.set(NOON)
    precious = tmp_path / "precious"
    precious.write_text("")
    facts = json.loads((tmp_path / "guard" / "halted").read_bytes())
    for text in (str(precious), "halted", 7, None):
        (tmp_path / "guard" / "halted").write_text(json.dumps({**facts, "places": [text]}))
        switch.clear()
        assert precious.exists()
        switch.set(NOON)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("place", ["state", "guard"])
def test_a_link_to_nothing_keeps_nobody_from_halting(switch: FileHalt, tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(mode=0o700)
    (tmp_path / place / "halted").symlink_to(tmp_path / "nothing")
    assert switch.set(NOON).failed == ()
    assert not (tmp_path / "nothing").exists()
    assert (tmp_path / place / "halted").is_file()


def noted(root: Path) -> list[str]:
    """Return the state folders that the guard's halt names."""
    return list(json.loads((root / "guard" / "halted").read_bytes())["places"])


def test_every_state_folder_that_halts_is_noted_once(tmp_path: Path) -> None:
    one, other = switch_of(tmp_path), switch_of(tmp_path, "another state folder")
    for switch in (one, one, other, other, one):
        switch.set(NOON)
    assert noted(tmp_path) == [str(tmp_path / name / "halted") for name in ("state", "another state folder")]


@pytest.mark.parametrize(
    "text", ['["halted"]', '{"at":"2026-03-02T12:00:00+00:00","by":"x","pid":1,"reason":""']
)
@pytest.mark.parametrize("places", ['"state"', "7", None])
def test_a_halt_that_names_no_folders_is_left_alone_and_still_ends(
    switch: FileHalt, tmp_path: Path, text: str, places: str | None
) -> None:
    if text.startswith("{"):
        text += "}" if places is None else f',"places":{places}}}'
    file = tmp_path / "guard" / "halted"
    file.parent.mkdir()
    file.write_text(text)
    switch.set(NOON)
    assert file.read_text() == text
    switch.clear()
    assert switch.read() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot open a folder and logs its renames")
def test_a_halt_and_its_end_survive_a_power_cut(
    switch: FileHalt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        real(handle)

    def inodes(*names: str) -> set[int]:
        return {(tmp_path / name).stat().st_ino for name in names}

    monkeypatch.setattr(os, "fsync", fsync)
    switch.set(NOON)
    assert synced >= inodes("state", "guard", "state/halted", "guard/halted")
    synced.clear()
    switch.clear()
    assert synced >= inodes("state", "guard")
