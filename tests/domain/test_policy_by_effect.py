"""Every limit against what an order does: it refuses new risk, and stands in the way of nothing else."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from capcli.domain.account import OrderType, Position, Preferences
from capcli.domain.check_input import Amends, Blocked, CheckInput, OpenRisk
from capcli.domain.effect import AccountBook, effect_of
from capcli.domain.market import Side
from capcli.domain.order import ExitOrder, OrderRequest, Trigger
from capcli.domain.policy import Rule, evaluate

from .builders import ACCOUNT, MARKET, NOW, a_case, a_market, a_quote, an_order, level

D = Decimal
# Set so that every order that opens anything fails each of them: equity is 10,000, one SILVER is worth 30.
LIMITS = {
    Rule.EPIC_ALLOWED: {"allowed_epics": frozenset({"GOLD"})},
    Rule.MAX_SIZE: {"max_position_size": D("0.1"), "max_working_order_size": D("0.1")},
    Rule.OPEN_POSITIONS: {"max_open_positions": 1},
    Rule.ORDERS_PER_DAY: {"max_orders_per_day": 3},
    Rule.RISK: {"max_risk_pct": D("0.001")},
    Rule.TOTAL_RISK: {"max_total_risk_pct": D("0.001")},
    Rule.MARGIN: {"max_margin_pct": D("0.001")},
    Rule.DAILY_LOSS: {"max_daily_loss": D(50)},
    Rule.STOP_REQUIRED: {"require_stop": True},
    Rule.HALT: {},
    Rule.UNRESOLVED: {},
}
OPENS = an_order("2")
REDUCES = an_order("1", side=Side.SELL)
CLOSES = an_order("2", side=Side.SELL)
REVERSES = an_order("3", side=Side.SELL)
WAITS = replace(REDUCES, trigger=Trigger(D("31")))
ORDERS = {"opens": OPENS, "reduces": REDUCES, "closes": CLOSES, "reverses": REVERSES, "waits": WAITS}
# The margin of two at the mid of 30.01 is in use.
HOLDER = replace(ACCOUNT, available=D("9994"))
# Written by hand: does the limit refuse it?
REFUSED = {
    rule: {"opens": True, "reduces": False, "closes": False, "reverses": True, "waits": True}
    for rule in LIMITS
}
# The reversed deal takes the place of the one that it closes.
REFUSED[Rule.OPEN_POSITIONS]["reverses"] = False
# An amendment is no order: its size, its count and its margin stay, until a working order is moved.
NO_ORDER = {Rule.MAX_SIZE, Rule.OPEN_POSITIONS, Rule.ORDERS_PER_DAY}
for rule, verdicts in REFUSED.items():
    looser = rule not in {*NO_ORDER, Rule.MARGIN}
    verdicts |= {"amends tighter": False, "amends looser": looser, "moves": rule not in NO_ORDER}
AMENDS = {
    "amends tighter": Amends("D1", D(2)),
    "amends looser": Amends("D1", None, ("removes the stop",)),
    "moves": Amends("D1", None, ("moves the order to 31",), moves=True),
}


def long_position(size: str = "2") -> Position:
    return Position(
        deal_id="D1",
        epic="SILVER",
        name="Silver",
        type="COMMODITIES",
        side=Side.BUY,
        size=D(size),
        level=D("29"),
        bid=a_quote().bid,
        offer=a_quote().offer,
        market_status=a_quote().status,
        upl=D(0),
        currency="USD",
        leverage=D(10),
        contract_size=D(1),
        stop_level=D("28"),
        limit_level=None,
        trailing=False,
        stop_distance=None,
        guaranteed=False,
        working_order_id=None,
        opened_at=NOW,
    )


def case_of(request: OrderRequest, **policy: object) -> CheckInput:
    """Return the case of an order while 2 SILVER are held from 29, and the day has gone badly."""
    case = a_case(request, account=HOLDER, policy=policy, orders_today=3, open_in=("SILVER",))
    book = AccountBook(HOLDER, (long_position(),), Preferences(hedging=False, leverages={}), {"USD": D(1)})
    return replace(
        case,
        effect=effect_of(request, MARKET, case.figures, book),
        open_risk=OpenRisk(realised=D(-100)),
        order_type=OrderType.LIMIT if request.trigger else None,
    )


@pytest.mark.parametrize("name", [*ORDERS, *AMENDS])
@pytest.mark.parametrize("rule", LIMITS)
def test_a_limit_refuses_new_risk_alone(rule: Rule, name: str) -> None:
    case = case_of(ORDERS.get(name, WAITS if name == "moves" else OPENS), **LIMITS[rule])
    if name in AMENDS:
        case = replace(case, amends=AMENDS[name], effect=None)
    if rule is Rule.HALT:
        case = replace(case, blocked=Blocked(halt="halted by somebody"))
    if rule is Rule.UNRESOLVED:
        case = replace(case, blocked=Blocked(unresolved=("a_1",)))
    verdicts = {check.rule: check.passed for check in evaluate(case)}
    assert (verdicts.get(rule, True) is False) is REFUSED[rule][name]


@pytest.mark.parametrize(
    ("mode", "allowed"), [("CLOSE_ONLY", "reduces closes"), ("LONG_ONLY", "opens reduces closes")]
)
def test_a_mode_that_forbids_opening_lets_closing_through(mode: str, allowed: str) -> None:
    market = a_market(modes=(mode,))
    passed = [
        name
        for name, order in ORDERS.items()
        for check in evaluate(replace(case_of(order), market=market))
        if check.rule is Rule.MARKET_OPEN and check.passed
    ]
    assert passed == allowed.split()


@pytest.mark.parametrize("name", ORDERS)
def test_an_unresolved_order_in_the_market_keeps_reducing_orders_away_too(name: str) -> None:
    blocked = Blocked(unresolved=("a_1",), in_market=("a_1",))
    failed = {check.rule for check in evaluate(replace(case_of(ORDERS[name]), blocked=blocked))}
    assert Rule.UNRESOLVED in failed


def test_what_is_opened_alone_counts_for_the_stop_and_the_margin() -> None:
    stop = level("30.50")
    whole = case_of(replace(REVERSES, stop=stop), max_risk_pct=D(1))
    risk = next(check for check in evaluate(whole) if check.rule is Rule.RISK)
    # 3 are sold at 30.00, 1 of them opens: 0.50 x 1.
    assert risk.reason.startswith("loss at stop 0.50 of ")
    funds = next(check for check in evaluate(whole) if check.rule is Rule.FUNDS)
    # A tenth of 30.00 for the one that opens; two at the mid of 30.01 are set free.
    assert funds.reason == "margin 3.00 of 10,000.00 USD available, 6.00 of it freed by what it closes"
    bound = case_of(REVERSES, max_margin_pct=D(10))
    margin = next(check for check in evaluate(bound) if check.rule is Rule.MARGIN)
    assert margin.reason.startswith("margin in use after 3.00 of ")


def test_the_margin_follows_the_broker_s_own_figure_where_it_reckons_otherwise() -> None:
    request = an_order("1", side=Side.SELL)
    account = replace(ACCOUNT, available=D("9900"))
    book = AccountBook(account, (long_position(),), Preferences(hedging=False, leverages={}), {"USD": D(1)})
    effect = effect_of(request, MARKET, a_case(request).figures, book)
    assert (effect.margin_before, effect.margin_freed, effect.margin_after) == (D(100), D("3.00"), D("97.00"))


@pytest.mark.parametrize(
    ("bare", "stop", "told"),
    [
        (None, None, "this order has no stop whose loss is known, so the total is unlimited"),
        ("D7", level("29"), "D7 has no stop whose loss is known, so the total is unlimited"),
        (None, level("29"), "loss at all stops 5.04, 3.00 of it there already of at most 1,000.00 USD"),
    ],
)
def test_the_loss_at_all_stops_has_a_bound_or_none(
    bare: str | None, stop: ExitOrder | None, told: str
) -> None:
    case = case_of(replace(OPENS, stop=stop), max_total_risk_pct=D(10))
    case = replace(case, open_risk=OpenRisk(total_risk=D(3), total_unprotected=bare))
    (check,) = (check for check in evaluate(case) if check.rule is Rule.TOTAL_RISK)
    assert check.reason.startswith(told)
    assert check.passed is told.startswith("loss")


@pytest.mark.parametrize(("there", "passed"), [("997.96", True), ("997.97", False)])
def test_the_loss_at_all_stops_may_be_as_much_as_its_bound(there: str, *, passed: bool) -> None:
    case = case_of(replace(OPENS, stop=level("29")), max_total_risk_pct=D(10))
    case = replace(case, open_risk=OpenRisk(total_risk=D(there)))
    assert [check.passed for check in evaluate(case) if check.rule is Rule.TOTAL_RISK] == [passed]


def test_an_amendment_that_leaves_a_deal_without_a_stop_names_the_deal() -> None:
    case = replace(case_of(OPENS, max_total_risk_pct=D(10)), amends=Amends("D9", None, ("removes the stop",)))
    (check,) = (check for check in evaluate(case) if check.rule is Rule.TOTAL_RISK)
    assert check.reason.startswith("D9 has no stop whose loss is known")


@pytest.mark.parametrize(("rates", "leverage"), [({}, "10"), ({"USD": D(1)}, None)])
def test_without_a_rate_or_a_leverage_the_broker_s_own_figure_moves(
    rates: dict[str, Decimal], leverage: str | None
) -> None:
    request = an_order("1", side=Side.SELL)
    held = replace(long_position(), leverage=D(leverage) if leverage else None)
    book = AccountBook(HOLDER, (held,), Preferences(hedging=False, leverages={}), rates)
    effect = effect_of(request, MARKET, a_case(request).figures, book)
    assert (effect.margin_before, effect.margin_freed, effect.margin_after) == (
        D("6.00"),
        D("3.00"),
        D("3.00"),
    )


def test_what_is_opened_adds_to_the_broker_s_own_figure() -> None:
    request = an_order("1")
    account = replace(ACCOUNT, available=D("9900"))
    book = AccountBook(account, (long_position(),), Preferences(hedging=False, leverages={}), {"USD": D(1)})
    effect = effect_of(request, MARKET, a_case(request).figures, book)
    assert (effect.margin_before, effect.margin_freed, effect.margin_after) == (D(100), 0, D("103.00"))


def test_every_attempt_that_is_not_settled_is_counted() -> None:
    case = replace(case_of(OPENS), blocked=Blocked(unresolved=("a_1", "a_2", "a_3")))
    told = next(check.reason for check in evaluate(case) if check.rule is Rule.UNRESOLVED)
    assert told == "a_1 and 2 more may be live; capcli reconcile a_1 checks it"
    case = replace(case, blocked=Blocked(unresolved=("a_1",)))
    told = next(check.reason for check in evaluate(case) if check.rule is Rule.UNRESOLVED)
    assert told == "a_1 may be live; capcli reconcile a_1 checks it"


def test_a_working_order_is_not_held_to_the_effect_of_its_preview() -> None:
    for order, judged in ((OPENS, True), (WAITS, False)):
        case = case_of(order)
        assert case.effect is not None
        then = replace(case.effect, closes=case.effect.closes + 1)
        rules = {check.rule: check.passed for check in evaluate(replace(case, reference_effect=then))}
        assert (Rule.EFFECT in rules) is judged
        assert rules.get(Rule.EFFECT, False) is False


def test_a_hedging_account_closes_nothing() -> None:
    request = an_order("1", side=Side.SELL)
    book = AccountBook(ACCOUNT, (long_position(),), Preferences(hedging=True, leverages={}), {"USD": D(1)})
    effect = effect_of(request, MARKET, a_case(request).figures, book)
    assert (effect.closes, effect.opens, effect.long_after, effect.short_after) == (0, 1, 2, 1)
    assert not effect.only_reduces


def test_the_oldest_deals_are_closed_first_and_the_rest_keeps_its_stop() -> None:
    young = replace(long_position("5"), deal_id="D2", level=D("28"))
    old = replace(long_position("2"), opened_at=NOW.replace(year=2025))
    request = an_order("3", side=Side.SELL)
    book = AccountBook(ACCOUNT, (young, old), Preferences(hedging=False, leverages={}), {"USD": D(1)})
    effect = effect_of(request, MARKET, a_case(request).figures, book)
    told = [(deal.deal_id, deal.closed, deal.left, deal.realised, deal.stop_level) for deal in effect.deals]
    assert told == [("D1", 2, 0, D("2.00"), None), ("D2", 1, 4, D("2.00"), D("28"))]


def test_a_guaranteed_stop_is_refused_on_a_hedging_account() -> None:
    case = replace(a_case(an_order(stop=level("28"), guaranteed=True)), hedging=True)
    check = next(check for check in evaluate(case) if check.rule is Rule.GUARANTEED)
    assert (check.passed, check.reason) == (
        False,
        "guaranteed stops are not available in hedging mode (capcli accounts preferences)",
    )


@pytest.mark.parametrize(
    ("order", "waiting", "told"),
    [
        (OPENS, 0, "1 open of at most 5"),
        (OPENS, 2, "3 open, 2 of them waiting orders of at most 5"),
        (REVERSES, 0, "0 open of at most 5"),
        (WAITS, 0, "1 open of at most 5"),
    ],
)
def test_what_is_open_is_counted_with_what_waits_and_without_what_closes(
    order: OrderRequest, waiting: int, told: str
) -> None:
    case = replace(case_of(order, max_open_positions=5), waiting_in=("GOLD",) * waiting)
    (check,) = (check for check in evaluate(case) if check.rule is Rule.OPEN_POSITIONS)
    assert (check.reason, check.passed) == (told, True)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (OPENS, "margin 6.00 of 9,994.00 USD available"),
        (WAITS, "margin 3.10 of 9,994.00 USD available"),
        (REVERSES, "margin 3.00 of 10,000.00 USD available, 6.00 of it freed by what it closes"),
    ],
)
def test_what_is_freed_is_named_where_something_is(order: OrderRequest, told: str) -> None:
    (check,) = (check for check in evaluate(case_of(order)) if check.rule is Rule.FUNDS)
    assert check.reason == told


def test_nothing_is_reduced_where_nothing_is_closed_or_opened() -> None:
    effect = case_of(CLOSES).effect
    assert effect is not None
    told = [
        replace(effect, closes=D(closes), opens=D(opens)).only_reduces
        for closes, opens in ((2, 0), (0, 0), (2, 1), (0, 1))
    ]
    assert told == [True, False, False, False]


@pytest.mark.parametrize(("trigger", "kept"), [(None, True), (Trigger(D("30.1")), False)])
def test_a_working_order_that_nets_gives_its_stop_to_nothing(trigger: Trigger | None, *, kept: bool) -> None:
    effect = case_of(replace(REVERSES, trigger=trigger, stop=level("30.50"))).effect
    assert effect is not None
    assert (effect.stop_level is not None) is kept
    opening = case_of(replace(OPENS, trigger=trigger, stop=level("29"))).effect
    assert opening is not None
    assert opening.stop_level == D(29)
