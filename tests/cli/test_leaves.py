"""Every command, for people, scripts and spreadsheets: a day on paper in each form, and the keys in it.

The lines stand in tests/support/leaves.py. `SNAPSHOTS=write` writes the keys anew.
"""

import csv
import json
import os
import re
from io import StringIO
from pathlib import Path

import pytest
import typer

from capcli.cli.main import app
from capcli.errors import Exit
from tests.support.leaves import KEPT, LEFT_OUT, LINES, command_of, leaves, shape

SNAPSHOT = Path(__file__).parent / "snapshots" / "keys.json"


@pytest.fixture(scope="module")
def known():
    return set(leaves(typer.main.get_command(app)))


def noted(out):
    """Return the ids in an answer: the deal that it is about, of accounts the last one."""
    found = {name: kind.findall(out) for name, kind in KEPT.items()}
    return {name: ids[0 if name == "deal" else -1] for name, ids in found.items() if ids}


def refuse_unknown_field(capcli, words):
    """A wrong name is told the right ones, before anything is sent."""
    refused = capcli(*words, "--fields", "nosuch")
    assert (refused.code, refused.out) == (Exit.USAGE, ""), words
    assert re.search(r"no field nosuch; there are: \w+", refused.err), words


def day(capcli, form):
    """Run the lines one after another in a form; yield each with its result."""
    last = {}
    for line in LINES:
        words = line.typed.format_map(last).split()
        asked = form if form != "--csv" or line.rows else "--json"
        if form == "--csv":
            refuse_unknown_field(capcli, words)
        if asked != form:
            yield line, words, capcli(*words, "--csv")
        result = capcli(*words, *filter(None, [asked]))
        last |= noted(result.out)
        assert result.code == line.code, (words, result)
        if asked == form:
            yield line, words, result


def test_every_command_has_a_line_or_a_reason(known):
    lines = {command_of(line.typed, known) for line in LINES}
    assert lines & set(LEFT_OUT) == set()
    assert lines | set(LEFT_OUT) == known, "tests/support/leaves.py"


def test_people_read_every_command(capcli):
    for _, words, result in day(capcli, None):
        assert (result.out or result.err).endswith("\n"), words
        assert "\x1b" not in result.out, words
        assert "Traceback" not in result.err, words


def test_scripts_read_every_command_and_its_keys_are_as_in_the_snapshot(capcli, known):
    seen = {}
    for line, words, result in day(capcli, "--json"):
        documents = [json.loads(text) for text in result.out.splitlines()]
        assert line.stream or len(documents) == 1, words
        document = documents[-1]
        assert document["ok"] is (result.code == 0), words
        assert document["schema"] == "capcli/1", words
        assert document["command"] == command_of(line.typed, known), words
        seen[line.typed + f" -> {line.code}" * (line.code > 0)] = shape(document)
    seen["error"] = shape(capcli("positions", "nosuchdeal", "--json").json)
    if os.environ.get("SNAPSHOTS") == "write":
        SNAPSHOT.write_text(json.dumps(seen, indent=1) + "\n")
    assert seen == json.loads(SNAPSHOT.read_text())


def test_spreadsheets_read_every_command_that_has_rows(capcli):
    for line, words, result in day(capcli, "--csv"):
        if not line.rows:
            assert (result.code, result.out) == (Exit.USAGE, ""), words
            assert "has no rows" in result.err, words
            continue
        header, *rows = csv.reader(StringIO(result.out))
        assert header, words
        assert all(len(row) == len(header) for row in rows), words
