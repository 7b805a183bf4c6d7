"""Limits in money: loss at stop, margin in use, the day's loss, and the stop that every order must carry."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.domain.check_input import Amends, OpenRisk
from capcli.domain.market import Side
from capcli.domain.order import Trigger
from capcli.domain.policy import Check, Rule

from .builders import ACCOUNT, a_case, an_order, level, verdict

D = Decimal


def risk(size: str = "10", stop: str | None = "29.02", *, pct: str = "1", **changes: Any) -> Check:
    """SILVER at 30.00/30.02 with 10,000 USD: a stop at 29.02 loses 1.00 a unit."""
    request = an_order(size, stop=level(stop) if stop else None)
    found = verdict(Rule.RISK, a_case(request, policy={"max_risk_pct": D(pct)}, **changes))
    assert found is not None
    return found


@pytest.mark.parametrize(("size", "ok"), [("100", True), ("100.1", False)])
def test_the_loss_at_stop_is_bounded_by_a_part_of_equity(size: str, ok: bool) -> None:
    assert risk(size).passed is ok


def test_the_loss_at_stop_is_told_in_money_with_its_setting() -> None:
    found = risk("200")
    assert found.reason == "loss at stop 200.00 of at most 100.00 USD (1 % of equity 10,000)"
    assert found.setting == "CAP_MAX_RISK_PCT"
    assert found.words.endswith("(CAP_MAX_RISK_PCT)")


def test_an_order_without_a_stop_has_no_bound() -> None:
    found = risk(stop=None)
    assert not found.passed
    assert found.reason.startswith("without a stop the loss is unlimited")


def test_what_is_there_in_the_market_counts_so_that_a_trade_cannot_be_split() -> None:
    assert risk("50", open_risk=OpenRisk(risk=D(50))).passed
    found = risk("50.1", open_risk=OpenRisk(risk=D(50)))
    assert not found.passed
    assert "50.00 of it there already" in found.reason


def test_a_position_without_a_stop_in_the_market_leaves_no_bound() -> None:
    found = risk("1", open_risk=OpenRisk(unprotected="D1"))
    assert not found.passed
    assert found.reason.startswith("D1 has no stop")


def test_nothing_may_be_risked_without_equity() -> None:
    assert not risk("0.1", account=replace(ACCOUNT, equity=D(-5))).passed


def test_a_sell_loses_upwards() -> None:
    request = an_order("100", side=Side.SELL, stop=level("31.01"))
    case = a_case(request, policy={"max_risk_pct": D(1)})
    found = verdict(Rule.RISK, case)
    assert found is not None
    assert found.reason.startswith("loss at stop 101.00")


@pytest.mark.parametrize(("loss", "ok"), [(D(100), True), (D("100.01"), False), (None, False)])
def test_an_amended_deal_is_judged_by_its_own_loss(loss: Decimal | None, ok: bool) -> None:
    assert risk("999", amends=Amends("D1", loss, ("removes the stop",))).passed is ok


@pytest.mark.parametrize(("available", "ok"), [("9951", True), ("9949", False)])
def test_margin_in_use_with_the_order_is_bounded_by_a_part_of_equity(available: str, ok: bool) -> None:
    # 10 at 30.02 with 10 % margin: 30.02; with what is in use at most 0.8 % of 10,000.
    account = replace(ACCOUNT, available=D(available))
    found = verdict(Rule.MARGIN, a_case(account=account, policy={"max_margin_pct": D("0.8")}))
    assert found is not None
    assert (found.passed, found.setting) == (ok, "CAP_MAX_MARGIN_PCT")


def test_margin_of_what_is_on_its_way_counts() -> None:
    policy = {"max_margin_pct": D("0.8")}
    found = verdict(Rule.MARGIN, a_case(policy=policy, open_risk=OpenRisk(margin=D(50))))
    assert found is not None
    assert found.reason == "margin in use after 80.02 of at most 80.00 USD (0.8 % of equity 10,000)"


def test_margin_that_nobody_can_tell_fails() -> None:
    found = verdict(Rule.MARGIN, a_case(policy={"max_margin_pct": D(50)}, open_risk=OpenRisk(unpriced="a_1")))
    assert found is not None
    assert (found.passed, found.reason) == (False, "the margin cannot be known of a_1")


@pytest.mark.parametrize(
    ("booked", "open_pl", "ok"),
    [
        ("-99.99", "0", True),
        ("-100", "0", False),
        ("-60", "-40", False),
        ("50", "-149", True),
        ("-100", "500", False),
    ],
)
def test_a_day_ends_with_its_loss_booked_and_open(booked: str, open_pl: str, ok: bool) -> None:
    account = replace(ACCOUNT, open_pl=D(open_pl))
    case = a_case(policy={"max_daily_loss": D(100)}, account=account, open_risk=OpenRisk(realised=D(booked)))
    found = verdict(Rule.DAILY_LOSS, case)
    assert found is not None
    assert (found.passed, found.setting) == (ok, "CAP_MAX_DAILY_LOSS")


def test_the_loss_of_a_day_is_told_in_its_parts() -> None:
    account = replace(ACCOUNT, open_pl=D("-20.5"))
    case = a_case(policy={"max_daily_loss": D(100)}, account=account, open_risk=OpenRisk(realised=D(-100)))
    found = verdict(Rule.DAILY_LOSS, case)
    assert found is not None
    assert found.reason == "lost 120.50 today (UTC) of at most 100 USD: booked -100.00, open -20.50"


@pytest.mark.parametrize("stop", [None, "29"])
def test_a_stop_can_be_required(stop: str | None) -> None:
    request = an_order(stop=level(stop) if stop else None, trigger=Trigger(D("29.5")))
    found = verdict(Rule.STOP_REQUIRED, a_case(request, policy={"require_stop": True}))
    assert found is not None
    assert (found.passed, found.setting) == (stop is not None, "CAP_REQUIRE_STOP")


def test_limits_that_are_not_set_are_not_judged() -> None:
    for rule in (Rule.RISK, Rule.MARGIN, Rule.DAILY_LOSS, Rule.STOP_REQUIRED):
        assert verdict(rule, a_case()) is None
