"""A stop or limit that the checks pass is one that the paper broker takes, and the other way round."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.broker.requests import open_order
from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.check_input import CheckInput
from capcli.domain.market import Market, Side
from capcli.domain.money import ceil_to, floor_to
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.domain.policy import Rule, evaluate
from capcli.domain.sizing import figures
from capcli.errors import CapcliError
from capcli.paper.state import reset
from capcli.trading.snapshot import check_input, take_snapshot
from tests.domain.builders import a_case
from tests.support.clock import START, Time
from tests.support.seat import Seat, refusal

D = Decimal
EPICS = ("SILVER", "EURUSD", "US100", "AAPL", "BTCUSD")
NEAR, FAR = D("0.9"), D("1.1")


class StillTime(Time):
    """Prices stand, whatever is waited for."""

    def now(self) -> datetime:
        return START.replace(hour=15)


@dataclass(frozen=True)
class Bench:
    seat: Seat
    markets: dict[str, Market]

    def refusal(self, request: OrderRequest, order_type: OrderType | None) -> str | None:
        """Return the paper broker's refusal of an order, None when it takes it."""
        answer = self.seat.app.broker.send(*open_order(request, order_type))
        assert answer.status in {200, 400}, answer
        return answer.error_code


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home: Path = tmp_path_factory.mktemp("legs")
    time = StillTime()
    with closing(Seat(home, time)) as seat:
        reset(home / "paper.db", limits=False, at=time.now())
        yield Bench(seat, {epic: seat.app.broker.market(epic) for epic in EPICS})


def case_of(request: OrderRequest, market: Market, order_type: OrderType | None) -> CheckInput:
    account = a_case().account
    rules = market.rules.for_orders()
    assert rules is not None
    return replace(
        a_case(request=replace(request, stop=None, limit=None), market=market),
        request=request,
        figures=figures(request, market, account, D(1)),
        order_type=order_type,
    )


def order_at(market: Market, side: Side, off: Decimal) -> Trigger | None:
    """Return a LIMIT order's level, `off` percent on the better side of the price; 0 is a market order."""
    if not off:
        return None
    price = market.quote.entry(side)
    away = -1 if side is Side.BUY else 1
    rounded = floor_to if side is Side.BUY else ceil_to
    return Trigger(rounded(price * (1 + away * off / 100), market.rules.price_step or D(1)))


@settings(max_examples=150, deadline=None)
@given(
    epic=st.sampled_from(EPICS),
    side=st.sampled_from(Side),
    off=st.sampled_from([D(0), D(3), D(30), D(60)]),
    rule=st.sampled_from(["stop", "limit"]),
    form=st.sampled_from([ExitForm.LEVEL, ExitForm.DISTANCE]),
    bound=st.sampled_from(["min", "max"]),
    steps=st.integers(-3, 3),
    part=st.sampled_from([D(0), D("0.5"), D(1)]),
)
def test_checks_and_paper_broker_agree_on_every_leg(
    bench: Bench,
    epic: str,
    side: Side,
    off: Decimal,
    rule: str,
    form: ExitForm,
    bound: str,
    steps: int,
    part: Decimal,
) -> None:
    market = bench.markets[epic]
    rules, quote = market.rules.for_orders(), market.quote.exit(side)
    assert rules is not None
    trigger = order_at(market, side, off)
    base = trigger.level if trigger else quote
    limits = {"min": rules.min_stop_distance, "max": rules.max_stop_distance}
    # Around the bound as the quote gives it and, where that differs, as the order's own level would.
    edge = limits[bound].at(quote * part + base * (1 - part))
    away = floor_to(edge, rules.price_step) + steps * rules.price_step
    below = (side is Side.BUY) is (rule == "stop")
    level = base - away if below else base + away
    value = away if form is ExitForm.DISTANCE else level
    if value <= 0 or level <= 0:
        return
    leg = ExitOrder(form, value)
    legs = {"stop": leg} if rule == "stop" else {"limit": leg}
    request = OrderRequest(epic, side, rules.min_size, trigger=trigger, **legs)
    order_type = OrderType.LIMIT if trigger else None
    (verdict,) = evaluate(case_of(request, market, order_type), {Rule(rule)})
    said = bench.refusal(request, order_type)
    assert verdict.passed is (said is None), (verdict.reason, said)


def test_an_amended_order_is_measured_by_the_live_quote_too(seat: Seat) -> None:
    quote = seat.app.broker.market("SILVER").quote
    deal = seat.open(trigger=Trigger(D("20"))).deal_id or ""
    rules = take_snapshot(seat.app.reads, seat.request(), with_orders=False).rules
    least = rules.min_stop_distance.at(quote.exit(Side.BUY))
    # Far enough for the order's own level, which is a third below the quote, and not for the quote.
    between = ceil_to(rules.min_stop_distance.at(D(20)), rules.price_step)
    assert between < least * NEAR
    change = Change(ExitOrder(ExitForm.DISTANCE, between))
    error = refusal(lambda: seat.app.order_amendments.amend(deal, change, confirmed=True))
    assert isinstance(error, CapcliError)
    assert (error.code, error.details["failed"]) == ("CHECKS_FAILED", ["stop"])
    assert seat.tap.seen("PUT") == []
    enough = Change(ExitOrder(ExitForm.DISTANCE, ceil_to(least * FAR, rules.price_step)))
    assert seat.app.order_amendments.amend(deal, enough, confirmed=True).exit_code == 0


def test_a_far_stop_below_a_low_order_has_room_down_to_the_lowest_price(seat: Seat) -> None:
    snapshot = take_snapshot(seat.app.reads, seat.request(), with_orders=False)
    request = seat.request(trigger=Trigger(D(10)), stop=ExitOrder(ExitForm.LEVEL, snapshot.rules.price_step))
    checked = check_input(seat.app.reads, snapshot, request, OrderType.LIMIT)
    (verdict,) = evaluate(checked, {Rule.STOP})
    assert verdict.passed
