"""What tells the state folder that live was unlocked for from every other one."""

import shutil
import stat
import sys

import pytest

from capcli.errors import StateFolderUnusable
from capcli.store.live_place import FileLivePlace


def test_a_place_is_the_same_every_time_and_for_nobody_else(tmp_path):
    assert FileLivePlace(tmp_path / "state", "main").read() is None

    made = FileLivePlace(tmp_path / "state", "main").make()

    assert FileLivePlace(tmp_path / "state", "main").read() == made
    assert FileLivePlace(tmp_path / "state", "main").make() == made
    assert FileLivePlace(tmp_path / "state", "other").make() != made
    assert FileLivePlace(tmp_path / "state", "main").unlocked_profiles == ("main", "other")


def test_a_copy_and_a_new_folder_at_the_same_path_are_other_places(tmp_path):
    made = FileLivePlace(tmp_path / "state", "main").make()
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    shutil.rmtree(tmp_path / "state")

    assert FileLivePlace(tmp_path / "copy", "main").read() not in {None, made}
    assert FileLivePlace(tmp_path / "state", "main").make() != made


def test_a_dropped_place_is_none(tmp_path):
    place = FileLivePlace(tmp_path, "main")
    place.make()

    place.drop()
    place.drop()

    assert (place.read(), place.unlocked_profiles) == (None, ())


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_the_id_is_private(tmp_path):
    FileLivePlace(tmp_path, "main").make()

    assert stat.S_IMODE((tmp_path / "live-main.id").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "state").write_text("a file")

    with pytest.raises(StateFolderUnusable):
        FileLivePlace(tmp_path / "state", "main").make()
