"""The pictures that README shows are made from real output. `SNAPSHOTS=write` draws them anew."""

import os
import re
from itertools import count
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from capcli.app import Surroundings
from tests.cli.conftest import Cli
from tests.support.paths import ROOT
from tests.support.picture import svg

FOLDER = ROOT / ".github" / "pictures"


def around(capcli: Cli) -> Surroundings:
    time, numbers = capcli.time, count(1)
    return Surroundings(
        # It moves only where something waits, so the threads of one look see one time.
        clock=lambda: time.now,
        sleep=time.sleep,
        monotonic=time.monotonic,
        ids=lambda prefix: f"{prefix}7k2m9x4q{next(numbers):04}",
    )


def buy(capcli: Cli) -> str:
    """Return what a person sees who buys."""
    # Nothing is late there, so nothing waits and no price moves.
    assert capcli("paper", "reset", "--behaviour", "kind", "--confirm", around=around(capcli)).code == 0
    words = ("--quiet", "buy", "SILVER", "1.5", "--stop", "5%", "--limit", "10%")
    done = capcli(*words, typed="y\n", width=96, around=around(capcli))
    assert done.code == 0, done
    # The result comes after the question, under a line of its own about the account.
    shown, told = done.out[: (place := done.out.rindex("\x1b[2mpaper"))], done.out[place:]
    question = f"{done.err.strip()} y"
    return f"$ capcli buy SILVER 1.5 --stop 5% --limit 10%\n{shown.strip()}\n\n{question}\n\n{told.strip()}\n"


PICTURES = {"buy": buy}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_the_program_shows(capcli: Cli, name: str) -> None:
    drawn, file = svg(PICTURES[name](capcli)), FOLDER / f"{name}.svg"
    if os.environ.get("SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(drawn, encoding="utf-8", newline="\n")
    assert file.read_text(encoding="utf-8") == drawn, "SNAPSHOTS=write draws it anew"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.svg")), ids=lambda file: file.name)
def test_a_picture_needs_nothing_from_elsewhere(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    ET.fromstring(text)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)|url\(|<script|<image|@import", text)


def test_readme_shows_each_picture() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {f".github/pictures/{file.name}" for file in FOLDER.glob("*.svg")} <= set(
        re.findall(r"\.github/pictures/[\w-]+\.svg", readme)
    )
