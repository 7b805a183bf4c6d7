"""The pictures that README shows are made from real output. `SNAPSHOTS=write` draws them anew."""

import os
import re
from contextlib import closing
from datetime import timedelta
from io import StringIO
from itertools import count
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from capcli.cli.call import Call
from capcli.cli.desk import PRESENCE, desk_of
from capcli.cli.io_streams import IOStreams
from capcli.desk.frame import Frame
from capcli.desk.seen import Chosen, Pane
from capcli.render.blocks import Cell, Terminal, Tone
from capcli.runtime import Runtime
from tests.cli.conftest import Cli
from tests.support.paths import ROOT
from tests.support.picture import svg

FOLDER = ROOT / ".github" / "pictures"


def runtime(capcli: Cli) -> Runtime:
    """Let the time of day stand still while a command runs, however long its threads wait for their turn."""
    time, numbers, waited = capcli.time, count(1), [0.0]
    return Runtime(
        clock=lambda: time.now,
        sleep=waited.append,
        monotonic=lambda: time.now.timestamp() + sum(waited),
        ids=lambda prefix: f"{prefix}7k2m9x4q{next(numbers):04}",
    )


def buy(capcli: Cli) -> str:
    """Return what a person sees who buys."""
    # Nothing is late there, so nothing waits and no price moves.
    assert capcli("paper", "reset", "--behaviour", "kind", "--confirm", runtime=runtime(capcli)).code == 0
    words = ("--quiet", "buy", "SILVER", "1.5", "--stop", "5%", "--limit", "10%")
    done = capcli(*words, typed="y\n", width=96, runtime=runtime(capcli))
    assert done.code == 0, done
    # The result comes after the question, under a line of its own about the account.
    shown, told = done.out[: (place := done.out.rindex("\x1b[2mpaper"))], done.out[place:]
    question = f"{done.err.strip()} y"
    return f"$ capcli buy SILVER 1.5 --stop 5% --limit 10%\n{shown.strip()}\n\n{question}\n\n{told.strip()}\n"


def ordered(capcli: Cli, runtime: Runtime, *order: str) -> str:
    """Preview and execute an order, and return its deal."""
    preview = capcli("preview", *order, "--json", runtime=runtime).data["preview_id"]
    done = capcli("execute", preview, "--confirm", "--json", runtime=runtime)
    assert done.code == 0, done
    return str(done.data["deal_id"])


def desk(capcli: Cli) -> str:
    """Return what the desk shows to a person with a position and a working order."""
    given = runtime(capcli)
    assert capcli("paper", "reset", "--behaviour", "kind", "--confirm", runtime=given).code == 0
    for order in (
        "SILVER --size 100 --stop 2% --limit 3%",
        "EURUSD --size 10000 --at 1.05 --type limit --stop 1.04",
        "GOLD --size 2 --sell --stop 1%",
    ):
        ordered(capcli, given, *order.split())
        capcli.time.now += timedelta(minutes=27)
    environ = {"CAPCLI_HOME": str(capcli.home)}
    call = Call(IOStreams(StringIO(), StringIO(), StringIO(), environ), given)
    with closing(call):
        now = desk_of(call, call.build(caller=PRESENCE), ())
        with closing(now.reader):
            for step in (now.reader.read_stream, now.reader.read_broker, now.reader.read_computer):
                step()
            seen = now.reader.seen()
        account = seen.account
        assert account is not None
        look = Terminal(
            terminal=True,
            colour=True,
            numbers=now.numbers([*seen.rows(Pane.POSITIONS), *seen.rows(Pane.ORDERS)]),
        )
        silver = next(row.deal_id for row in account.positions if row.epic == "SILVER")
        frame = Frame(seen, look, 100, 32, Chosen(Pane.POSITIONS, silver))
        return "\n".join("".join(map(_escaped, line)) for line in frame.lines())


def _escaped(cell: Cell) -> str:
    code = {Tone.GOOD: 32, Tone.BAD: 31, Tone.WARN: 33, Tone.DIM: 2, Tone.STRONG: 1}.get(cell.tone)
    return cell.text if code is None else f"\x1b[{code}m{cell.text}\x1b[0m"


TRADES = (
    ("SILVER", "20", "buy", "breakout", 30),
    ("GOLD", "0.5", "sell", "reversal", 8),
    ("EURUSD", "8000", "buy", "breakout", 20),
    ("SILVER", "20", "sell", "reversal", 40),
    ("BTCUSD", "0.05", "buy", "breakout", 12),
    ("GOLD", "0.5", "buy", "breakout", 60),
    ("SILVER", "25", "buy", "reversal", 30),
    ("EURUSD", "8000", "sell", "reversal", 26),
    ("BTCUSD", "0.05", "sell", "breakout", 15),
    ("GOLD", "0.5", "sell", "breakout", 33),
)


def stats(capcli: Cli) -> str:
    """Return what a person sees of two weeks of trading."""
    run = runtime(capcli)
    assert capcli("paper", "reset", "--behaviour", "kind", "--confirm", runtime=run).code == 0
    for epic, size, side, tag, hours in TRADES:
        order = ("--size", size, "--stop", "4%", "--tag", tag, *(["--sell"] if side == "sell" else []))
        deal = ordered(capcli, run, epic, *order)
        capcli.time.sleep(hours * 3600)
        assert capcli("close", deal, "--confirm", "--json", runtime=run).code == 0
        capcli.time.sleep(4 * 3600)
    words = ("history", "stats", "--last", "2w", "--by", "tag", "--chart")
    done = capcli("--quiet", *words, typed="", width=96, runtime=run)
    assert done.code == 0, done
    return f"$ capcli {' '.join(words)}\n{done.out.strip()}\n"


PICTURES = {"buy": buy, "desk": desk, "stats": stats}


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
