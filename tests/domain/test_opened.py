"""Margin, stop, limit and overnight fee are those of the part of an order that opens something."""

from decimal import Decimal

from msgspec.structs import replace

from capcli.domain.check_input import CheckInput
from capcli.domain.opened import opened_figures
from capcli.domain.order import OrderRequest, Trigger

from .builders import an_order, level
from .test_policy_by_effect import CLOSES, OPENS, REVERSES, case_of

D = Decimal
STOP, LIMIT = level("30.50"), level("29")


def with_legs(request: OrderRequest) -> CheckInput:
    return case_of(replace(request, stop=STOP, limit=LIMIT))


def test_an_order_that_closes_nothing_has_all_of_its_figures() -> None:
    whole = case_of(replace(OPENS, stop=level("29"), limit=level("31")))
    assert opened_figures(whole) == whole.figures
    assert opened_figures(replace(whole, effect=None)) == whole.figures


def test_a_working_order_may_meet_another_book_when_it_fills() -> None:
    waits = with_legs(replace(REVERSES, trigger=Trigger(D("30.2"))))
    assert opened_figures(waits) == waits.figures


def test_an_order_that_opens_nothing_sets_nothing_aside() -> None:
    found = opened_figures(with_legs(CLOSES))
    assert (found.margin, found.stop, found.limit) == (D("0.00"), None, None)
    assert (found.reward_to_risk, found.overnight) == (None, None)
    # Two at the mid of 30.01 at a tenth were in use, and are free now: all of the equity is.
    assert found.available_after == D("10000.00")


def test_of_an_order_that_reverses_a_third_counts() -> None:
    case = with_legs(REVERSES)
    found, whole = opened_figures(case), case.figures
    assert whole.stop is not None
    assert whole.limit is not None
    assert whole.overnight is not None
    assert found.stop is not None
    assert found.limit is not None
    assert found.overnight is not None
    # 3 are sold at 30.00, one of them opens: 0.50 and 1.00 each, a tenth of 30.00 as margin.
    assert (found.margin, whole.margin) == (D("3.00"), D("9.00"))
    assert (found.stop.amount, found.limit.amount) == (D("0.50"), D("1.00"))
    assert (found.stop.equity_pct, found.limit.equity_pct) == (D("0.00"), D("0.01"))
    assert found.available_after == D("9997.00")
    assert found.overnight.amount == (whole.overnight.amount / 3).quantize(D("0.01"))


def test_what_is_not_known_stays_unknown() -> None:
    case = case_of(an_order("3", side=REVERSES.side))
    assert case.effect is not None
    case = replace(case, figures=replace(case.figures, margin=None, overnight=None))
    found = opened_figures(replace(case, effect=replace(case.effect, margin_after=None)))
    assert (found.margin, found.available_after, found.stop, found.overnight) == (None, None, None, None)
