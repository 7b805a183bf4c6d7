"""`events`: once, and as they come; the program that runs for each; what cannot be asked."""

import json
import sys

import pytest


def rows(result):
    return [json.loads(line)["data"] for line in result.out.splitlines()]


@pytest.fixture
def start(capcli):
    """A cursor before anything happened."""
    return capcli("events", "--json").data["cursor"]


def test_a_person_reads_what_happened_with_the_cursor_to_go_on_from(capcli):
    assert "Nothing happened." in capcli("events").out
    capcli.bought()
    told = capcli("events", typed="", width=100)
    assert told.code == 0
    assert "Filled: BUY 1.5 SILVER at " in told.out
    assert "-0000000001" in told.out


def test_rows_as_csv_and_chosen_fields(capcli):
    capcli.bought()
    told = capcli("events", "--csv", "--fields", "kind,epic,repeat")
    assert told.out == "kind,epic,repeat\r\nfilled,SILVER,false\r\n"
    (row,) = capcli("events", "--json", "--fields", "kind").data["events"]
    assert row == {"kind": "filled"}


def test_followed_it_writes_a_document_a_line_from_the_cursor_on(capcli, start):
    capcli.bought()
    capcli("halt", "--reason", "lunch")
    told = capcli("events", "--follow", "--since", start, "--for", "12")
    capcli("resume", "--confirm")

    assert told.code == 0
    assert [(row["kind"], row["repeat"]) for row in rows(told)] == [("filled", False), ("halted", False)]
    last = rows(told)[-1]["cursor"]
    again = capcli("events", "--follow", "--since", last, "--for", "1", "--csv", "--fields", "kind,state")
    assert again.out == "kind,state\r\nresumed,\r\n"


def test_without_a_cursor_it_begins_now(capcli):
    capcli.bought()
    assert capcli("events", "--follow", "--for", "6").out == ""


def test_a_terminal_gets_a_line_each(capcli, start):
    capcli.bought()
    told = capcli("events", "--follow", "--since", start, "--for", "1", typed="", width=100)
    assert "Z  Filled: BUY 1.5 SILVER at " in told.out
    assert told.err.endswith(" on paper. Ctrl-C ends it.\n")
    assert "{" not in told.out


def test_exec_gets_each_event_as_json_without_a_shell(capcli, start, tmp_path):
    capcli.bought()
    script, heard = tmp_path / "hear it.py", tmp_path / "heard"
    script.write_text(
        "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + sys.argv[2].encode())"
    )
    line = f"'{sys.executable}' '{script}' '{heard}' '$HOME;'"

    told = capcli("events", "--follow", "--since", start, "--for", "1", "--exec", line)

    assert told.code == 0
    text = heard.read_text()
    assert text.endswith("\n$HOME;")
    document = json.loads(text.removesuffix("$HOME;"))
    # Whether it ran for the first one behind a cursor, nobody knows.
    assert document["data"] == rows(told)[0]
    assert (document["data"]["repeat"], document["data"]["kind"]) == (True, "filled")
    assert document["account_id"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/nowhere/at-all", "/nowhere/at-all could not be run"),
        (f"'{sys.executable}' -c 'raise SystemExit(3)'", "ended with exit code 3"),
    ],
)
def test_a_program_that_fails_is_told_and_the_event_all_the_same(capcli, start, line, said):
    capcli.bought()
    told = capcli("events", "--follow", "--since", start, "--for", "1", "--exec", line)
    assert (told.code, len(rows(told))) == (0, 1)
    assert "--exec failed for " in told.err
    assert said in told.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--exec", "true"], "--exec and --for need --follow"),
        (["--for", "5"], "--exec and --for need --follow"),
        (["--since", "x", "--last", "1d"], "cannot be used together"),
        (["--follow", "--last", "1d"], "--last shows the past"),
        (["--follow", "--exec", ""], "--exec holds no command"),
        (["--since", "yesterday"], "'yesterday' is not a cursor"),
        (["--last", "5"], "Write 90m"),
        (["--follow", "--every", "0"], "--every"),
        (["--fields", "price"], "there is no field price"),
        (["--follow", "--fields", "price"], "there is no field price"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(capcli, words, part):
    result = capcli("events", *words)
    assert (result.code, result.out) == (2, "")
    assert part in result.err
