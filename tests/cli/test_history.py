"""`capcli history activity|transactions|report`, as people and scripts use them."""

import csv
from io import StringIO

import pytest


def traded(capcli):
    deal = capcli.bought("--stop", "24.50")
    assert capcli("close", deal, "--yes").code == 0
    return deal


def test_activity_shows_what_happened(capcli):
    deal = traded(capcli)
    shown = capcli("history", "activity").out
    assert deal in shown
    assert "may still be missing" in shown
    rows = capcli("history", "activity", "--last", "1h", "--deal", deal, "--json").data["activities"]
    assert [(row["side"], row["size"]) for row in rows] == [("SELL", 1.5), ("BUY", 1.5)]
    chosen = capcli("history", "activity", "--type", "position,swap", "--csv", "--fields", "type,epic").out
    assert chosen == "type,epic\r\nPOSITION,SILVER\r\nPOSITION,SILVER\r\n"
    assert "Nothing happened" in capcli("history", "activity", "--status", "REJECTED").out


def test_bookings_are_money_in_the_accounts_currency(capcli):
    deal = traded(capcli)
    (row,) = csv.DictReader(StringIO(capcli("history", "transactions", "--type", "TRADE", "--csv").out))
    assert (row["epic"], row["currency"], row["deal_id"]) == ("SILVER", "USD", deal)
    shown = capcli("history", "transactions", "--epic", "SILVER").out
    assert "Sum" in shown
    assert "Deposit" not in shown
    assert "Nothing was booked" in capcli("history", "transactions", "--type", "SWAP").out


@pytest.mark.parametrize("by", ["market", "day", "month"])
def test_a_report_ties_out(capcli, by):
    traded(capcli)
    report = capcli("history", "report", "--by", by, "--json").data
    cash = capcli("accounts", "--json").data["accounts"][0]["cash"]
    assert (report["opening_balance"], report["closing_balance"]) == (0, cash)
    assert report["total"]["closes"] == 1
    assert sum(row["closes"] for row in report["lines"]) == 1
    shown = capcli("history", "report", "--by", by).out
    for word in ("Opening balance", "Closing balance", "Realised P&L", "1, 0 with a profit"):
        assert word in shown


def test_an_empty_report_says_so(capcli):
    capcli("accounts")
    capcli.time.sleep(86_400 * 3)
    shown = capcli("history", "report", "--last", "1d").out
    assert "Nothing was booked" in shown
    assert "Opening balance  10,000.00 USD" in shown


def test_progress_is_told_on_stderr_once_it_takes_long(capcli):
    long = capcli("history", "activity", "--last", "90d", "--json")
    assert long.code == 0
    assert "of 91 parts" in long.err
    assert "parts" not in capcli("history", "activity", "--last", "90d", "--quiet").err
    assert "parts" not in capcli("history", "activity", "--last", "1d").err


@pytest.mark.parametrize(
    "words",
    [
        ("activity", "--last", "7"),
        ("activity", "--last", "0d"),
        ("activity", "--last", "7d", "--from", "2026-01-01"),
        ("activity", "--from", "2027-01-01"),
        ("activity", "--last", "9999d"),
        ("transactions", "--epic", "a/b"),
        ("report", "--by", "week"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(capcli, words):
    assert capcli("history", *words).code == 2
