"""Percent wherever a percent is meant: stops and limits from the entry, shares of a position, settings."""

from decimal import Decimal
from typing import Any

import pytest

from capcli.domain.order import ExitForm, ExitOrder
from tests.cli.conftest import Cli


def two_percent(entry: Any, share: str = "0.98") -> Decimal:
    return (Decimal(str(entry)) * Decimal(share)).quantize(Decimal("0.001"))


def test_a_stop_in_percent_is_a_level_that_far_from_the_entry(capcli: Cli) -> None:
    data = capcli("preview", "SILVER", "--size", "1", "--stop", "2%", "--limit", "4 %", "--json").data
    stop, limit = (Decimal(str(data[leg]["level"])) for leg in ("stop", "limit"))
    # On the market's step of 0.005, never nearer than asked.
    assert 0 <= two_percent(data["entry"]) - stop <= Decimal("0.005")
    assert 0 <= limit - two_percent(data["entry"], "1.04") <= Decimal("0.005")
    assert (data["executable"], data["stop"]["form"]) == (True, "LEVEL")


def test_a_sale_has_its_stop_above(capcli: Cli) -> None:
    data = capcli("preview", "SILVER", "--sell", "--size", "1", "--stop", "2%", "--json").data
    assert data["stop"]["level"] > data["entry"]


def test_a_working_order_counts_from_its_own_level(capcli: Cli) -> None:
    words = ("preview", "GOLD", "--size", "1", "--at", "2500", "--type", "limit", "--stop", "1%", "--json")
    assert capcli(*words).data["stop"]["level"] == 2475


def test_a_trailing_stop_in_percent_keeps_its_distance(capcli: Cli) -> None:
    data = capcli("preview", "SILVER", "--size", "1", "--stop", "2%", "--trailing", "--json").data
    assert '"stopDistance":' in data["body"]
    assert capcli("preview", "SILVER", "--size", "1", "--stop", "20", "--trailing").code == 2


def test_a_stop_below_nothing_is_refused(capcli: Cli) -> None:
    done = capcli("preview", "SILVER", "--size", "1", "--stop", "100%", "--json")
    assert (done.code, "a price is above 0" in done.error["message"]) == (2, True)


def test_a_proposal_takes_it_for_both_sides_and_repeats_it(capcli: Cli) -> None:
    said = capcli("propose", "GOLD", "--risk", "1%", "--stop", "2%", "--json").data
    buy, sell = said["sides"]
    assert buy["stop_level"] < buy["entry"]
    assert sell["stop_level"] > sell["entry"]
    assert said["next"] == "capcli propose GOLD --risk 1% --buy --stop 2%"


def test_an_amendment_counts_from_the_entry_of_the_position(capcli: Cli) -> None:
    deal = capcli.bought()
    entry = capcli("positions", deal, "--json").data["positions"][0]["level"]
    unconfirmed = capcli("positions", "amend", deal, "--stop", "2%", "--json")
    assert unconfirmed.error["next"] == f"capcli positions amend {deal} --stop 2% --confirm"
    assert capcli("positions", "amend", deal, "--stop", "2%", "--confirm").code == 0
    stop = Decimal(str(capcli("positions", deal, "--json").data["positions"][0]["stop_level"]))
    assert 0 <= two_percent(entry) - stop <= Decimal("0.005")


@pytest.mark.parametrize(
    ("size", "code", "left"), [("50%", 0, 0.8), ("1%", 2, 1.5), ("100%", 2, 1.5), ("0%", 2, 1.5)]
)
def test_part_of_a_position_in_percent(capcli: Cli, size: str, code: int, left: float) -> None:
    deal = capcli.bought()
    done = capcli("close", deal, "--size", size, "--confirm")
    assert done.code == code, done
    assert capcli("positions", "--json").data["positions"][0]["size"] == left
    if not code:
        assert "50 % of 1.5 is 0.75; SILVER is dealt in steps of 0.1: 0.7." in done.err


def test_a_person_sees_the_size_that_the_share_comes_to(capcli: Cli) -> None:
    capcli.bought()
    assert "Close 0.3 of BUY 1.5 SILVER" in capcli("close", "SILVER", "--size", "20%", typed="n\n").err


@pytest.mark.parametrize(
    "name", ["CAP_MAX_RISK_PCT", "CAP_MAX_TOTAL_RISK_PCT", "CAP_MAX_MARGIN_PCT", "CAP_MAX_DRIFT_PCT"]
)
def test_every_percent_setting_takes_the_sign(capcli: Cli, name: str) -> None:
    for text in ("1%", "1 %", "1"):
        rows = capcli("config", "--json", env={name: text}).data["settings"]
        assert [row["value"] for row in rows if row["name"] == name] == ["1"]
    for text in ("%", "1%%", "101%", "0%"):
        assert capcli("config", env={name: text}).code == 3


def test_percent_is_placed_on_the_step_away_from_the_price() -> None:
    leg, entry, step = ExitOrder(ExitForm.PERCENT, Decimal(2)), Decimal("30.01"), Decimal("0.05")
    assert leg.placed(entry, step, below=True) == ExitOrder(ExitForm.LEVEL, Decimal("29.40"))
    assert leg.placed(entry, step, below=False) == ExitOrder(ExitForm.LEVEL, Decimal("30.65"))
    assert leg.placed(entry, step, below=True, trailing=True) == ExitOrder(ExitForm.DISTANCE, Decimal("0.65"))
    assert leg.words("limit") == "--limit 2%"
