"""The switch on disk: once the file is there, whatever is in it, everything is halted."""

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


@pytest.fixture
def switch(tmp_path: Path) -> FileHalt:
    return FileHalt(tmp_path / "state" / "halted")


def test_nothing_is_halted_at_first(switch: FileHalt) -> None:
    assert switch.read() is None


def test_a_halt_is_read_by_everybody_as_it_was_set(switch: FileHalt, tmp_path: Path) -> None:
    assert switch.set(NOON) == NOON
    assert FileHalt(tmp_path / "state" / "halted").read() == NOON


def test_a_second_halt_leaves_the_first(switch: FileHalt) -> None:
    switch.set(NOON)
    assert switch.set(Halt(NOON.at, "cap_halt", 8, "later")) == NOON


def test_a_halt_ends_when_it_is_cleared(switch: FileHalt) -> None:
    switch.set(NOON)
    switch.clear()
    assert switch.read() is None
    switch.clear()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at":"soon"}', '{"at":null,"by":"x","pid":1,"reason":""}'])
def test_what_cannot_be_read_is_a_halt(switch: FileHalt, tmp_path: Path, text: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "halted").write_text(text)
    held = switch.read()
    assert held is not None
    assert held.words.startswith("halted: ")
    assert "says nothing that can be read" in held.words


def test_a_switch_that_is_no_file_is_a_halt(switch: FileHalt, tmp_path: Path) -> None:
    (tmp_path / "state" / "halted").mkdir(parents=True)
    held = switch.read()
    assert held is not None
    assert "cannot be read" in held.words
    with pytest.raises(StateFolderUnusable):
        switch.clear()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_its_user_can_read_it(switch: FileHalt, tmp_path: Path) -> None:
    switch.set(NOON)
    assert stat.S_IMODE((tmp_path / "state" / "halted").stat().st_mode) == 0o600


def test_a_full_disk_keeps_nobody_from_halting(switch: FileHalt, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    switch.set(NOON)
    assert switch.read() is not None
