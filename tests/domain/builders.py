"""Values that the domain's tests vary: SILVER at 30.00/30.02 on a USD account with 10,000."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from capcli.domain.account import Account
from capcli.domain.check_input import CheckInput, Policy
from capcli.domain.market import (
    DealingRules,
    Distance,
    Market,
    MarketStatus,
    OvernightFee,
    Quote,
    RuleUnit,
    Side,
)
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest
from capcli.domain.policy import Check, Rule, evaluate
from capcli.domain.sizing import figures

D = Decimal
NOW = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


def percent(value: str) -> Distance:
    return Distance(D(value), RuleUnit.PERCENTAGE)


def a_quote(bid: str = "30.00", offer: str = "30.02", status: MarketStatus = MarketStatus.TRADEABLE) -> Quote:
    return Quote("SILVER", D(bid), D(offer), NOW, status)


RULES = DealingRules(
    price_step=D("0.001"),
    min_size=D("0.1"),
    max_size=D(1000),
    size_step=D("0.1"),
    min_stop_distance=percent("0.1"),
    min_guaranteed_stop_distance=percent("2"),
    max_stop_distance=percent("60"),
    trailing_stops=True,
    market_orders=True,
)
MARKET = Market(
    epic="SILVER",
    name="Silver",
    type="COMMODITIES",
    currency="USD",
    expiry="-",
    lot_size=D(100),
    margin_factor=D(10),
    margin_factor_unit="PERCENTAGE",
    guaranteed_stops=True,
    rules=RULES,
    hours=None,
    overnight=OvernightFee(D("-0.02"), D("0.01"), None, None),
    quote=a_quote(),
    high=None,
    low=None,
    change=None,
    change_pct=None,
    decimals=3,
    modes=("REGULAR",),
)
ACCOUNT = Account(
    account_id="1",
    name="USD",
    status="ENABLED",
    type="CFD",
    currency="USD",
    preferred=True,
    cash=D(10000),
    equity=D(10000),
    open_pl=D(0),
    available=D(10000),
)


def a_market(**changes: Any) -> Market:
    rules = replace(RULES, **changes.pop("rules", {}))
    return replace(MARKET, rules=rules, **changes)


def an_order(size: str = "10", **changes: Any) -> OrderRequest:
    return OrderRequest("SILVER", changes.pop("side", Side.BUY), D(size), **changes)


def level(value: str) -> ExitOrder:
    return ExitOrder(ExitForm.LEVEL, D(value))


def distance(value: str) -> ExitOrder:
    return ExitOrder(ExitForm.DISTANCE, D(value))


def amount(value: str) -> ExitOrder:
    return ExitOrder(ExitForm.AMOUNT, D(value))


def a_case(request: OrderRequest | None = None, **changes: Any) -> CheckInput:
    """Build a case; `policy` changes are given as `policy={...}`, the market's as `market=...`."""
    request = request or an_order()
    market = changes.pop("market", MARKET)
    account = changes.pop("account", ACCOUNT)
    rules = market.rules.for_orders()
    assert rules is not None
    case = CheckInput(
        policy=Policy(**({"env": "paper", "trading_allowed": True} | changes.pop("policy", {}))),
        request=request,
        market=market,
        rules=rules,
        account=account,
        figures=figures(request, market, account, D(1)),
        open_in=(),
        waiting_in=(),
        orders_today=0,
        now=NOW,
    )
    return replace(case, **changes)


def verdict(rule: Rule, case: CheckInput) -> Check | None:
    return next((check for check in evaluate(case) if check.rule is rule), None)


def passes(rule: Rule, case: CheckInput) -> bool:
    found = verdict(rule, case)
    assert found is not None, f"{rule} does not apply"
    return found.passed


def failed(case: CheckInput) -> set[Rule]:
    return {check.rule for check in evaluate(case) if not check.passed}
