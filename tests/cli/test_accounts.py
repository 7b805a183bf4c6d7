"""Preferences and top-ups on the command line: what is typed, what is asked, what is told."""

import pytest


def test_preferences_are_shown_and_changed(capcli):
    assert "COMMODITIES             20  1, 5, 10, 20" in capcli("accounts", "preferences").out
    done = capcli("accounts", "preferences", "--leverage", "commodities=5", "--hedging", "ON", "--yes")
    assert done.code == 0
    assert "COMMODITIES leverage 20 -> 5" in done.out
    assert "Hedging  on" in done.out


def test_the_leverage_shows_in_the_sum_of_the_margin(capcli):
    capcli("accounts", "preferences", "--leverage", "COMMODITIES=5", "--confirm")
    shown = capcli("preview", "SILVER", "--size", "2").out
    assert "(20 %, your leverage 5)" in shown
    told = capcli("preview", "SILVER", "--size", "2", "--explain").out
    assert "/ 5: your leverage for this class of markets" in told
    assert "asks for 20 %, more than the market's own 10 %" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--hedging", "maybe"), "Allowed: on, off."),
        (("--leverage", "5"), "Write SHARES=5."),
        (("--leverage", "SHARES=x"), "not a plain number"),
        (("--leverage", "SHARES=0"), "above 0"),
    ],
)
def test_words_that_cannot_be_read_are_usage_errors(capcli, words, said):
    result = capcli("accounts", "preferences", *words, "--confirm", "--json")
    assert (result.code, result.error["code"]) == (2, "USAGE")
    assert said in result.error["message"]


def test_a_person_is_asked_with_the_effect_in_front_of_them(capcli):
    asked = capcli("accounts", "preferences", "--leverage", "SHARES=2", typed="y\n")
    assert asked.code == 0
    assert "at least 50 % instead of 20 %" in asked.err + asked.out
    left = capcli("accounts", "preferences", "--leverage", "SHARES=1", typed="n\n")
    assert left.code == 5


def test_money_is_topped_up_and_taken_off(capcli):
    up = capcli("accounts", "topup", "1000", "--confirm", "--json")
    assert (up.data["cash"], up.data["cash_before"]) == (11000, 10000)
    down = capcli("accounts", "topup", "--json", "--confirm", "--", "-500.5")
    assert down.data["cash"] == 10499.5
    assert capcli("accounts", "topup", "5").code == 5
    assert capcli("accounts", "topup", "lots", "--confirm").code == 2


def test_live_is_told_that_it_has_no_play_money(capcli):
    result = capcli("accounts", "topup", "5", "--confirm", "--env", "live", "--json")
    assert (result.code, result.error["code"]) == (5, "DEMO_ONLY")
