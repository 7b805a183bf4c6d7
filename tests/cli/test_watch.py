"""`watch` and `alert` on the embedded paper broker: its stream runs in this process, over two queues."""

import json
import signal
import sys

import pytest

from capcli.cli.streaming import StopSignal, seconds

SATURDAY_CLOSED = "AAPL"


def lines(result):
    return [json.loads(line) for line in result.out.splitlines()]


def events(result):
    return [line["data"] for line in lines(result)]


def test_a_piped_watch_writes_one_document_a_line(capcli):
    result = capcli("watch", "SILVER", "GOLD", "--every", "0", "--for", "4")

    assert result.code == 0
    assert {(line["ok"], line["command"], line["env"]) for line in lines(result)} == {
        (True, "watch", "paper")
    }
    assert {event["epic"] for event in events(result)} == {"SILVER", "GOLD"}
    assert list(events(result)[0]) == ["event", "epic", "bid", "offer", "at", "received_at"]


def test_once_ends_with_the_first_tick_of_each_and_the_last_price_of_a_closed_market(capcli):
    result = capcli("watch", "SILVER", SATURDAY_CLOSED, "GOLD", "--once", "--json")

    assert result.code == 0
    found = {event["epic"]: event["event"] for event in events(result)}
    assert found == {"SILVER": "tick", "GOLD": "tick", SATURDAY_CLOSED: "last"}
    assert len(events(result)) == 3


def test_a_closed_market_is_told_as_such(capcli):
    result = capcli("watch", SATURDAY_CLOSED, "--for", "2")

    (quiet,) = events(result)
    assert (quiet["event"], quiet["market_status"]) == ("quiet", "CLOSED")


def test_rows_as_csv(capcli):
    result = capcli("watch", "SILVER", "--csv", "--fields", "epic,bid", "--every", "0", "--for", "3")

    header, *rows = result.out.split("\n")
    assert header == "epic,bid\r"
    assert {row.partition(",")[0] for row in rows if row} == {"SILVER"}


@pytest.mark.skipif(sys.platform == "win32", reason="no terminal to draw on here")
def test_a_terminal_gets_a_table_that_is_drawn_over_itself(capcli):
    result = capcli("watch", "SILVER", SATURDAY_CLOSED, "--for", "4", typed="", width=80)

    assert result.code == 0
    assert "Epic" in result.out
    assert "\x1b[" in result.out
    assert "closed" in result.out
    assert "{" not in result.out


def test_once_on_a_terminal_is_a_table_too(capcli):
    result = capcli("watch", "SILVER", SATURDAY_CLOSED, "--once", "--no-color", typed="", width=80)

    assert result.out.startswith("paper · account ")
    assert "closed" in result.out
    assert "{" not in result.out
    assert "\x1b[2K" not in result.out


def test_positions_are_watched_with_their_totals(capcli):
    deal = capcli.bought()

    result = capcli("watch", "--positions", "--for", "3", "--json")

    last = events(result)[-1]
    assert last["event"] == "portfolio"
    assert [row["deal_id"] for row in last["positions"]] == [deal]
    assert last["totals"]["currency"] == "USD"
    assert last["totals"]["count"] == 1


def test_an_empty_book_is_shown_as_empty(capcli):
    (book,) = events(capcli("watch", "--positions", "--once", "--json"))

    assert (book["positions"], book["totals"]["pl"]) == ([], 0)


@pytest.mark.parametrize("text", ["120", "120s", "2m"])
def test_how_long_it_lasts_is_read_as_everywhere(text):
    assert seconds("--for", text) == 120


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "Name the epics"),
        (["SILVER", "--positions"], "Name the epics"),
        (["SILVER", "--once", "--for", "3"], "cannot be used together"),
        (["SILVER", "--for", "0"], "--for"),
        (["SILVER", "--for", "1M"], "for 1 minutes write 1m"),
        (["SILVER", "--every", "-1"], "--every"),
        (["SILVER", "--every", "x"], "--every"),
        (["SILVER", "--fields", "ask"], "there is no field ask"),
        ([f"E{n}" for n in range(41)], "not 41"),
        (["SIL/VER"], "No market has the epic SIL/VER"),
    ],
)
def test_what_cannot_be_watched_is_a_usage_error(capcli, words, part):
    result = capcli("watch", *words)

    assert (result.code, result.out) == (2, "")
    assert part in result.err


def test_an_unknown_epic_is_fatal_and_named(capcli):
    result = capcli("watch", "SILVER", "gold", "--json")

    assert result.code == 6
    assert "did you mean GOLD?" in result.error["message"]


def test_ctrl_c_stops_a_watch_that_has_not_begun_and_ends_one_that_has():
    ending = StopSignal()
    with pytest.raises(KeyboardInterrupt):
        ending(signal.SIGINT, None)
    ending.begun = True
    ending(signal.SIGINT, None)
    assert ending.requested
    with pytest.raises(KeyboardInterrupt):
        ending(signal.SIGINT, None)


def test_spaces_around_an_epic_do_not_matter(capcli):
    assert capcli("alert", " SILVER ", "--above", "1").code == 0


def test_an_alert_ends_when_its_level_is_reached(capcli):
    result = capcli("alert", "SILVER", "--above", "1", "--below", "1000", "--json")

    assert result.code == 0
    assert [(event["event"], event["way"], event["waiting"]) for event in events(result)] == [
        ("fired", "above", 0),
        ("fired", "below", 0),
    ]


def test_an_alert_that_was_not_reached_in_time_is_no_success(capcli):
    result = capcli("alert", "SILVER", "--above", "1000", "--for", "2", "--json")

    assert result.code == 7
    assert result.error["code"] == "ALERT_NOT_REACHED"
    assert result.json["account_id"]


def test_a_terminal_reads_an_alert_as_a_sentence(capcli):
    result = capcli("alert", "SILVER", "--above", "1", typed="")

    assert result.out.startswith("SILVER is above 1: bid ")
    assert "Waiting for SILVER above 1." in result.err


PRINT = "import os, sys; print(sys.argv[1:], os.environ['CAPCLI_EPIC'], os.environ.get('CAP_API_KEY'))"


def test_exec_runs_argv_with_facts_and_without_secrets(capcli, tmp_path):
    script = tmp_path / "say it.py"
    script.write_text(PRINT)
    command = f"'{sys.executable}' '{script}' '{{epic}} {{way}}' '{{level}};ls $HOME'"

    result = capcli(
        "alert", "SILVER", "--above", "1", "--exec", command, "--env", "paper", env={"CAP_API_KEY": "sesame"}
    )

    assert result.code == 0
    assert "['SILVER above', '1;ls $HOME'] SILVER None" in result.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/nowhere/at-all", "could not be run"),
        (f"'{sys.executable}' -c 'raise SystemExit(3)'", "ended with exit code 3"),
    ],
)
def test_a_program_that_fails_is_told(capcli, command, said):
    result = capcli("alert", "SILVER", "--above", "1", "--exec", command)

    assert result.code == 0
    assert "--exec failed" in result.err
    assert said in result.err


@pytest.mark.parametrize(
    "words", [[], ["--above", "0"], ["--above", "1", "--exec", ""], ["--above", "1", "--exec", "'"]]
)
def test_what_cannot_be_waited_for_is_a_usage_error(capcli, words):
    assert capcli("alert", "SILVER", *words).code == 2


def test_any_level_ends_it_and_all_of_them_with_all(capcli):
    words = ("alert", "SILVER", "GOLD", "--above", "SILVER=1", "--below", "GOLD=1", "--for", "2", "--json")
    assert [event["waiting"] for event in events(capcli(*words))] == [1]
    result = capcli(*words, "--all")
    assert result.code == 7
    document = json.loads(result.out.splitlines()[-1])
    assert document["error"]["message"] == "Not reached within 2 s: GOLD below 1."


def test_the_account_is_waited_for_without_a_market(capcli):
    capcli.bought()
    result = capcli("alert", "--pnl-below", "100", "--margin-above", "99%", "--json")
    (event,) = events(result)
    assert (event["measure"], event["way"], event["level"], event["waiting"]) == ("pnl", "below", 100, 1)
    assert event["value"] < 100
    away = capcli("alert", "--pnl-above", "1000000", "--for", "12", "--json")
    assert (away.code, away.error["code"], away.error["next"]) == (7, "ALERT_NOT_REACHED", "capcli status")


def test_a_move_is_waited_for_in_each_market(capcli):
    result = capcli("alert", "SILVER", "GOLD", "--moves", "0.0001%", "--all", "--json")
    fired = [event for event in events(result) if event["event"] == "fired"]
    assert {event["epic"] for event in fired} == {"SILVER", "GOLD"}
    assert all(event["measure"] == "move" and abs(event["value"]) >= 0.0001 for event in fired)


def test_options_may_stand_before_the_market(capcli):
    assert capcli("alert", "--above", "1", "SILVER").code == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "Name what to wait for"),
        (["SILVER", "GOLD", "--above", "31"], "for which market? Write --above SILVER=31"),
        (["--above", "31"], "for which market?"),
        (["SILVER", "GOLD", "--above", "SILVER=31"], "Nothing is asked of GOLD"),
        (["SILVER", "--moves", "2"], "write a percentage such as 2%"),
        (["--margin-above", "50"], "write a percentage such as 2%"),
        (["--pnl-below", "much"], "--pnl-below is 'much'"),
        (["SILVER", "--above", "1", "--all", "--repeat"], "cannot be used together"),
        (["add"], "Name what to wait for"),
        (["remove"], "Name the alerts by number"),
        (["remove", "3", "--all"], "Name the alerts by number"),
        (["remove", "3"], "has the number 3"),
    ],
)
def test_an_alert_that_cannot_be_read_is_a_usage_error(capcli, words, part):
    result = capcli("alert", *words)
    assert (result.code, result.out) == (2, "")
    assert part in result.err


def test_stored_alerts_are_added_listed_told_and_removed(capcli):
    added = capcli("alert", "add", "SILVER", "--above", "1", "--below", "2", typed="", width=100)
    assert "2 alerts added." in added.out
    assert "SILVER above 1" in capcli("alert", "list").out
    (told,) = capcli("events", "--json").data["events"]
    assert (told["kind"], told["alert_id"]) == ("alert", "1")
    states = [row["state"] for row in capcli("alert", "list", "--json").data["alerts"]]
    assert states == ["WAITING", "FIRED"]
    assert capcli("alert", "remove", "--all").out.splitlines()[-1].endswith("2 alerts removed.")
    assert "No alerts are stored." in capcli("alert", "list").out
