"""`--note` and `--tag`: kept with the order, shown wherever it is, plain text everywhere, never sent."""

import csv
import io
import json
import sys
from typing import Any

import pytest

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.tap import Tap

HOSTILE = (
    '--exec "$(reboot)" `id` & do shell script "x" <b>Pango</b> [bold]rich[/bold] '
    '\x1b]0;owned\x07\x1b[2J\u202e;Remove-Item\n=HYPERLINK("x") On LIVE, account 1'
)
KEPT = "".join(letter if letter.isprintable() else " " for letter in HOSTILE)
KEPT = " ".join(KEPT.split())
ORDER = ("preview", "SILVER", "--size", "1.5", "--stop", "24.50")


def test_they_go_with_the_order_and_never_to_the_broker(capcli: Any) -> None:
    time = capcli.time
    tap = Tap(PaperTransport(capcli.home / "paper.db", time.clock))
    runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=tap)
    shown = capcli(*ORDER, "--note", "Over the high", "--tag", "Breakout", "--json", runtime=runtime).data
    assert (shown["note"], shown["tag"]) == ("Over the high", "breakout")
    done = capcli("execute", shown["preview_id"], "--confirm", "--json", runtime=runtime)
    assert done.data["state"] == "LANDED"
    (row,) = capcli("positions", "--json").data["positions"]
    assert (row["note"], row["tag"]) == ("Over the high", "breakout")
    (sent,) = capcli("history", "executions", "--json").data["executions"]
    assert (sent["note"], sent["tag"], sent["client"]) == ("Over the high", "breakout", "a script")
    for words in (("positions",), ("history", "executions")):
        assert "breakout  Over the high" in " ".join(capcli(*words).out.split("   ")), words
    assert tap.requests
    for request in tap.requests:
        assert b"high" not in request.content.lower()
        assert "breakout" not in str(request.url).lower() + str(request.headers).lower()


def test_a_working_order_keeps_them_until_its_position_is_there(capcli: Any) -> None:
    words = ("--at", "20", "--tag", "dip", "--note", "buy low")
    shown = capcli("preview", "SILVER", "--size", "1.5", *words, "--json").data
    assert capcli("execute", shown["preview_id"], "--confirm", "--json").code == 0
    (row,) = capcli("orders", "--json").data["orders"]
    assert (row["note"], row["tag"]) == ("buy low", "dip")


def test_a_working_order_that_filled_is_known_by_it(capcli: Any) -> None:
    bid = capcli("quote", "SILVER", "--json").data["quotes"][0]["bid"]
    level = f"{bid - 0.3:.2f}"
    words = ("--at", level, "--type", "limit", "--stop-distance", "8", "--tag", "dip", "--json")
    shown = capcli("preview", "SILVER", "--size", "1.5", *words).data
    assert capcli("execute", shown["preview_id"], "--confirm", "--json").code == 0
    for _ in range(60):
        capcli.time.sleep(4 * 3600)
        if rows := capcli("positions", "--json").data["positions"]:
            break
    (row,) = rows
    assert row["working_order_id"]
    assert row["tag"] == "dip"


def test_without_them_a_table_has_no_column_for_them(capcli: Any) -> None:
    capcli.bought("--stop", "24.50")
    assert "Note" not in capcli("positions").out
    assert "Tag" not in capcli("history", "executions").out


@pytest.mark.parametrize("typed", [None, ""], ids=["piped", "terminal"])
def test_a_hostile_note_is_plain_text_everywhere(capcli: Any, typed: str | None) -> None:
    preview = capcli(*ORDER, "--note", HOSTILE, "--json").data
    assert preview["note"] == KEPT
    assert capcli("execute", preview["preview_id"], "--confirm", "--json").code == 0
    again = (*ORDER, "--note", HOSTILE)
    for words in (again, (*again, "--explain"), ("positions",), ("history", "executions"), ("status",)):
        shown = capcli(*words, typed=typed, env={"NO_COLOR": "1"})
        assert shown.code == 0
        for line in (shown.out + shown.err).split("\n"):
            assert line.isprintable(), (words, ascii(line))
        if typed is None and words[0] != "status":
            assert "[bold]rich[/bold]" in shown.out
            assert "<b>Pango</b>" in shown.out
    rows = csv.reader(io.StringIO(capcli("positions", "--csv", "--fields", "epic,note").out, newline=""))
    assert list(rows) == [["epic", "note"], ["SILVER", f"'{KEPT}"]], "a spreadsheet reads no formula"


def test_no_command_to_type_holds_a_note_that_a_shell_would_read(capcli: Any) -> None:
    for note in (HOSTILE, 'x" & calc'):
        refused = capcli("propose", "SILVER", "--risk", "1%", "--note", note, "--tag", "dip", "--json")
        assert refused.data["next"].endswith("--tag dip")
        assert "reboot" not in refused.data["next"]
    kept = capcli("propose", "SILVER", "--risk", "1%", "--note", "as planned", "--json").data["next"]
    assert kept.endswith('--note "as planned"')


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--note", "x" * 201), "at most 200 characters, not 201"),
        (("--tag", "two words"), "one word"),
        (("--tag", "\x1b[2J"), "one word"),
    ],
)
def test_what_is_no_note_or_tag_is_a_usage_error(capcli: Any, words: tuple[str, ...], told: str) -> None:
    refused = capcli(*ORDER, *words, "--json")
    assert (refused.code, refused.error["code"]) == (2, "USAGE")
    assert told in refused.error["message"]
    assert refused.error["message"].isprintable()


def test_a_person_who_approves_reads_the_note_as_quoted_text(capcli: Any, tmp_path: Any) -> None:
    told = tmp_path / "told"
    notify = f"{sys.executable} -c pass {told}"
    env = {"CAP_APPROVAL": "human", "CAP_NOTIFY": "false", "CAP_NOTIFY_CMD": notify}
    started: list[bytes] = []

    def launch(_argv: Any, document: bytes) -> None:
        started.append(document)

    time = capcli.time
    runtime = Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, launch=launch)
    preview = capcli(*ORDER, "--note", HOSTILE, "--tag", "dip", "--json", env=env).data["preview_id"]
    refused = capcli("execute", preview, "--confirm", "--json", env=env, runtime=runtime)
    assert refused.error["code"] == "APPROVAL_REQUIRED"
    (document,) = started
    text = json.loads(document)["text"]
    assert all(32 <= byte < 127 for byte in document.rstrip(b"\n"))
    lines = text.split("\n")
    (note,) = [line for line in lines if line.startswith("Note: ")]
    assert note == f'Note: "{KEPT.replace(chr(34), chr(39))}"'
    assert "Tag dip" in lines
    assert lines[-1].startswith("On PAPER, account ")
    code = refused.error["details"]["approval_code"]
    seen = capcli("approve", code, typed="n\n", env=env | {"NO_COLOR": "1"})
    assert all(line.isprintable() for line in (seen.out + seen.err).split("\n"))
    assert "Note: " in seen.err
