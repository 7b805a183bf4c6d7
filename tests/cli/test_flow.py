"""The way of an order through the commands: preview, execute, positions, close, and execute again."""

import re
from datetime import timedelta

import pytest


def test_the_example_of_the_readme_works_on_a_fresh_machine(capcli):
    preview = capcli("preview", "SILVER", "--size", "1.5", "--stop", "24.50")
    assert preview.code == 0
    assert "BUY 1.5 SILVER at market" in preview.out
    preview_id = preview.out.split("capcli execute ")[1].split()[0]
    executed = capcli("execute", preview_id, "--confirm")
    assert executed.code == 0
    assert "stop 24.50 in place" in executed.out
    deal = capcli("positions", "--json").data["positions"][0]["deal_id"]
    assert deal in capcli("positions").out
    closed = capcli("close", deal, "--yes")
    assert closed.code == 0
    assert "Closed BUY 1.5 SILVER" in closed.out
    again = capcli("execute", preview_id)
    assert again.code == 0
    assert "Nothing was sent now" in again.out
    assert capcli("execute", preview_id, "--json").data["replayed"] is True
    assert "No open positions" in capcli("positions").out


def test_executing_without_confirmation_sends_nothing_and_says_how(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    refused = capcli("execute", preview_id)
    assert refused.code == 5
    assert f"next: capcli execute {preview_id} --confirm" in refused.err
    assert refused.out == ""
    assert capcli("positions", "--json").data["positions"] == []


def test_a_yes_at_the_question_sends_the_order(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1", "--stop", "24.50", "-q").out.strip()
    executed = capcli("execute", preview_id, typed="y\n")
    assert executed.code == 0
    assert "BUY 1 SILVER (Silver), at market, about" in executed.err
    assert "Stop 24.50, loss there " in executed.err
    assert "On PAPER, account" in executed.err


def test_anything_but_yes_sends_nothing(capcli):
    for answer in ("\n", "n\n", ""):
        preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
        refused = capcli("execute", preview_id, typed=answer)
        assert (refused.code, "nothing was sent" in refused.err) == (5, True)
        assert f"capcli execute {preview_id} --confirm" in refused.err
        assert ("[y/N] \n" in refused.err) is (answer == "")
    assert capcli("positions", "--json").data["positions"] == []


def test_json_never_asks(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    refused = capcli("execute", preview_id, "--json", typed="y\n")
    assert (refused.code, refused.error["code"]) == (5, "NOT_CONFIRMED")


def test_an_expired_preview_is_named_before_anybody_is_asked(capcli):
    preview_id = capcli("preview", "SILVER", "--size", "1", "-q").out.strip()
    capcli.time.now += timedelta(seconds=300)
    late = capcli("execute", preview_id, typed="y\n")
    assert late.code == 5
    assert "error PREVIEW_EXPIRED" in late.err.replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert "Send it?" not in late.err


def test_the_same_order_twice_within_a_minute_needs_again(capcli):
    words = ("preview", "SILVER", "--size", "1", "-q")
    first, second = capcli(*words).out.strip(), capcli(*words).out.strip()
    assert capcli("execute", first, "--confirm").code == 0
    twin = capcli("execute", second, "--confirm", "--json")
    assert (twin.code, twin.error["code"]) == (5, "DUPLICATE")
    assert twin.error["next"] == f"capcli execute {second} --again --confirm"
    assert capcli(*twin.error["next"].split()[1:]).code == 0


def test_closing_asks_with_the_position_and_its_result(capcli):
    deal = capcli.bought()
    asked = capcli("close", deal, typed="n\n")
    assert (asked.code, "Close BUY 1.5 SILVER (Silver) opened at" in asked.err) == (5, True)
    assert capcli("close", deal, typed="yes\n").code == 0


def test_a_working_order_waits_with_its_stop(capcli):
    preview = capcli(
        "preview",
        "SILVER",
        "--size",
        "2",
        "--at",
        "25",
        "--stop",
        "20",
        "--good-till",
        "2026-12-31",
        "--json",
    )
    assert (preview.code, preview.data["order_type"]) == (0, "LIMIT")
    assert capcli("execute", preview.data["preview_id"], "--confirm").code == 0
    orders = capcli("orders")
    assert "BUY LIMIT" in orders.out
    assert "2026-12-31" in orders.out
    deal = capcli("orders", "--json").data["orders"][0]["deal_id"]
    assert capcli("orders", deal, "--json").data["orders"][0]["stop_level"] == 20


def test_a_missing_stop_is_visible(capcli):
    assert "NO STOP" in capcli("preview", "SILVER", "--size", "1").out
    capcli.bought()
    assert "NO STOP" in capcli("positions").out


def test_explain_shows_the_arithmetic(capcli):
    shown = capcli("preview", "SILVER", "--size", "1.5", "--stop", "24.50", "--limit", "40", "--explain").out
    assert "Margin" in shown
    assert " = 1.5 x " in shown
    assert " x 10 %" in shown


def test_a_quiet_preview_prints_its_id_alone(capcli):
    result = capcli("preview", "SILVER", "--size", "1", "--quiet")
    assert result.err == ""
    assert result.out.startswith("p_")
    assert len(result.out.strip()) == 14


@pytest.mark.parametrize("option", ["--id-only", "--quiet"])
def test_a_script_never_holds_the_id_of_a_preview_that_cannot_be_executed(capcli, option):
    words = ("preview", "SILVER", "--size", "1", option)
    good, bad = capcli(*words), capcli(*words, "--stop", "99")
    assert re.fullmatch("p_[0-9a-z]{12}\n", good.out)
    assert (bad.out, bad.code) == ("", 5)
    assert "CHECKS_FAILED" in bad.err
    proposed = capcli("propose", "SILVER", "--risk", "1%", "--buy", option)
    assert re.fullmatch("p_[0-9a-z]{12}\n", proposed.out)


@pytest.mark.parametrize("option", ["--id-only", "--quiet"])
def test_an_explanation_is_not_dropped_for_the_id(capcli, option):
    result = capcli("preview", "SILVER", "--size", "1", "--stop", "24.50", "--explain", option)
    assert re.fullmatch("p_[0-9a-z]{12}\n", result.out)
    assert "Notional" in result.err


def test_only_a_side_makes_a_proposal_with_an_id(capcli):
    said = capcli("propose", "SILVER", "--risk", "1%", "--id-only")
    assert (said.code, said.out) == (2, "")
    assert "next: capcli propose SILVER --risk 1% --buy --id-only" in said.err


def test_margins_name_their_currency_where_they_are_not_all_in_the_account_s(capcli):
    capcli.time.now += timedelta(days=2)
    capcli.bought()
    assert "JPY" not in capcli("positions").out
    preview_id = capcli("preview", "USDJPY", "--size", "100", "-q").out.strip()
    assert capcli("execute", preview_id, "--confirm").code == 0
    rows = {row["epic"]: row for row in capcli("positions", "--json").data["positions"]}
    shown = capcli("positions").out
    for epic, currency in (("USDJPY", "JPY"), ("SILVER", "USD")):
        assert f"{float(rows[epic]['margin']):,.2f} {currency}" in shown
