"""What a person is asked before an amendment: its consequence in money, and nothing that would be refused."""

import re

import pytest

from tests.cli.conftest import Cli, Result

SEND_IT = "? [y/N]"


def asked(result: Result) -> list[str]:
    """Return the question line by line, amounts as `#`."""
    before, found, _ = result.err.partition(SEND_IT)
    assert found, result
    before = before.rpartition("capcli login).\n")[2].rpartition("\n")[0]
    return [re.sub(r"[0-9][0-9.,]*[0-9]", "#", line) for line in before.splitlines() if line]


def amounts(result: Result, line: str) -> list[str]:
    """Return the numbers of one line of a question."""
    (found,) = (one for one in result.err.splitlines() if one.startswith(line))
    return re.findall(r"[0-9][0-9.,]*", found)


def resting(capcli: Cli, *words: str) -> str:
    preview = capcli("preview", "SILVER", "--size", "2", "--at", "26", *words, "--json").data["preview_id"]
    return str(capcli("execute", preview, "--confirm", "--json").data["deal_id"])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("--stop", "25"), "Tightens the stop: loss there # → # USD"),
        (("--stop", "22"), "Loosens the stop: loss there # → # USD"),
        (("--no-stop",), "Removes the stop: the loss is unlimited (until now: loss # USD there)"),
        (("--limit", "42"), "Moves the limit: gain there # → # USD"),
        (("--no-limit",), "Removes the limit (gain # USD there)"),
        (("--stop-distance", "1", "--trailing"), "Tightens the stop: loss there # → # USD"),
    ],
)
def test_an_amendment_asks_with_its_consequence_in_money(
    capcli: Cli, change: tuple[str, ...], line: str
) -> None:
    deal = capcli.bought("--stop", "24.50", "--limit", "40")
    done = capcli("positions", "amend", deal, *change, typed="n\n")
    said = asked(done)
    assert said[0].startswith("Amend BUY # SILVER (Silver) opened at #, ")
    assert line in said, said
    assert said[-1].startswith("On PAPER, account ")
    assert done.code == 5
    assert capcli("positions", "amend", deal, *change, typed="y\n").code == 0


def test_the_money_is_the_distance_from_the_opening_level(capcli: Cli) -> None:
    deal = capcli.bought("--stop", "24.50", "--limit", "40")
    level = float(capcli("positions", deal, "--json").data["positions"][0]["level"])
    done = capcli("positions", "amend", deal, "--stop", "22", typed="n\n")
    was, then = amounts(done, "Loosens the stop")
    assert (float(was), float(then)) == pytest.approx(((level - 24.5) * 1.5, (level - 22) * 1.5), abs=0.006)


def test_a_first_stop_says_that_the_loss_had_no_bound(capcli: Cli) -> None:
    deal = capcli.bought()
    said = asked(capcli("positions", "amend", deal, "--stop", "25", typed="n\n"))
    assert "Sets a stop: loss # USD there; until now the loss was unlimited" in said


def test_an_order_that_moves_says_its_margin_and_its_loss(capcli: Cli) -> None:
    order = resting(capcli, "--stop", "25")
    moved = capcli("orders", "amend", order, "--at", "27", typed="n\n")
    assert amounts(moved, "Margin once it is filled") == ["5.20", "5.40"]
    assert amounts(moved, "Keeps the stop") == ["2.00"]
    looser = capcli("orders", "amend", order, "--stop", "24", typed="n\n")
    assert amounts(looser, "Loosens the stop") == ["2.00", "4.00"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("--stop", "60"), "CHECKS_FAILED"),
        (("--limit", "20"), "CHECKS_FAILED"),
        (("--stop", "24.50001"), "CHECKS_FAILED"),
    ],
)
def test_a_leg_that_does_not_fit_is_refused_before_anybody_is_asked(
    capcli: Cli, change: tuple[str, ...], code: str
) -> None:
    deal = capcli.bought("--stop", "24.50")
    done = capcli("positions", "amend", deal, *change, typed="y\n")
    assert (done.code, code in done.err, SEND_IT in done.err) == (5, True, False)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("CAP_ALLOWED_EPICS", "GOLD"),
        ("CAP_MAX_RISK_PCT", "0.01"),
        ("CAP_MAX_TOTAL_RISK_PCT", "0.01"),
        ("CAP_REQUIRE_STOP", "true"),
    ],
)
def test_a_limit_refuses_new_risk_before_anybody_is_asked_and_lets_tightening_pass(
    capcli: Cli, setting: str, value: str
) -> None:
    deal, env = capcli.bought("--stop", "24.50"), {setting: value}
    loose = capcli("positions", "amend", deal, "--no-stop", typed="y\n", env=env)
    assert (loose.code, setting in loose.err, SEND_IT in loose.err) == (5, True, False), loose.err
    assert capcli("positions", "amend", deal, "--stop", "24.60", typed="y\n", env=env).code == 0


def test_a_halt_refuses_new_risk_before_anybody_is_asked(capcli: Cli) -> None:
    deal, order = capcli.bought("--stop", "24.50"), resting(capcli)
    assert capcli("halt").code == 0
    for words in (("positions", "amend", deal, "--no-stop"), ("orders", "amend", order, "--at", "27")):
        done = capcli(*words, typed="y\n")
        assert (done.code, "HALTED" in done.err, SEND_IT in done.err) == (5, True, False)
    assert capcli("positions", "amend", deal, "--stop", "25", typed="y\n").code == 0


def test_what_is_as_asked_already_is_not_asked_about(capcli: Cli) -> None:
    deal = capcli.bought("--stop", "24.50")
    done = capcli("positions", "amend", deal, "--stop", "24.5", typed="")
    assert (done.code, "Nothing to change" in done.out, SEND_IT in done.err) == (0, True, False)


def test_a_large_loss_and_a_level_far_away_are_warned_of(capcli: Cli) -> None:
    preview = capcli("preview", "SILVER", "--size", "200", "--stop", "28", "--json").data["preview_id"]
    deal = capcli("execute", preview, "--confirm", "--json").data["deal_id"]
    looser = capcli("positions", "amend", deal, "--stop", "20", typed="n\n").err
    assert "Warning: the loss at the stop is 2," in looser
    tighter = capcli("positions", "amend", deal, "--stop", "28.5", typed="n\n").err
    assert "Warning" not in tighter
    order = resting(capcli)
    assert "Warning: the level 2.6 is " in capcli("orders", "amend", order, "--at", "2.6", typed="n\n").err


@pytest.mark.parametrize(
    "words", [("accounts", "preferences", "--hedging", "on"), ("accounts", "topup", "100")]
)
def test_every_other_question_about_an_account_names_it_too(capcli: Cli, words: tuple[str, ...]) -> None:
    assert asked(capcli(*words, typed="n\n"))[-1].startswith("On PAPER, account ")
