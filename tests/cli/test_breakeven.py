"""`positions breakeven`: the stop goes to the entry, and a close there books nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest


def later(capcli: Any, deal: str, *, better: bool) -> dict[str, Any]:
    """Let market time pass until the price is well better or worse than the entry; return the position."""
    for _ in range(400):
        capcli.time.now += timedelta(hours=1)
        (row,) = capcli("positions", deal, "--json").data["positions"]
        if (row["pl_pct"] > 0.5) if better else (row["pl_pct"] < -0.5):
            return row
    raise AssertionError(row)


def position(capcli: Any, deal: str) -> dict[str, Any]:
    (row,) = capcli("positions", deal, "--json").data["positions"]
    return row


@pytest.mark.parametrize("side", [(), ("--sell",)])
def test_the_stop_goes_to_the_entry_and_the_limit_is_kept(capcli: Any, side: tuple[str, ...]) -> None:
    deal = capcli.bought(*side, "--limit", "20" if side else "45")
    entry = later(capcli, deal, better=True)["level"]
    done = capcli("positions", "breakeven", deal, "--confirm", "--json")
    assert (done.code, done.data["stop_level"]) == (0, entry), done
    row = position(capcli, deal)
    assert (row["stop_level"], row["limit_level"]) == (entry, 20 if side else 45)


def test_a_person_is_told_what_it_costs_before_the_yes(capcli: Any) -> None:
    deal = capcli.bought("--stop", "24.50")
    entry = later(capcli, deal, better=True)["level"]
    done = capcli("positions", "breakeven", deal, typed="y\n")
    assert done.code == 0, done.err
    assert f"It then has stop {entry}" in done.err
    assert "Tightens the stop: loss there" in done.err
    assert position(capcli, deal)["stop_level"] == entry


def test_where_the_price_is_worse_it_is_refused_before_the_question(capcli: Any) -> None:
    deal = capcli.bought("--stop", "24.50")
    later(capcli, deal, better=False)
    done = capcli("positions", "breakeven", deal, typed="y\n")
    assert (done.code, "Send it?" in done.err) == (5, False)
    (row,) = capcli("positions", deal, "--json").data["positions"]
    said = re.search(r"Break-even is possible once the bid is above ([0-9.]+); it is [0-9.]+ now", done.err)
    assert said is not None, done.err
    assert float(said[1]) >= row["level"]
    assert f"capcli alert SILVER --above {said[1]}\n" in done.err
    assert position(capcli, deal)["stop_level"] == 24.5


def test_without_a_confirmation_the_next_command_does_it(capcli: Any) -> None:
    deal = capcli.bought()
    entry = later(capcli, deal, better=True)["level"]
    done = capcli("positions", "breakeven", deal, "--json")
    assert (done.code, done.error["code"]) == (5, "NOT_CONFIRMED")
    assert capcli(*done.error["next"].split()[1:]).code == 0
    assert position(capcli, deal)["stop_level"] == entry


def test_a_deal_that_is_not_there_is_unknown(capcli: Any) -> None:
    done = capcli("positions", "breakeven", "nosuchdeal", "--confirm", "--json")
    assert (done.code, done.error["code"]) == (6, "DEAL_UNKNOWN")
