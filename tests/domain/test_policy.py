from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.domain.account import OrderType, Preferences
from capcli.domain.check_input import Amends, Blocked, OpenRisk
from capcli.domain.effect import AccountBook, effect_of
from capcli.domain.market import DayHours, MarketStatus, OpeningHours, RuleUnit, Side
from capcli.domain.order import Trigger
from capcli.domain.policy import Rule, evaluate

from .builders import (
    ACCOUNT,
    NOW,
    a_case,
    a_market,
    a_quote,
    amount,
    an_order,
    distance,
    failed,
    level,
    passes,
    percent,
    verdict,
)

D = Decimal
SELL = Side.SELL


def at(price: str, **changes: Any) -> Any:
    return an_order(trigger=Trigger(D(price)), **changes)


def test_a_plain_order_passes_everything() -> None:
    assert failed(a_case()) == set()


def test_every_failure_is_reported_at_once() -> None:
    policy = {
        "env": "live",
        "trading_allowed": False,
        "allowed_epics": frozenset({"GOLD"}),
        "max_position_size": D(1),
        "max_open_positions": 0,
        "max_orders_per_day": 0,
        "max_risk_pct": D(1),
        "max_total_risk_pct": D(1),
        "max_margin_pct": D(1),
        "max_daily_loss": D(100),
    }
    request = an_order("5000.05", stop=level("31"), limit=level("29"), guaranteed=True)
    market = a_market(quote=a_quote(status=MarketStatus.CLOSED), guaranteed_stops=False)
    account = replace(ACCOUNT, available=D(1))
    case = a_case(request, policy=policy, market=market, account=account, reference_entry=D(20))
    case = replace(case, open_risk=OpenRisk(unprotected="D1", total_unprotected="D1", realised=D(-100)))
    case = replace(case, blocked=Blocked("halted", ("a_1",), 7, journal="it was altered"))
    book = AccountBook(account, (), Preferences(hedging=False, leverages={}), {"USD": D(1)})
    now = effect_of(request, market, case.figures, book)
    case = replace(case, effect=now, reference_effect=replace(now, closes=D(1), opens=D(1)))
    absent = {Rule.ENTRY_LEVEL, Rule.GOOD_TILL, Rule.TRAILING, Rule.STOP_REQUIRED}
    assert failed(case) == set(Rule) - absent


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        ({"trading_allowed": False}, Rule.TRADING),
        ({"env": "live"}, Rule.LIVE),
        ({"allowed_epics": frozenset({"silver", "GOLD"})}, Rule.EPIC_ALLOWED),
    ],
)
def test_the_switches_refuse(policy: dict[str, Any], rule: Rule) -> None:
    assert failed(a_case(policy=policy)) == {rule}


def test_an_unlocked_live_and_a_listed_epic_pass() -> None:
    policy = {"env": "live", "live_unlocked": True, "allowed_epics": frozenset({"SILVER"})}
    assert passes(Rule.LIVE, a_case(policy=policy))
    assert failed(a_case(policy=policy)) == set()


@pytest.mark.parametrize("status", list(MarketStatus))
def test_a_market_order_needs_an_open_market(status: MarketStatus) -> None:
    case = a_case(market=a_market(quote=a_quote(status=status)))
    assert passes(Rule.MARKET_OPEN, case) is (status is MarketStatus.TRADEABLE)


@pytest.mark.parametrize("status", list(MarketStatus))
def test_a_working_order_may_rest_while_the_market_is_merely_closed(status: MarketStatus) -> None:
    market = a_market(quote=a_quote(status=status))
    case = a_case(at("29"), market=market, order_type=OrderType.LIMIT)
    resting = {MarketStatus.TRADEABLE, MarketStatus.CLOSED, MarketStatus.EDITS_ONLY}
    assert passes(Rule.MARKET_OPEN, case) is (status in resting)


# Which of a buy and a sale that open something a mode lets through (API page 18.8).
MODES = {
    "REGULAR": (True, True),
    "LONG_ONLY": (True, False),
    "CLOSE_ONLY": (False, False),
    "VIEW_ONLY": (False, False),
    "VIEW_AND_REQUEST": (False, False),
    "CLOSED_FOR_CORPORATE_ACTION": (False, False),
    "HOLIDAY": (True, True),
    "UNKNOWN": (True, True),
    "A_WORD_OF_TOMORROW": (True, True),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_forbids_what_it_says_and_nothing_else(mode: str) -> None:
    market = a_market(modes=("REGULAR", mode))
    buys, sells = (a_case(an_order(side=side), market=market) for side in Side)
    assert (passes(Rule.MARKET_OPEN, buys), passes(Rule.MARKET_OPEN, sells)) == MODES[mode]


def test_the_modes_of_a_closed_market_keep_no_order_from_waiting() -> None:
    market = a_market(quote=a_quote(status=MarketStatus.CLOSED), modes=("VIEW_ONLY",))
    assert passes(Rule.MARKET_OPEN, a_case(at("29"), market=market, order_type=OrderType.LIMIT))
    assert not passes(Rule.MARKET_OPEN, a_case(market=market))


def test_a_mode_that_is_not_known_to_forbid_anything_is_named() -> None:
    found = verdict(Rule.MARKET_OPEN, a_case(market=a_market(modes=("HOLIDAY",))))
    assert found
    assert found.reason == "SILVER is TRADEABLE, mode HOLIDAY"


def test_a_market_that_is_closed_inside_its_hours_is_said_to_be() -> None:
    hours = OpeningHours("UTC", (DayHours("mon", ("00:00-21:00",)),))
    market = a_market(quote=a_quote(status=MarketStatus.CLOSED), hours=hours)
    told = verdict(Rule.MARKET_OPEN, a_case(at("29"), market=market, order_type=OrderType.LIMIT))
    assert told
    assert told.passed
    assert told.reason == ("SILVER is CLOSED, although its opening hours say open; a working order can wait")


def test_a_market_without_market_orders_takes_working_ones_only() -> None:
    market = a_market(rules={"market_orders": False})
    assert not passes(Rule.MARKET_OPEN, a_case(market=market))
    assert passes(Rule.MARKET_OPEN, a_case(at("29"), market=market, order_type=OrderType.LIMIT))


@pytest.mark.parametrize(
    ("size", "ok"), [("0.1", True), ("1000", True), ("0.0999", False), ("1000.1", False), ("0.05", False)]
)
def test_the_size_has_bounds(size: str, *, ok: bool) -> None:
    assert passes(Rule.SIZE_RANGE, a_case(an_order(size))) is ok


def test_a_size_off_the_step_names_the_nearest_valid_ones() -> None:
    found = verdict(Rule.SIZE_STEP, a_case(an_order("1.55")))
    assert found
    assert not found.passed
    assert found.reason.endswith("nearest: 1.5 or 1.6")
    small = verdict(Rule.SIZE_STEP, a_case(an_order("0.05")))
    assert small
    assert small.reason.endswith("nearest: 0.1")


@pytest.mark.parametrize(("size", "ok"), [("2", True), ("2.1", False)])
def test_the_size_limits_of_positions_and_orders_are_two(size: str, *, ok: bool) -> None:
    market = a_case(an_order(size), policy={"max_position_size": D(2), "max_working_order_size": D(1)})
    working = a_case(
        at("29", size=size),
        policy={"max_position_size": D(1), "max_working_order_size": D(2)},
        order_type=OrderType.LIMIT,
    )
    assert passes(Rule.MAX_SIZE, market) is passes(Rule.MAX_SIZE, working) is ok


@pytest.mark.parametrize(
    ("count", "waiting", "ok"), [(1, 0, True), (2, 0, False), (0, 1, True), (0, 2, False), (1, 1, False)]
)
def test_open_positions_are_limited(count: int, waiting: int, *, ok: bool) -> None:
    case = a_case(policy={"max_open_positions": 2}, open_in=("GOLD",) * count, waiting_in=("GOLD",) * waiting)
    assert passes(Rule.OPEN_POSITIONS, case) is ok


@pytest.mark.parametrize(("waiting", "ok"), [(0, True), (1, False)])
def test_a_working_order_counts_those_that_wait_already(waiting: int, *, ok: bool) -> None:
    case = a_case(
        at("29"), policy={"max_open_positions": 2}, open_in=("GOLD",), waiting_in=("GOLD",) * waiting
    )
    assert passes(Rule.OPEN_POSITIONS, replace(case, order_type=OrderType.LIMIT)) is ok


@pytest.mark.parametrize(("sent", "ok"), [(2, True), (3, False)])
def test_orders_a_day_are_limited(sent: int, *, ok: bool) -> None:
    assert passes(Rule.ORDERS_PER_DAY, a_case(policy={"max_orders_per_day": 3}, orders_today=sent)) is ok


@pytest.mark.parametrize(("available", "ok"), [("30.02", True), ("30.01", False)])
def test_the_margin_must_be_available(available: str, *, ok: bool) -> None:
    assert passes(Rule.FUNDS, a_case(account=replace(ACCOUNT, available=D(available)))) is ok


def test_an_unknown_margin_is_not_enough() -> None:
    assert not passes(Rule.FUNDS, a_case(market=a_market(margin_factor=None)))


@pytest.mark.parametrize(
    ("side", "kind", "price", "ok"),
    [
        (Side.BUY, OrderType.LIMIT, "30.019", True),
        (Side.BUY, OrderType.LIMIT, "30.021", False),
        (Side.BUY, OrderType.STOP, "31", True),
        (Side.BUY, OrderType.STOP, "30.021", False),
        (Side.BUY, OrderType.STOP, "30.019", False),
        (SELL, OrderType.LIMIT, "30.001", True),
        (SELL, OrderType.LIMIT, "29.999", False),
        (SELL, OrderType.STOP, "29", True),
        (SELL, OrderType.STOP, "29.999", False),
        (SELL, OrderType.STOP, "30.001", False),
        (Side.BUY, OrderType.LIMIT, "30.02", False),
        (SELL, OrderType.STOP, "30.00", False),
        (Side.BUY, OrderType.LIMIT, "29.0005", False),
    ],
)
def test_a_working_order_waits_on_the_right_side(
    side: Side, kind: OrderType, price: str, *, ok: bool
) -> None:
    assert passes(Rule.ENTRY_LEVEL, a_case(at(price, side=side), order_type=kind)) is ok


@pytest.mark.parametrize(("seconds", "ok"), [(1, True), (0, False), (-1, False)])
def test_a_working_order_ends_in_the_future(seconds: int, *, ok: bool) -> None:
    trigger = Trigger(D(29), good_till=NOW + timedelta(seconds=seconds))
    assert passes(Rule.GOOD_TILL, a_case(an_order(trigger=trigger), order_type=OrderType.LIMIT)) is ok


# A position's legs are measured from the price it closes at: BUY the bid 30.00, SELL the offer 30.02.
@pytest.mark.parametrize(
    ("side", "stop", "ok"),
    [
        (Side.BUY, "29.970", True),
        (Side.BUY, "29.971", False),
        (Side.BUY, "30.00", False),
        (Side.BUY, "31", False),
        (Side.BUY, "12.000", True),
        (Side.BUY, "11.999", False),
        (Side.BUY, "29.9005", False),
        (SELL, "30.051", True),
        (SELL, "30.050", False),
        (SELL, "30.02", False),
        (SELL, "29", False),
        (SELL, "48.032", True),
        (SELL, "48.033", False),
    ],
)
def test_a_stop_belongs_on_the_losing_side_and_within_bounds(side: Side, stop: str, *, ok: bool) -> None:
    assert passes(Rule.STOP, a_case(an_order(side=side, stop=level(stop)))) is ok


@pytest.mark.parametrize(
    ("side", "limit", "ok"),
    [
        (Side.BUY, "30.030", True),
        (Side.BUY, "30.029", False),
        (Side.BUY, "29", False),
        (SELL, "29.989", True),
        (SELL, "29.990", False),
        (SELL, "31", False),
    ],
)
def test_a_limit_belongs_on_the_winning_side(side: Side, limit: str, *, ok: bool) -> None:
    assert passes(Rule.LIMIT, a_case(an_order(side=side, limit=level(limit)))) is ok


@pytest.mark.parametrize("side", list(Side))
def test_distances_and_amounts_are_judged_as_levels(side: Side) -> None:
    assert passes(Rule.STOP, a_case(an_order(side=side, stop=distance("1"))))
    assert not passes(Rule.STOP, a_case(an_order(side=side, stop=distance("0.01"))))
    assert not passes(Rule.STOP, a_case(an_order(side=side, stop=distance("0.0005"))))
    assert passes(Rule.STOP, a_case(an_order(side=side, stop=amount("20"))))
    assert not passes(Rule.STOP, a_case(an_order(side=side, stop=amount("0.1"))))


def test_an_amount_in_another_currency_is_refused() -> None:
    case = a_case(an_order(stop=amount("20")), account=replace(ACCOUNT, currency="EUR"))
    assert not passes(Rule.STOP, case)


def test_a_guaranteed_stop_keeps_its_own_distance() -> None:
    near, far = level("29.5"), level("29.4")
    assert passes(Rule.STOP, a_case(an_order(stop=near)))
    assert not passes(Rule.STOP, a_case(an_order(stop=near, guaranteed=True)))
    assert passes(Rule.STOP, a_case(an_order(stop=far, guaranteed=True)))


@pytest.mark.parametrize(
    "market", [a_market(guaranteed_stops=False), a_market(rules={"min_guaranteed_stop_distance": None})]
)
def test_a_guaranteed_stop_must_be_offered(market: Any) -> None:
    request = an_order(stop=level("29"), guaranteed=True)
    assert passes(Rule.GUARANTEED, a_case(request))
    assert not passes(Rule.GUARANTEED, a_case(request, market=market))


@pytest.mark.parametrize(("offered", "ok"), [(True, True), (False, False), (None, False)])
def test_a_trailing_stop_must_be_offered(offered: bool | None, *, ok: bool) -> None:
    request = an_order(stop=distance("1"), trailing=True)
    assert passes(Rule.TRAILING, a_case(request, market=a_market(rules={"trailing_stops": offered}))) is ok


@pytest.mark.parametrize(
    ("then", "ok"),
    [("30.02", True), ("29.8707", True), ("29.8706", False), ("30.17", True), ("30.18", False)],
)
def test_the_price_may_drift_half_a_percent_either_way(then: str, *, ok: bool) -> None:
    assert passes(Rule.DRIFT, a_case(reference_entry=D(then))) is ok


def test_a_working_order_does_not_drift() -> None:
    case = a_case(at("29"), order_type=OrderType.LIMIT, reference_entry=D(20))
    assert verdict(Rule.DRIFT, case) is None


def test_distances_in_points_are_taken_as_they_are() -> None:
    points = replace(percent("1"), unit=percent("1").unit.__class__("POINTS"))
    market = a_market(rules={"min_stop_distance": points})
    assert passes(Rule.STOP, a_case(an_order(stop=level("29.000")), market=market))
    assert not passes(Rule.STOP, a_case(an_order(stop=level("29.001")), market=market))


@given(st.decimals(min_value="0.001", max_value="99", places=3), st.sampled_from(Side))
def test_no_stop_level_passes_on_both_sides(price: Decimal, side: Side) -> None:
    legs = {"stop": level(str(price)), "limit": level(str(price))}
    found = {check.rule: check.passed for check in evaluate(a_case(an_order(side=side, **legs)))}
    assert not (found[Rule.STOP] and found[Rule.LIMIT])


def test_a_plain_order_asks_for_no_guarantee_and_no_trailing() -> None:
    market = a_market(guaranteed_stops=False, rules={"trailing_stops": False})
    assert failed(a_case(an_order(stop=level("29")), market=market)) == set()


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "30.00"), (SELL, "30.02")])
def test_a_leg_at_the_price_itself_is_refused_even_without_a_least_distance(side: Side, price: str) -> None:
    market = a_market(rules={"min_stop_distance": percent("0")})
    legs = {"stop": level(price), "limit": level(price)}
    found = failed(a_case(an_order(side=side, **legs), market=market))
    assert found == {Rule.STOP, Rule.LIMIT}


def test_a_leg_at_nothing_is_refused_whatever_the_bounds() -> None:
    market = a_market(rules={"max_stop_distance": percent("200")})
    assert not passes(Rule.STOP, a_case(an_order(stop=level("0")), market=market))
    assert passes(Rule.STOP, a_case(an_order(stop=level("0.001")), market=market))


def test_a_leg_for_which_there_is_no_room_is_not_told_a_bound_below_nothing() -> None:
    market = a_market(rules={"min_stop_distance": percent("100"), "max_stop_distance": percent("200")})
    found = verdict(Rule.STOP, a_case(an_order(stop=level("29")), market=market))
    assert found
    assert found.reason == "stop 29 is too near: there is no room for one"


def test_a_refused_leg_names_the_nearest_level_that_passes() -> None:
    for side, stop, bound in [
        (Side.BUY, "29.99", "29.970"),
        (SELL, "30.03", "30.051"),
        (Side.BUY, "11", "12.00"),
        (SELL, "49", "48.032"),
    ]:
        found = verdict(Rule.STOP, a_case(an_order(side=side, stop=level(stop))))
        assert found
        assert not found.passed
        assert found.reason.endswith(bound)
        assert passes(Rule.STOP, a_case(an_order(side=side, stop=level(bound))))


@pytest.mark.parametrize(
    ("side", "word"), [(Side.BUY, "below the bid 30.00"), (SELL, "above the offer 30.02")]
)
def test_a_leg_is_told_from_the_price_that_closes(side: Side, word: str) -> None:
    found = verdict(Rule.STOP, a_case(an_order(side=side, stop=distance("1"))))
    assert found
    assert found.reason.endswith(word)


def test_each_limit_of_size_names_its_own_setting() -> None:
    policy = {"max_position_size": D(1), "max_working_order_size": D(1)}
    market, working = (
        verdict(Rule.MAX_SIZE, a_case(request, policy=policy, order_type=OrderType.LIMIT))
        for request in (an_order("2"), at("29", size="2"))
    )
    assert market
    assert market.setting == "CAP_MAX_POSITION_SIZE"
    assert working
    assert working.setting == "CAP_MAX_WORKING_ORDER_SIZE"


@pytest.mark.parametrize(
    ("realised", "open_pl", "ok"),
    [
        ("-99.99", "0", True),
        ("-100", "0", False),
        ("0", "-100", False),
        ("-150", "500", False),
        ("50", "-149", True),
    ],
)
def test_the_day_counts_what_was_booked_and_what_is_being_lost(
    realised: str, open_pl: str, *, ok: bool
) -> None:
    case = a_case(
        policy={"max_daily_loss": D(100)},
        account=replace(ACCOUNT, open_pl=D(open_pl)),
        open_risk=OpenRisk(realised=D(realised)),
    )
    assert passes(Rule.DAILY_LOSS, case) is ok


@pytest.mark.parametrize(("margin", "ok"), [("69.98", True), ("69.99", False)])
def test_the_margin_in_use_counts_what_is_used_and_what_is_on_its_way(margin: str, *, ok: bool) -> None:
    # 10 % of 10,000 may be in use: 900 is, the order needs 30.02, and the rest is on its way.
    case = a_case(
        policy={"max_margin_pct": D(10)},
        account=replace(ACCOUNT, available=D(9100)),
        open_risk=OpenRisk(margin=D(margin)),
    )
    assert passes(Rule.MARGIN, case) is ok


def test_a_margin_that_nobody_can_tell_is_too_much() -> None:
    policy = {"max_margin_pct": D(100)}
    assert passes(Rule.MARGIN, a_case(policy=policy))
    assert not passes(Rule.MARGIN, a_case(policy=policy, open_risk=OpenRisk(unpriced="a_1, an order")))
    assert not passes(Rule.MARGIN, a_case(policy=policy, market=a_market(margin_factor=None)))


@pytest.mark.parametrize(
    ("size", "beside", "ok"), [("10", "89.80", True), ("10", "89.81", False), ("98", "0", True)]
)
def test_the_risk_counts_the_same_markets_loss_too(size: str, beside: str, *, ok: bool) -> None:
    # 1 % of 10,000 is 100; a unit loses 1.02 at 29.00.
    case = a_case(
        an_order(size, stop=level("29.00")),
        policy={"max_risk_pct": D(1)},
        open_risk=OpenRisk(risk=D(beside)),
    )
    assert passes(Rule.RISK, case) is ok


def test_no_equity_carries_no_risk() -> None:
    case = a_case(
        an_order("0.1", stop=level("29")),
        policy={"max_risk_pct": D(50)},
        account=replace(ACCOUNT, equity=D(-5)),
    )
    assert not passes(Rule.RISK, case)


def test_the_nearest_sizes_are_named_down_to_the_smallest_step() -> None:
    for size, near in (("1.05", "1 or 1.1"), ("0.15", "0.1 or 0.2"), ("0.01", "0.1")):
        found = verdict(Rule.SIZE_STEP, a_case(an_order(size)))
        assert found
        assert found.reason.endswith(f"nearest: {near}")


@pytest.mark.parametrize(("least", "ok"), [("0.98", True), ("0.981", False)])
def test_a_stop_order_keeps_the_least_distance_from_the_price(least: str, *, ok: bool) -> None:
    points = replace(percent(least), unit=RuleUnit.POINTS)
    market = a_market(rules={"min_stop_distance": points})
    for side, price in ((Side.BUY, "31.00"), (SELL, "29.02")):
        case = a_case(at(price, side=side), market=market, order_type=OrderType.STOP)
        assert passes(Rule.ENTRY_LEVEL, case) is ok


@pytest.mark.parametrize("side", list(Side))
def test_an_entry_on_the_wrong_side_is_told_with_its_kind(side: Side) -> None:
    found = verdict(Rule.ENTRY_LEVEL, a_case(at("30.50", side=side), order_type=OrderType.LIMIT))
    assert found
    price = "30.02" if side is Side.BUY else "30.00"
    assert found.reason == f"a {side.value} LIMIT at 30.50 is above the price {price}"
    assert found.passed is (side is SELL)


def test_a_stop_order_too_near_is_told_the_nearest_level() -> None:
    for side, near, bound in ((Side.BUY, "30.03", "at least 30.051"), (SELL, "29.99", "at most 29.970")):
        found = verdict(Rule.ENTRY_LEVEL, a_case(at(near, side=side), order_type=OrderType.STOP))
        assert found
        assert not found.passed
        assert found.reason.endswith(bound)


def test_a_required_stop_is_required_and_a_stop_in_gain_is_one() -> None:
    policy = {"require_stop": True, "max_risk_pct": D(1)}
    assert failed(a_case(policy=policy)) == {Rule.STOP_REQUIRED, Rule.RISK}
    bare = verdict(Rule.STOP_REQUIRED, a_case(policy=policy))
    assert bare
    assert bare.reason == "it has no stop, and every order must have one"
    # A working order's stop above its level would be in gain: it loses nothing, so all of the 1 % is left.
    gain = an_order("10", stop=level("31"))
    risk = a_case(gain, policy=policy, open_risk=OpenRisk(risk=D(100)))
    assert passes(Rule.STOP_REQUIRED, risk)
    assert passes(Rule.RISK, risk)


def test_a_preview_without_an_entry_has_nothing_to_drift_from() -> None:
    assert verdict(Rule.DRIFT, a_case(reference_entry=D(0))) is None
    assert verdict(Rule.DRIFT, a_case()) is None


def test_an_allowed_market_is_told_as_one() -> None:
    allowed = a_case(policy={"allowed_epics": frozenset({"SILVER", "GOLD"})})
    refused = a_case(policy={"allowed_epics": frozenset({"GOLD"})})
    checks = [verdict(Rule.EPIC_ALLOWED, case) for case in (allowed, refused)]
    assert [check and check.reason for check in checks] == [
        "SILVER is among GOLD, SILVER",
        "SILVER is not among GOLD",
    ]


def test_a_change_moves_and_ends_nothing_unless_it_says_so() -> None:
    change = Amends("D1", None)
    assert (change.adds, change.moves, change.ends) == ((), False, False)
