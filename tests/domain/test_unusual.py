"""What is unusual about an order is said at its edge and not before, in words with the figures."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.domain.check_input import Amends
from capcli.domain.effect import Effect
from capcli.domain.market import DayHours, MarketStatus, OpeningHours
from capcli.domain.order import OrderRequest, Trigger
from capcli.domain.unusual import CautionInput, Unusual, cautions

from .builders import ACCOUNT, MARKET, NOW, a_case, a_quote, an_order, distance, level

D = Decimal
U = Unusual
SAFE = an_order("1", stop=level("29"))


def effect(closes: str = "0", opens: str = "1", margin_after: str | None = "100") -> Effect:
    zero = D(0)
    return Effect(
        closes=D(closes),
        opens=D(opens),
        deals=(),
        realised=zero,
        long_after=zero,
        short_after=zero,
        margin_before=zero,
        margin_freed=zero,
        margin_after=None if margin_after is None else D(margin_after),
        point_value=D(1),
        currency="USD",
        stop_level=None,
        limit_level=None,
    )


def said(
    request: OrderRequest = SAFE,
    *,
    day_range: str | None = None,
    age_s: int = 0,
    equity: str = "10000",
    **changes: Any,
) -> dict[Unusual, str]:
    account = replace(ACCOUNT, equity=D(equity))
    case = a_case(request, account=account, **changes)
    look = CautionInput(case, None if day_range is None else D(day_range), NOW + timedelta(seconds=age_s))
    return {one.code: str(one) for one in cautions(look)}


def test_an_ordinary_order_is_not_unusual() -> None:
    assert said() == {}
    assert said(effect=effect()) == {}


@pytest.mark.parametrize(
    ("size", "done", "told"),
    [
        ("10", None, "would lose about 15.00 USD, 0.15 % of the equity of 10,000.00 USD"),
        ("10", effect("6", "4"), "would lose about 6.00 USD, 0.06 % of the equity of 10,000.00 USD"),
    ],
)
def test_without_a_stop_it_says_what_an_average_day_costs(size: str, done: Effect | None, told: str) -> None:
    found = said(an_order(size), day_range="1.50", effect=done)
    assert found == {
        U.NO_STOP: "no stop, so the loss is unlimited; against you, an average day (ATR 14 of days) "
        f"moves 1.5, which {told}"
    }
    assert said(an_order(size), effect=done) == {U.NO_STOP: "no stop, so the loss is unlimited"}


def test_an_average_day_is_as_exact_as_the_markets_prices() -> None:
    found = said(an_order(), day_range="0.01093", market=replace(MARKET, decimals=5))
    assert "moves 0.01093, which would lose about 0.11 USD" in found[U.NO_STOP]


def test_what_only_closes_needs_no_stop() -> None:
    assert said(an_order("1"), effect=effect("1", "0")) == {}
    waits = an_order("1", trigger=Trigger(D(29)))
    assert set(said(waits, effect=effect("1", "0"))) == {U.NO_STOP}, "it may meet another book when it fills"


@pytest.mark.parametrize(
    ("legs", "done", "told"),
    [
        ({"stop": level("29")}, effect("1", "0"), "it opens nothing, so its stop would have no effect"),
        (
            {"stop": level("29"), "limit": level("31")},
            effect("1", "0"),
            "it opens nothing, so its stop and limit would have no effect",
        ),
        (
            {"limit": level("31")},
            effect("1", "0"),
            "it opens nothing, so its limit would have no effect",
        ),
        ({"stop": level("29")}, effect("1", "1"), None),
        ({"stop": level("29")}, effect("0", "1"), None),
        ({}, effect("1", "0"), None),
        (
            {"stop": level("28"), "trigger": Trigger(D(29))},
            effect("1", "1"),
            "if it fills against the open position, its stop would have no effect",
        ),
        ({"stop": level("28"), "trigger": Trigger(D(29))}, effect("0", "2"), None),
    ],
)
def test_a_stop_that_would_protect_nothing_is_named(
    legs: dict[str, Any], done: Effect, told: str | None
) -> None:
    assert said(an_order("1", **legs), effect=done).get(U.NOTHING_TO_PROTECT) == told


@pytest.mark.parametrize(
    ("equity", "done", "told"),
    [
        ("10000", None, None),
        ("9999.99", None, "the loss at the stop is 1,000.00 USD, 10 % of the equity of 9,999.99 USD"),
        ("5000", effect("500", "500"), None),
        (
            "4000",
            effect("500", "500"),
            "the loss at the stop is 500.00 USD, 12.5 % of the equity of 4,000.00 USD",
        ),
        ("10", effect("1000", "0"), None),
        ("0", None, "the loss at the stop is 1,000.00 USD, more than all of the equity of 0.00 USD"),
        ("-5", None, "the loss at the stop is 1,000.00 USD, more than all of the equity of -5.00 USD"),
    ],
)
def test_a_loss_above_a_tenth_of_the_equity_is_large(
    equity: str, done: Effect | None, told: str | None
) -> None:
    # With the spread of 0.02 each unit loses 1.00.
    found = said(an_order("1000", stop=distance("0.98")), equity=equity, effect=done)
    assert found.get(U.LARGE_LOSS) == told


@pytest.mark.parametrize(
    ("equity", "done", "told"),
    [
        ("6004", None, None),
        ("6003.99", None, "it is worth 30,020.00 USD, 500 % of the equity of 6,003.99 USD"),
        ("3002", effect("500", "500"), None),
        ("3000", effect("500", "500"), "it is worth 15,010.00 USD, 500.33 % of the equity of 3,000.00 USD"),
        ("-1", None, "it is worth 30,020.00 USD, more than all of the equity of -1.00 USD"),
    ],
)
def test_more_than_five_times_the_equity_is_much(equity: str, done: Effect | None, told: str | None) -> None:
    found = said(an_order("1000", stop=distance("0.1")), equity=equity, effect=done)
    assert found.get(U.LARGE_NOTIONAL) == told


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (None, None),
        (effect(margin_after="5000"), None),
        (
            effect(margin_after="5000.01"),
            "margin in use afterwards is 5,000.01 USD, 50 % of the equity of 10,000.00 USD",
        ),
        (effect("1", "0", "9000"), None),
        (effect(margin_after=None), None),
    ],
)
def test_more_than_half_of_the_equity_as_margin_is_much(done: Effect | None, told: str | None) -> None:
    assert said(effect=done).get(U.MUCH_MARGIN) == told


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_any_margin_is_much_without_equity(equity: str) -> None:
    told = said(effect=effect(margin_after="1"), equity=equity)[U.MUCH_MARGIN]
    assert told.startswith("margin in use afterwards is 1.00 USD, more than all of the equity of ")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (an_order("1", trigger=Trigger(D("45.015")), stop=level("30")), None),
        (
            an_order("1", trigger=Trigger(D("45.016")), stop=level("30")),
            "the level 45.016 is 50 % away from the price 30.01",
        ),
        (an_order("1", stop=level("15.005")), None),
        (an_order("1", stop=level("15")), "the stop 15 is 50.02 % away from the price 30.01"),
        (
            an_order("1", stop=level("14"), limit=level("60.02")),
            "the stop 14 is 53.35 % away and the limit 60.02 is 100 % away from the price 30.01",
        ),
    ],
)
def test_a_level_more_than_half_the_price_away_is_far(request_: OrderRequest, told: str | None) -> None:
    assert said(request_).get(U.FAR_LEVEL) == told


@pytest.mark.parametrize(
    ("age", "status", "told"),
    [
        (60, MarketStatus.TRADEABLE, None),
        (61, MarketStatus.TRADEABLE, "the price is 61 s old"),
        (3600, MarketStatus.EDITS_ONLY, None),
    ],
)
def test_a_price_is_old_after_a_minute_while_the_market_trades(
    age: int, status: MarketStatus, told: str | None
) -> None:
    market = replace(MARKET, quote=a_quote(status=status))
    assert said(market=market, age_s=age).get(U.OLD_PRICE) == told


def test_of_a_deal_that_is_changed_its_loss_and_its_levels_are_unusual() -> None:
    amends = Amends("D1", D(5000), ("a wider stop",))
    found = said(an_order("1000", stop=level("14")), day_range="1", amends=amends, effect=None)
    assert set(found) == {U.LARGE_LOSS, U.FAR_LEVEL}
    amends = Amends("D1", None, ("takes the stop away",))
    assert said(an_order("1000"), day_range="1", amends=amends) == {}


def test_a_closed_market_says_when_it_usually_opens() -> None:
    closed = replace(MARKET, quote=a_quote(status=MarketStatus.CLOSED))
    assert said(market=closed) == {U.MARKET_CLOSED: "SILVER is closed"}
    # NOW is a Monday noon in UTC; the sessions are not sorted, and one begins this very instant.
    hours = OpeningHours("UTC", (DayHours("mon", ("20:15-22:00", "12:00-13:00", "18:45-19:00")),))
    told = said(market=replace(closed, hours=hours))[U.MARKET_CLOSED]
    assert told == "SILVER is closed; it usually opens next at 2026-03-02 18:45Z"
    hours = replace(hours, days=(DayHours("mon", ("08:00-09:00",)), DayHours("wed", ("07:30-09:00",))))
    told = said(market=replace(closed, hours=hours))[U.MARKET_CLOSED]
    assert told == "SILVER is closed; it usually opens next at 2026-03-04 07:30Z"


def test_what_a_changed_deal_loses_at_its_stop_counts_where_the_change_adds_to_it() -> None:
    moved = Amends("D1", D("2000"), ("moves the stop away",))
    told = said(an_order("1"), amends=moved)
    assert any("2,000.00 USD" in line for line in told.values())
    assert not any(
        "2,000.00" in line for line in said(an_order("1"), amends=Amends("D1", D("2000"))).values()
    )
