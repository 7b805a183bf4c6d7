"""How a paper world begins: pace, ticks and replayed files, by a reset or a first serve."""

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from capcli.paper import config

FILE = (
    "time,open,high,low,close,volume\n2026-03-03T10:00,32,33,31,32.0004,5\n2026-03-03T10:01,32,33,31,32,5\n"
)


def test_a_reset_sets_pace_ticks_and_replay_and_status_shows_them(capcli, tmp_path):
    (tmp_path / "silver.csv").write_text(FILE)
    words = ("--speed", "60", "--ticks", "250", "--replay", f"SILVER={tmp_path / 'silver.csv'}")
    data = capcli("paper", "reset", "--confirm", *words, "--json").json["data"]
    assert (Decimal(data["speed"]), data["ticks"]) == (60, 250)
    assert data["market_time"].startswith("2026-03-03T10:0")
    (replay,) = data["replays"]
    assert (replay["epic"], replay["source"], replay["resolution"]) == ("SILVER", "silver.csv", "MINUTE")
    assert (replay["bars"], replay["rounded"]) == (2, 1)
    shown = capcli("paper", "status").out
    for word in ("60x", "250 a second", "silver.csv", "2026-03-03 10:02:00Z"):
        assert word in shown


def test_candles_that_were_written_as_csv_can_be_replayed_and_are_the_same(capcli, tmp_path):
    written = capcli("prices", "GOLD", "--resolution", "5m", "--last", "100", "--csv").out
    (tmp_path / "gold.csv").write_text(written)
    start = written.splitlines()[-1].partition(",")[0]
    words = ("--replay", f"GOLD={tmp_path / 'gold.csv'}", "--seed", "other", "--start", start, "--no-limits")
    assert capcli("paper", "reset", "--confirm", *words).code == 0
    capcli.time.sleep(301)
    assert capcli("prices", "GOLD", "--resolution", "5m", "--last", "100", "--csv").out == written


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--replay", "SILVER"), "--replay 'SILVER' is not EPIC=FILE"),
        (("--replay", "=x.csv"), "--replay '=x.csv' is not EPIC=FILE"),
        (("--replay", "SILVER=a", "--replay", "SILVER=b"), "--replay 'SILVER=b' is given twice"),
        (("--replay", "SILVER=none.csv"), "--replay: none.csv cannot be read: No such file"),
        (("--replay", "NOPE=none.csv"), "There is no paper market 'NOPE'"),
        (("--speed", "fast"), "--speed is 'fast': a number above 0, at most 10000"),
        (("--speed", "0"), "--speed is '0': a number above 0"),
        (("--speed", "20000"), "--speed is '20000': a number above 0, at most 10000"),
        (("--ticks", "251"), "251"),
    ],
)
def test_a_world_that_cannot_be_is_refused_and_the_old_one_stays(capcli, words, said):
    capcli("paper", "reset", "--seed", "kept", "--confirm")
    refused = capcli("paper", "reset", "--confirm", *words)
    assert refused.code == 2
    assert said in refused.err
    assert capcli("paper", "status", "--json").json["data"]["seed"] == "kept"


def test_a_bad_line_of_a_file_is_named_and_nothing_changed(capcli, tmp_path):
    (tmp_path / "silver.csv").write_text(FILE + "2026-03-03T10:02,32,30,31,32,5\n")
    refused = capcli("paper", "reset", "--confirm", "--replay", f"SILVER={tmp_path / 'silver.csv'}", "--json")
    assert refused.error["code"] == "USAGE"
    assert refused.error["message"] == (
        "--replay: silver.csv, line 4: high is below another price of the bar. Nothing was changed."
    )


def test_a_world_begins_with_the_accounts_that_are_named(capcli):
    found = capcli("paper", "reset", "--confirm", "--accounts", "GBP:5000,pln", "--json").json["data"]
    told = [(row["name"], row["currency"], row["cash"]) for row in found["accounts"]]
    assert told == [("GBP paper", "GBP", 5000), ("PLN paper", "PLN", 10000)]
    assert capcli("accounts", "--json").json["data"]["accounts"][0]["currency"] == "GBP"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("XYZ", "'XYZ' is no currency of the paper broker; there are: AUD,"),
        ("GBP:much", "'GBP:much' is not CURRENCY:CASH"),
        ("GBP:0", "more than 0"),
        (",", "names no currency"),
    ],
)
def test_accounts_that_cannot_be_opened_are_refused_and_nothing_changed(capcli, text, why):
    capcli("paper", "reset", "--seed", "kept", "--confirm")
    refused = capcli("paper", "reset", "--confirm", "--accounts", text, "--json")
    assert (refused.code, refused.error["code"], refused.error["next"]) == (
        2,
        "USAGE",
        "capcli paper reset --help",
    )
    assert why in refused.error["message"]
    assert refused.error["message"].endswith("Nothing was changed.")
    assert capcli("paper", "status", "--json").json["data"]["seed"] == "kept"


@pytest.mark.parametrize(
    ("words", "delay", "limits"),
    [
        ((), None, True),
        (("--behaviour", "awkward"), None, True),
        (("--behaviour", "kind"), 0, False),
        (("--behaviour", "kind", "--confirms", "late"), None, False),
        (("--confirms", "prompt"), 0, True),
    ],
)
def test_a_kind_world_has_no_late_confirm_and_no_limits(capcli, words, delay, limits):
    assert capcli("paper", "reset", "--confirm", *words, "--json").json["data"]["limits"] is limits
    with closing(sqlite3.connect(capcli.home / "paper.db")) as db:
        settings = config.load(db)
    assert settings is not None
    assert settings.confirm_delay_ms == delay


@pytest.mark.parametrize(
    "words",
    [
        ("--speed", "2"), ("--ticks", "9"), ("--replay", "SILVER=x.csv"), ("--accounts", "GBP"),
        ("--behaviour", "kind"), ("--confirms", "late"),
    ],
)  # fmt: skip
def test_a_serve_does_not_change_a_world_that_exists(capcli, words):
    capcli("paper", "status")
    refused = capcli("paper", "serve", "--port", "0", *words)
    assert (refused.code, "capcli paper reset" in refused.err) == (2, True)


@pytest.mark.parametrize("name", ["a b", "-a.example", "http://api.example", "x" * 64])
def test_a_host_name_that_is_none_is_refused(capcli, name):
    refused = capcli("paper", "serve", "--port", "0", "--name", name)
    assert (refused.code, "is not a host name" in refused.err) == (2, True)
