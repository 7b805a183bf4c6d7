"""`capcli prices` with --chart and --output, as typed."""

import json
from decimal import Decimal

import pytest

KEYS = [
    *(
        "epic",
        "resolution",
        "file",
        "rows",
        "asked_from",
        "first",
        "last",
        "requests",
        "gaps",
        "missing",
        "longest_gap",
    ),
    *("days_unjudged", "forming_left_out", "resumed", "seconds"),
]
SPAN = ("--resolution", "1m", "--from", "2026-11-20", "--to", "2026-11-20T20:00")


def test_a_download_is_told_in_one_document(capcli, tmp_path):
    file = tmp_path / "gold.csv"
    done = capcli("prices", "GOLD", *SPAN, "--output", str(file), "--json")
    data = done.data
    assert (done.code, data["rows"], data["requests"], data["gaps"]) == (0, 1201, 2, 0)
    assert (data["first"], data["last"]) == ("2026-11-20T00:00:00Z", "2026-11-20T20:00:00Z")
    assert (data["file"], data["longest_gap"]) == (str(file), None)
    assert list(data) == KEYS
    assert len(file.read_text().splitlines()) == 1202


def test_stdout_gets_csv_and_with_json_one_candle_a_line(capcli):
    words = ("prices", "GOLD", *SPAN, "--output", "-")
    rows = capcli(*words).out.splitlines()
    lines = capcli(*words, "--json").out.splitlines()
    assert rows[0].startswith("time,bid_open,bid_high,bid_low,bid_close,ask_open,")
    assert (len(rows), len(lines)) == (1202, 1201)
    assert list(json.loads(lines[0])) == rows[0].split(",")


def test_what_was_written_can_be_replayed(capcli, tmp_path):
    file = tmp_path / "gold.jsonl"
    assert capcli("prices", "GOLD", *SPAN, "--output", str(file)).code == 0
    told = capcli("paper", "reset", "--yes", "--replay", f"GOLD={file}")
    assert told.code == 0, told.err


def test_a_terminal_gets_a_line_that_is_redrawn_and_cleared(capcli, tmp_path):
    done = capcli("prices", "GOLD", *SPAN, "--output", str(tmp_path / "a.csv"), typed="")
    assert "requests/s" in done.err
    # The line is gone and the cursor is back.
    assert done.err.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
    quiet = capcli("prices", "GOLD", *SPAN, "--output", str(tmp_path / "b.csv"), "--quiet", typed="")
    assert "requests/s" not in quiet.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--output", "a.csv"), "--output needs --from"),
        (("--chart", "--output", "a.csv"), "cannot be used together"),
        (("--force",), "--force goes with --output"),
        ((*SPAN, "--output", "a.xlsx"), ".csv, .jsonl, .parquet"),
        ((*SPAN, "--output", "a.csv", "--csv"), "no rows"),
        ((*SPAN, "--output", "-", "--fields", "time"), "--fields"),
    ],
)
def test_what_does_not_go_together_is_refused(capcli, words, said):
    done = capcli("prices", "GOLD", *words)
    assert done.code == 2
    assert said in done.err


def test_a_finished_file_is_named_with_the_line_that_replaces_it(capcli, tmp_path):
    words = ("prices", "GOLD", *SPAN, "--output", str(tmp_path / "a.csv"))
    capcli(*words)
    again = capcli(*words)
    assert again.code == 2
    assert "exists already" in again.err
    assert "--force" in again.err.splitlines()[-1]
    assert capcli(*words, "--force").code == 0


def test_a_chart_is_drawn_as_wide_as_the_window_and_plain_in_a_pipe(capcli):
    piped = capcli("prices", "GOLD", "--chart").out
    wide = capcli("prices", "GOLD", "--chart", env={"COLUMNS": "200"}).out
    assert "GOLD HOUR, bid" in piped
    assert "█ closed higher" in piped
    assert "\x1b" not in piped
    assert max(map(len, piped.splitlines())) <= 80 < max(map(len, wide.splitlines()))
    assert "\x1b[3" in capcli("prices", "GOLD", "--chart", typed="").out


def test_no_color_and_a_narrow_window(capcli):
    drawn = capcli("prices", "GOLD", "--chart", typed="", env={"NO_COLOR": "1"}).out
    assert "\x1b" not in drawn
    assert "░" in drawn
    narrow = capcli("prices", "GOLD", "--chart", typed="", width=39)
    assert narrow.code == 2
    assert "needs 40 columns; here are 39" in " ".join(narrow.err.split())


def test_a_chart_as_json_is_the_candles(capcli):
    assert len(capcli("prices", "GOLD", "--chart", "--last", "5", "--json").data["candles"]) == 5


@pytest.mark.parametrize("env", [{"LANG": "C"}, {"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}])
def test_a_chart_is_ascii_where_the_locale_is(capcli, env):
    assert capcli("prices", "GOLD", "--chart", env=env).out.isascii()
    assert capcli("prices", "GOLD", "--chart", typed="", env=env).out.isascii()


def test_a_chart_shows_the_traders_own_levels(capcli):
    bid = Decimal(str(capcli("quote", "SILVER", "--json").data["quotes"][0]["bid"]))
    stop, limit, far, level = (f"{bid + move:.3f}" for move in (Decimal("-0.6"), Decimal("0.6"), 9, -7))
    capcli.bought("--stop", stop, "--limit", limit)
    capcli.bought("--at", level, "--type", "limit")
    capcli.bought("--limit", far)
    found = capcli("prices", "SILVER", "--last", "40", "--chart", "--json").data
    named = [(own["name"], own["level"]) for own in found["levels"]]
    assert {("stop", float(stop)), ("limit", float(limit)), ("limit", float(far))} <= set(named)
    assert [name for name, _ in named].count("entry") == 2
    assert ("order", float(level)) in named
    shown = capcli("prices", "SILVER", "--last", "40", "--chart").out
    assert f"stop {stop}" in shown
    assert f"limit {limit}" in shown
    assert f"Too far away to be drawn: limit {far} above, order {level} below." in shown
    assert "┄" in shown
    other = capcli("prices", "GOLD", "--last", "40", "--chart").out
    assert "Yours" not in other


def test_without_a_chart_nobody_reads_the_positions(capcli):
    capcli.bought("--stop", "24.50")
    assert capcli("prices", "SILVER", "--last", "4", "--json").data["levels"] == []


def test_a_span_is_told_as_it_was_typed(capcli, tmp_path):
    line = ("prices", "GOLD", "--resolution", "1m", "--last", "2h", "--output", str(tmp_path / "gold.csv"))
    done = capcli(*line)
    assert (done.code, "; the one still forming was left out." in done.out) == (0, True), done
    again = capcli(*line)
    following = (
        f"next: capcli prices GOLD --resolution MINUTE --last 2h --output {tmp_path / 'gold.csv'} --force"
    )
    assert (again.code, again.err.splitlines()[-1]) == (2, following)
