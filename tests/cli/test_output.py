"""Forms of output: pipes, terminals, colour, narrow screens, CSV, fields."""

import csv
from io import StringIO

import pytest

from capcli.cli.io_streams import wrapped

NARROW = (
    ("accounts",),
    ("positions",),
    ("orders",),
    ("markets", "search", "silver"),
    ("markets", "show", "SILVER"),
    ("quote", "SILVER", "GOLD"),
    ("prices", "GOLD", "--last", "3"),
    ("preview", "SILVER", "--size", "1.5", "--stop", "24.50", "--limit", "40"),
    ("health",),
    ("config",),
    ("config", "get", "CAP_ENV"),
)


def test_csv_has_a_header_also_without_rows(capcli):
    empty = capcli("positions", "--csv").out
    assert empty.startswith("deal_id,epic,name,side")
    assert empty.endswith("\r\n")
    capcli.bought()
    rows = list(csv.DictReader(StringIO(capcli("positions", "--csv").out)))
    assert (rows[0]["epic"], rows[0]["size"], rows[0]["limit_level"]) == ("SILVER", "1.5", "")


def test_fields_choose_and_order_columns_everywhere(capcli):
    assert (
        capcli("quote", "SILVER", "--csv", "--fields", "currency,epic").out
        == "currency,epic\r\nUSD,SILVER\r\n"
    )
    rows = capcli("quote", "SILVER", "--json", "--fields", "currency,epic").data["quotes"]
    assert rows == [{"currency": "USD", "epic": "SILVER"}]
    assert "currency  epic" in capcli("quote", "SILVER", "--fields", "currency,epic").out
    shown = capcli("markets", "show", "SILVER", "--json", "--fields", "epic,currency").data
    assert shown == {"epic": "SILVER", "currency": "USD"}


def test_a_pipe_gets_everything_uncut(capcli):
    deal = capcli.bought("--stop", "24.50")
    line = next(line for line in capcli("positions", width=40).out.splitlines() if deal in line)
    assert "SILVER" in line
    assert "24.500" in line


def test_a_terminal_gets_colour_unless_told_otherwise(capcli):
    assert "\x1b[" in capcli("quote", "SILVER", typed="").out
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert "\x1b[" not in capcli("quote", "SILVER", typed="", env=env).out
    assert "\x1b[" not in capcli("quote", "SILVER", "--no-color", typed="").out
    assert "\x1b[" in capcli("quote", "SILVER", env={"FORCE_COLOR": "1"}).out


WIDE = (
    ("history", "activity"),
    ("history", "transactions"),
    ("history", "report"),
    ("watchlists", "create", "Metals", "GOLD"),
    ("markets", "browse", "commodities/metals"),
)


@pytest.mark.parametrize("width", [60, 100])
def test_no_table_of_the_history_or_of_lists_is_cut(capcli, width):
    deal = capcli.bought("--stop", "24.50")
    capcli("close", deal, "--yes")
    for words in WIDE:
        result = capcli(*words, typed="", width=width, env={"NO_COLOR": "1"})
        assert max(map(len, result.out.splitlines())) <= width, words
        assert "…" not in result.out
        assert deal in result.out or words[1] not in {"activity", "transactions"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_nothing_is_cut_on_a_narrow_terminal(capcli, width):
    deal = capcli.bought("--stop", "24.50")
    for words in NARROW:
        result = capcli(*words, typed="", width=width, env={"NO_COLOR": "1"})
        assert max(map(len, result.out.splitlines())) <= width, words
        # A deal's id is cut on purpose where its number stands beside it; it stands whole below the table.
        assert "…" not in result.out.replace(f"…{deal[9:18]}…", ""), words
        if words == ("positions",):
            assert deal in result.out
            assert "24.500" in result.out


def test_a_preview_is_a_panel_on_a_terminal(capcli):
    result = capcli(
        "preview", "SILVER", "--size", "1.5", "--stop", "24.50", typed="", env={"NO_COLOR": "1"}
    ).out
    assert "╭─ BUY 1.5 SILVER at market ─" in result
    for word in (
        "Entry",
        "Spread",
        "Notional",
        "Margin",
        "Available after",
        "Stop",
        "Overnight",
        "Price age",
    ):
        assert word in result
    assert "✓  market_open" in result
    assert "in 120 s" in result


def test_a_failed_check_is_marked(capcli):
    result = capcli("preview", "SILVER", "--size", "1", "--stop", "40")
    assert "✗  stop" in result.out
    assert "NOT EXECUTABLE" in result.out
    assert "--confirm" not in result.out
    assert "on the wrong side of the entry" in result.out


def test_health_goes_on_with_what_was_asked_for(capcli):
    checks = capcli("health", "--only", "login", "--json").data["checks"]
    assert "login" in {check["name"] for check in checks}
    assert "market_data" not in {check["name"] for check in checks}


def test_what_is_said_beside_a_result_breaks_between_words():
    said = (
        "  1. Settings, API integrations: generate a key.\n\x1b[31merror X: \x1b[0mit is far too long\nnext: "
        + "x" * 50
    )
    assert wrapped(said, 24).splitlines() == [
        "  1. Settings, API",
        "     integrations:",
        "     generate a key.",
        "\x1b[31merror X: \x1b[0mit is far too",
        "long",
        "next: " + "x" * 50,
    ]
    assert wrapped("Send it to the account? [y/N] ", 20) == "Send it to the\naccount? [y/N] "
    assert wrapped("a b\n\n c\n", 10) == "a b\n\n c\n"
