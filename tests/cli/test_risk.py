"""Sizes by risk and the exposure on the command line: the arithmetic is on the screen and in the document."""

import pytest

LONG = (
    ("propose", "SILVER", "--risk", "1%"),
    ("propose", "EURUSD", "--risk", "1%", "--buy"),
    ("propose", "SILVER", "--risk", "1%", "--stop", "24.50"),
    ("preview", "SILVER", "--risk", "1%", "--stop", "24.50"),
    ("preview", "SILVER", "--risk", "1%", "--stop", "24.50", "--explain"),
    ("exposure",),
)


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_nothing_is_cut_on_a_narrow_terminal(capcli, words):
    if words == ("exposure",):
        capcli.bought("--stop", "24.50")
        capcli.bought()
    result = capcli(*words, typed="", width=60, env={"NO_COLOR": "1"})
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 60
    assert "…" not in result.out


def test_the_arithmetic_is_shown_to_people_and_scripts(capcli):
    words = ("preview", "SILVER", "--risk", "1 %", "--stop", "24.50")
    sizing = capcli(*words, "--json").data["sizing"]
    assert (sizing["risk_pct"], sizing["budget"]) == (1, 100)
    assert "rounded down to steps of 0.1" in sizing["arithmetic"]
    told = capcli(*words).out
    assert "1 % of 10,000.00 USD equity = 100.00 USD" in told
    assert "rounded down to steps of 0.1" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Neither --size nor --risk"),
        (("--size", "1", "--risk", "1%"), "Both --size and --risk"),
        (("--risk", "some", "--stop", "24.50"), "write a percentage such as 1%, or an amount such as 100USD"),
        (("--risk", "100", "--stop", "24.50"), "write 100% for 100 % of the equity, or 100USD"),
        (("--risk", "100EUR", "--stop", "24.50"), "this account is kept in USD"),
        (("--risk", "0%", "--stop", "24.50"), "above 0"),
        (("--risk", "101%", "--stop", "24.50"), "at most 100"),
        (("--risk", "-1%", "--stop", "24.50"), "above 0"),
        (("--risk", "1%"), "needs a stop"),
    ],
)
def test_size_and_risk_exclude_each_other_and_one_is_needed(capcli, words, said):
    result = capcli("preview", "SILVER", *words, "--json")
    assert (result.code, result.error["code"]) == (2, "USAGE")
    assert said in result.error["message"]


def test_a_proposal_without_a_side_cannot_be_executed(capcli):
    shown = capcli("propose", "SILVER", "--risk", "1%")
    assert "Arithmetic, not advice" in shown.out
    assert "For a preview: capcli propose SILVER --risk 1% --buy (or --sell in its place)" in shown.out
    assert "capcli execute" not in shown.out


def test_the_command_that_a_proposal_names_makes_a_preview_that_executes(capcli):
    shown = capcli("propose", "SILVER", "--risk", "1%", "--env", "paper", "--json").data
    assert shown["next"] == "capcli --env paper propose SILVER --risk 1% --buy"
    one = capcli(*shown["next"].split()[1:], "--quiet")
    assert capcli("execute", one.out.strip(), "--confirm").code == 0


def test_two_sides_at_once_are_a_usage_error(capcli):
    assert capcli("propose", "SILVER", "--risk", "1%", "--buy", "--sell").code == 2


def test_an_exposure_names_what_is_in_no_bound(capcli):
    assert "nothing is at stake" in capcli("exposure").out
    deal = capcli.bought()
    shown = capcli("exposure")
    assert f"Without a stop, so their loss is UNBOUNDED: {deal}" in shown.out
    assert "1 of 1 missing" in shown.out
    assert "If every stop is hit UNBOUNDED Guaranteed" in " ".join(shown.out.split())
    rows = capcli("exposure", "--json").data["exposure"]
    assert [row["group"] for row in rows] == ["market", "class", "currency", "total"]
    assert rows[-1]["without_stop"] == [deal]
    table = capcli("exposure", "--csv", "--fields", "group,name,without_stop").out.splitlines()
    assert table[1] == f"market,SILVER,{deal}"


@pytest.mark.parametrize("words", [("preview",), ("propose",), ("propose", "--sell")])
def test_a_bare_risk_of_100_is_refused_naming_percent_and_amount(capcli, words):
    bid = capcli("quote", "GOLD", "--json").data["quotes"][0]["bid"]
    stop = bid + 300 if "--sell" in words else bid - 300
    result = capcli(words[0], "GOLD", *words[1:], "--risk", "100", "--stop", f"{stop:.2f}", "--json")
    assert result.code == 2
    assert result.error["code"] == "USAGE"
    assert "100%" in result.error["message"]
    assert "100USD" in result.error["message"]


@pytest.mark.parametrize(("size", "closes", "opens"), [("2", 2, 0), ("1.5", 1.5, 0), ("3", 2, 1)])
def test_a_preview_against_an_open_position_says_what_it_closes_and_opens(capcli, size, closes, opens):
    bought = capcli("preview", "GOLD", "--size", "2", "--json").data["preview_id"]
    assert capcli("execute", bought, "--confirm").code == 0
    words = ("preview", "GOLD", "--size", size, "--sell", "--stop-distance", "20")
    shown = capcli(*words, "--json").data
    assert (shown["effect"]["closes"], shown["effect"]["opens"]) == (closes, opens)
    assert (shown["stop"] is None) is (opens == 0)
    assert (shown["margin"] == 0) is (opens == 0)
    assert f"closes {closes}, opens {opens}" in capcli(*words).out.lower()


def test_the_loss_of_a_position_without_a_stop_is_null_in_every_row_and_in_the_total(capcli):
    capcli.bought()
    rows = capcli("exposure", "--json").data["exposure"]
    assert [(row["loss_at_stops"], row["loss_pct"]) for row in rows] == [(None, None)] * len(rows)


def test_the_csv_of_exposure_writes_no_number_for_a_loss_without_a_bound(capcli):
    capcli.bought()
    table = capcli("exposure", "--csv", "--fields", "group,name,loss_at_stops").out.splitlines()
    assert table[1] in {"market,SILVER,", "market,SILVER,UNBOUNDED"}
