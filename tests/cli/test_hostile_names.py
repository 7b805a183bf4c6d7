"""What the broker calls a market is data: harmless on a screen, exact in JSON and in a file."""

import csv
import io

import pytest

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.renaming import HOSTILE, Renaming


@pytest.fixture
def hostile(capcli):
    capcli.bought("--stop", "24.50")
    time = capcli.time

    def run(*words, **options):
        runtime = Runtime(
            clock=time.clock,
            sleep=time.sleep,
            monotonic=time.monotonic,
            transport=Renaming(PaperTransport(capcli.home / "paper.db", time.clock)),
        )
        return capcli(*words, runtime=runtime, **options)

    return run


COMMANDS = [
    ("markets", "search", "SILVER"),
    ("markets", "show", "SILVER"),
    ("markets", "browse"),
    ("quote", "SILVER"),
    ("positions",),
    ("preview", "SILVER", "--size", "1", "--stop", "24.50"),
    ("preview", "SILVER", "--size", "1", "--stop", "24.50", "--explain"),
    ("exposure",),
]


@pytest.mark.parametrize("typed", [None, ""], ids=["piped", "terminal"])
def test_no_name_drives_the_screen(hostile, typed):
    for words in COMMANDS:
        result = hostile(*words, typed=typed, env={"NO_COLOR": "1"})
        assert result.code == 0
        for line in (result.out + result.err).split("\n"):
            assert line.isprintable(), (words, ascii(line))
            assert not line.startswith("next: capcli close"), words


def test_a_name_is_still_shown(hostile):
    assert "Sil?[2Jver?2J?" in hostile("markets", "search", "SILVER").out


def test_a_name_is_exact_in_json_and_nothing_of_it_is_raw(hostile):
    result = hostile("markets", "search", "SILVER", "--json")
    assert [row["name"] for row in result.data["markets"] if row["epic"] == "SILVER"] == [HOSTILE]
    assert result.out.rstrip("\n").isprintable()


def test_a_name_is_harmless_in_a_csv_file_as_on_a_terminal(hostile):
    words = ("markets", "search", "SILVER", "--csv", "--fields", "epic,name")
    for typed in (None, ""):
        shown = hostile(*words, typed=typed, env={"NO_COLOR": "1"}).out
        assert all(line.isprintable() for line in shown.replace("\r\n", "\n").split("\n"))
        rows = list(csv.reader(io.StringIO(shown, newline="")))
        assert ["SILVER", "".join(letter if letter.isprintable() else "?" for letter in HOSTILE)] in rows
