"""Against plain arithmetic written out here, not against the code's own."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.domain.account import Leverage, Preferences
from capcli.domain.market import Side
from capcli.domain.money import cents
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.domain.sizing import figures, leverage_decides

from .builders import ACCOUNT, MARKET, a_market, a_quote, amount, an_order, distance, level

D = Decimal
prices = st.decimals(min_value="1", max_value="99999", places=3)
sizes = st.decimals(min_value="0.1", max_value="5000", places=1)


def test_a_buy_worked_by_hand() -> None:
    found = figures(an_order("10", stop=level("29.00"), limit=level("32.06")), MARKET, ACCOUNT, D(1))
    assert (found.entry, found.notional, found.margin) == (D("30.02"), D("300.20"), D("30.02"))
    assert (found.available_after, found.spread_cost) == (D("9969.98"), D("0.20"))
    assert found.stop
    assert (found.stop.distance, found.stop.amount) == (D("1.02"), D("10.20"))
    assert found.limit
    assert (found.limit.distance, found.limit.amount) == (D("2.04"), D("20.40"))
    assert (found.reward_to_risk, found.stop.equity_pct) == (D("2.00"), D("0.10"))


def test_a_sell_enters_at_the_bid_and_loses_upwards() -> None:
    found = figures(an_order("10", side=Side.SELL, stop=level("31.00")), MARKET, ACCOUNT, D(1))
    assert found.entry == D("30.00")
    assert found.stop
    assert (found.stop.distance, found.stop.amount) == (D("1.00"), D("10.00"))


def test_amounts_are_converted_and_prices_are_not() -> None:
    found = figures(an_order("10", stop=distance("0.5")), MARKET, ACCOUNT, D("0.9"))
    assert (found.notional, found.entry) == (D("270.18"), D("30.02"))
    assert found.stop
    assert (found.stop.level, found.stop.amount) == (D("29.50"), D("4.68"))


def test_an_amount_is_the_loss_that_it_says() -> None:
    found = figures(an_order("3", stop=amount("10")), MARKET, ACCOUNT, D(1))
    assert found.stop
    assert found.stop.amount == D("10.00")
    assert abs(found.stop.level - (D("30.02") - D(10) / 3)) < D("0.01")


def test_overnight_is_charged_on_the_middle_price() -> None:
    buy = figures(an_order("10"), MARKET, ACCOUNT, D(1)).overnight
    sell = figures(an_order("10", side=Side.SELL), MARKET, ACCOUNT, D(1)).overnight
    assert buy
    assert (buy.rate_pct, buy.amount) == (D("-0.02"), D("-0.06"))
    assert sell
    assert (sell.rate_pct, sell.amount) == (D("0.01"), D("0.03"))


def test_a_working_order_enters_at_its_own_level() -> None:
    request = an_order("10", trigger=Trigger(D("28.00")), stop=distance("1"))
    found = figures(request, MARKET, ACCOUNT, D(1))
    assert (found.entry, found.notional) == (D("28.00"), D("280.00"))
    assert found.stop
    assert found.stop.level == D("27.00")


def test_an_unknown_unit_of_the_margin_factor_is_no_margin() -> None:
    assert figures(an_order(), a_market(margin_factor_unit=None), ACCOUNT, D(1)).margin_pct is not None
    found = figures(an_order(), a_market(margin_factor_unit="POINTS"), ACCOUNT, D(1))
    assert (found.margin_pct, found.margin, found.available_after) == (None, None, None)


def chosen(leverage: str, market_class: str = "COMMODITIES") -> Preferences:
    return Preferences(hedging=False, leverages={market_class: Leverage(D(leverage), (D(1), D(leverage)))})


@pytest.mark.parametrize(
    ("leverage", "margin_pct", "margin", "told"),
    [
        ("5", "20", "60.04", "5"),
        ("3", "33.3333", "100.07", "3"),
        ("1", "100", "300.20", "1"),
        ("9.95", "10.0503", "30.17", "9.95"),
        ("10", "10", "30.02", None),
        ("20", "10", "30.02", None),
    ],
)
def test_the_margin_follows_what_asks_for_more(
    leverage: str, margin_pct: str, margin: str, told: str | None
) -> None:
    found = figures(an_order("10"), MARKET, ACCOUNT, D(1), chosen(leverage))
    assert (found.margin_pct, found.margin) == (D(margin_pct), D(margin))
    assert (found.leverage, found.market_margin_pct) == (D(leverage), D(10))
    assert leverage_decides(found.leverage, found.market_margin_pct) is (told is not None)
    assert found.available_after == ACCOUNT.available - D(margin)


def test_a_class_without_a_leverage_keeps_the_markets_factor() -> None:
    found = figures(an_order("10"), MARKET, ACCOUNT, D(1), chosen("1", "GOLD"))
    assert (found.margin_pct, found.leverage) == (D(10), None)


@pytest.mark.parametrize("factor", [None, D(100)])
def test_the_leverage_decides_where_the_market_s_factor_says_nothing(factor: Decimal | None) -> None:
    found = figures(an_order(), a_market(margin_factor=factor), ACCOUNT, D(1), chosen("2"))
    assert (found.margin_pct, found.margin, found.leverage) == (D(50), found.notional / 2, D(2))


def test_a_factor_of_100_counts_where_no_leverage_is_known() -> None:
    found = figures(an_order(), a_market(margin_factor=D(100)), ACCOUNT, D(1))
    assert (found.margin_pct, found.margin, found.leverage) == (D(100), found.notional, None)


@given(prices, sizes, st.sampled_from(Side), st.decimals(min_value="0.01", max_value="0.9", places=2))
def test_money_is_the_plain_product(price: Decimal, size: Decimal, side: Side, away: Decimal) -> None:
    market = a_market(quote=a_quote(str(price), str(price + D("0.02"))))
    request = OrderRequest("SILVER", side, size, stop=ExitOrder(ExitForm.DISTANCE, away))
    found = figures(request, market, ACCOUNT, D(1))
    entry = price + D("0.02") if side is Side.BUY else price
    assert found.notional == cents(entry * size)
    assert found.margin == cents(entry * size / 10)
    assert found.stop
    # The distance counts from the price that closes the position, so the stop costs the spread besides.
    assert found.stop.amount == cents((away + D("0.02")) * size)
    assert found.stop.level == (price - away if side is Side.BUY else price + D("0.02") + away)


def test_an_amount_is_account_currency_whatever_the_market_trades_in() -> None:
    found = figures(an_order("10", stop=amount("20")), MARKET, ACCOUNT, D("0.5"))
    assert found.stop
    assert found.stop.amount == D("20.00")
    assert found.stop.level == D("30.02") - 20 / (10 * D("0.5"))


def test_the_spread_is_told_as_a_share_of_the_middle_price() -> None:
    # 0.02 of 30.01 is 0.0666 %.
    found = figures(an_order(), MARKET, ACCOUNT, D(1))
    assert (found.spread, found.spread_pct) == (D("0.02"), D("0.067"))
    free = figures(an_order(), a_market(quote=a_quote("0", "0")), ACCOUNT, D(1))
    assert free.spread_pct == 0


def test_a_leg_tells_its_distance_as_a_share_of_the_entry() -> None:
    found = figures(an_order(stop=level("29.00")), MARKET, ACCOUNT, D(1))
    assert found.stop
    assert (found.stop.distance_pct, found.stop.equity_pct) == (D("3.398"), D("0.10"))


def test_the_fee_of_a_night_is_percent_of_the_whole_value() -> None:
    fee = figures(an_order("1000"), MARKET, ACCOUNT, D("0.5")).overnight
    assert fee
    assert fee.amount == D("-3.00")


def test_a_market_without_an_overnight_fee_has_none() -> None:
    assert figures(an_order(), a_market(overnight=None), ACCOUNT, D(1)).overnight is None


@pytest.mark.parametrize(
    ("stop", "limit", "ratio"),
    [
        (level("29.00"), None, None),
        (None, level("32.00"), None),
        (level("30.02"), level("32.00"), None),
        (level("31.00"), level("32.00"), None),
        (level("29.02"), level("31.52"), "1.50"),
    ],
)
def test_a_reward_to_risk_needs_a_limit_and_a_stop_that_loses(
    stop: ExitOrder | None, limit: ExitOrder | None, ratio: str | None
) -> None:
    found = figures(an_order(stop=stop, limit=limit), MARKET, ACCOUNT, D(1))
    assert found.reward_to_risk == (None if ratio is None else D(ratio))


def test_the_level_of_an_amount_has_the_digits_of_the_price_and_at_most_ten_places() -> None:
    fine = a_market(quote=a_quote("0.000000000001", "0.000000000003"))
    found = figures(an_order("3", stop=amount("10")), MARKET, ACCOUNT, D(1)).stop
    assert found is not None
    assert found.level == D("26.69")
    tiny = figures(an_order("3", stop=amount("0.0000000000001")), fine, ACCOUNT, D(1)).stop
    assert tiny is not None
    assert tiny.level.as_tuple().exponent == -10


def test_what_an_order_costs_is_converted_to_the_accounts_currency() -> None:
    found = figures(an_order("10"), MARKET, ACCOUNT, D("0.5"))
    assert (found.notional, found.margin, found.spread_cost) == (D("150.10"), D("15.01"), D("0.10"))
    assert found.overnight
    assert found.overnight.amount == D("-0.03")
