"""What an order does to the account, worked by hand on books that the paper broker rarely has."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from capcli.domain.account import Position, Preferences
from capcli.domain.effect import AccountBook, Effect, effect_of
from capcli.domain.order import OrderRequest, Trigger
from capcli.domain.sizing import figures

from .builders import ACCOUNT, MARKET, an_order
from .test_policy_by_effect import CLOSES, HOLDER, OPENS, REDUCES, REVERSES, case_of, long_position

D = Decimal
# Another market's deal whose contract is of five units.
GOLD = replace(long_position(), deal_id="D2", epic="GOLD", contract_size=D(5))


def effect(request: OrderRequest, *held: Position, observed: str | None = None, used: str = "6.00") -> Effect:
    account = replace(ACCOUNT, available=ACCOUNT.equity - D(used))
    found = figures(request, MARKET, account, D(1))
    if observed is not None:
        found = replace(found, observed_margin_pct=D(observed))
    book = AccountBook(account, held, Preferences(hedging=False, leverages={}), {"USD": D(1)})
    return effect_of(request, MARKET, found, book)


def test_a_fill_at_another_price_closes_the_same_deals_with_another_result() -> None:
    found = effect(CLOSES, long_position()).at(D("30.50"))
    assert [(deal.price, deal.realised) for deal in found.deals] == [(D("30.50"), D("3.00"))]
    assert found.realised == D("3.00")


@pytest.mark.parametrize(
    ("request_", "only"), [(OPENS, False), (REDUCES, True), (CLOSES, True), (REVERSES, False)]
)
def test_an_order_only_reduces_where_it_closes_and_opens_nothing(request_: OrderRequest, only: bool) -> None:
    found = case_of(request_).effect
    assert found is not None
    assert found.only_reduces is only


def test_an_order_that_neither_closes_nor_opens_reduces_nothing() -> None:
    assert not replace(effect(OPENS), opens=D(0)).only_reduces


def test_the_contract_of_the_same_market_counts() -> None:
    silver = replace(long_position(), contract_size=D(2))
    assert effect(OPENS, GOLD, silver).point_value == D(2)
    assert effect(OPENS, GOLD).point_value == D(1)
    # Two at 30.00 from 29, twice.
    assert effect(CLOSES, GOLD, silver).realised == D("4.00")


def test_a_waiting_order_sets_margin_aside_at_its_own_level() -> None:
    # A tenth of two at 20, beside the 6.00 in use.
    waiting = an_order("2", trigger=Trigger(D(20)))
    assert effect(waiting).margin_after == D("10.00")
    assert effect(waiting).margin_after == D("6.00") + (figures(waiting, MARKET, ACCOUNT, D(1)).margin or 0)


def test_the_margin_that_the_broker_shows_decides_what_a_new_deal_sets_aside() -> None:
    # 12.004 is a fifth of two at the mid of 30.01, and 6.002 a tenth of the two that are there.
    assert effect(an_order("2"), long_position(), observed="20").margin_after == D("18.01")


def test_a_deal_without_a_leverage_is_reckoned_with_the_market_s_own() -> None:
    unknown = replace(long_position(), leverage=None)
    found = effect(REDUCES, unknown)
    # One of the two is closed: 3.001 of the 6.00 that the account has in use.
    assert (found.margin_before, found.margin_freed, found.margin_after) == (D("6.00"), D("3.00"), D("3.00"))


def test_a_sum_that_is_not_the_account_s_own_moves_the_account_s_own() -> None:
    found = effect(REDUCES, long_position(), used="7.00")
    assert (found.margin_before, found.margin_freed, found.margin_after) == (D("7.00"), D("3.00"), D("4.00"))


def test_a_deal_in_a_currency_without_a_rate_is_left_out_of_the_sum() -> None:
    found = effect(
        REDUCES, long_position(), replace(GOLD, currency="JPY"), used=str(10_000 - HOLDER.available)
    )
    assert found.margin_after == D("3.00")
