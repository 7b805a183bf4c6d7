"""The legs of a deal under any change: none is lost that was not named, and loosening is always noticed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.domain.account import OrderType, WorkingOrder
from capcli.domain.bracket import (
    Bracket,
    Change,
    Ground,
    Target,
    amended,
    exits_of,
    keeps_stop,
    loosened,
    shows,
)
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import on_grid
from capcli.domain.order import ExitForm, ExitOrder

D = Decimal
PRICE, STEP = D("30.00"), D("0.01")
levels = st.integers(1, 100_000).map(lambda number: D(number) / 1000)
legs = st.builds(ExitOrder, st.sampled_from([ExitForm.LEVEL, ExitForm.DISTANCE]), levels)
brackets = st.builds(
    lambda stop, limit, trail, guaranteed: Bracket(
        stop, limit, trail if stop else None, guaranteed and stop is not None and trail is None
    ),
    st.none() | levels,
    st.none() | levels,
    st.none() | levels,
    st.booleans(),
)
changes = st.builds(
    Change,
    stop=st.none() | legs,
    limit=st.none() | legs,
    no_stop=st.booleans(),
    no_limit=st.booleans(),
)
sides = st.sampled_from(list(Side))


def ground(side: Side) -> Ground:
    return Ground(PRICE, side, STEP)


@given(brackets, st.none() | legs, sides)
def test_a_change_of_the_limit_alone_keeps_the_stop(
    before: Bracket, leg: ExitOrder | None, side: Side
) -> None:
    after = amended(before, Change(limit=leg, no_limit=leg is None), ground(side))
    assert (after.trail, after.guaranteed) == (before.trail, before.guaranteed)
    assert before.trail is not None or after.stop == before.stop
    assert (after.limit is None) is (leg is None)


@given(brackets, changes, sides)
def test_a_change_that_does_not_name_the_limit_keeps_it(before: Bracket, change: Change, side: Side) -> None:
    after = amended(before, change, ground(side))
    if change.limit is None and not change.no_limit:
        assert after.limit == before.limit
    if change.stop is None and not change.no_stop:
        assert after.has_stop is before.has_stop


@given(brackets, changes, sides)
def test_whoever_could_lose_more_afterwards_was_told(before: Bracket, change: Change, side: Side) -> None:
    after = amended(before, change, ground(side))
    told = loosened(before, after, side)
    worse = before.stop is not None and (
        after.stop is None or (after.stop < before.stop if side is Side.BUY else after.stop > before.stop)
    )
    assert not worse or told
    assert not (before.limit is not None and after.limit is None) or told
    assert not (before.guaranteed and not after.guaranteed) or told


@given(brackets, sides)
def test_nothing_named_loosens_nothing_fixed(before: Bracket, side: Side) -> None:
    after = amended(before, Change(), ground(side))
    assert before.trail is not None or (after == before and not loosened(before, after, side))


@given(levels, sides)
def test_a_distance_is_never_made_smaller_by_the_grid(distance: Decimal, side: Side) -> None:
    change = Change(stop=ExitOrder(ExitForm.DISTANCE, distance), limit=ExitOrder(ExitForm.DISTANCE, distance))
    after = amended(Bracket(None, None), change, ground(side))
    assert after.stop is not None
    assert after.limit is not None
    for level in (after.stop, after.limit):
        assert on_grid(level, STEP)
        assert distance <= abs(level - PRICE) < distance + STEP
    assert (after.stop < PRICE < after.limit) is (side is Side.BUY)


def test_a_trailing_stop_that_starts_anew_lower_is_loosened() -> None:
    before = Bracket(D(29), None, D(2))
    after = amended(before, Change(limit=ExitOrder(ExitForm.LEVEL, D(40))), ground(Side.BUY))
    assert after == Bracket(D("28.00"), D(40), D(2))
    assert loosened(before, after, Side.BUY) == ("moves the stop away, from 29 to 28.00",)


def test_a_wider_trail_is_loosened_even_where_the_level_is_not_told() -> None:
    before, after = Bracket(None, None, D(1)), Bracket(D(28), None, D(2))
    assert loosened(before, after, Side.BUY) == ("lets the stop trail by 2 instead of 1",)


def test_a_stop_of_another_kind_is_not_the_one_that_was_asked_for() -> None:
    fixed, trailing = Bracket(D(28), None), Bracket(D(28), None, D(2))
    assert keeps_stop(fixed, fixed)
    assert keeps_stop(Bracket(D("28.5"), D(40), D("2.0")), trailing)
    assert not keeps_stop(trailing, fixed)
    assert not keeps_stop(fixed, trailing)
    assert not keeps_stop(fixed, Bracket(D(28), None, None, guaranteed=True))
    assert keeps_stop(Bracket(D(28), None, None, guaranteed=True), fixed)


def a_waiting_order(**changes: Any) -> WorkingOrder:
    order = WorkingOrder(
        deal_id="O1",
        epic="SILVER",
        name="Silver",
        side=Side.BUY,
        type=OrderType.LIMIT,
        size=D(2),
        level=D("28"),
        currency="USD",
        stop_level=D("27.5"),
        limit_level=D("30"),
        trailing=False,
        guaranteed=False,
        good_till=None,
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
        bid=None,
        offer=None,
        market_status=MarketStatus.TRADEABLE,
    )
    return replace(order, **changes)


def test_the_legs_of_an_order_move_along_with_its_level() -> None:
    assert exits_of(a_waiting_order()) == Bracket(D("27.5"), D("30"))
    assert exits_of(a_waiting_order(), D("28.4")) == Bracket(D("27.9"), D("30.4"))
    assert exits_of(a_waiting_order(), D("27.7")) == Bracket(D("27.2"), D("29.7"))
    assert exits_of(a_waiting_order(stop_level=None, limit_level=None), D("29")) == Bracket(None, None)


def test_a_trailing_stop_of_an_order_trails_by_its_distance_on_either_side() -> None:
    assert exits_of(a_waiting_order(trailing=True)).trail == D("0.5")
    assert exits_of(a_waiting_order(trailing=True, stop_level=D("28.75"))).trail == D("0.75")
    assert exits_of(a_waiting_order(trailing=True, stop_level=None)).trail is None


def test_an_order_is_as_asked_only_with_its_level_its_end_and_both_legs() -> None:
    end = datetime(2026, 3, 9, 12, 0, 0, 250_000, tzinfo=UTC)
    order = a_waiting_order(good_till=end.replace(microsecond=0))
    asked = Target(Bracket(D("27.5"), D("30")), D("28"), end)
    assert shows(order, asked)
    assert not shows(replace(order, level=D("28.1")), asked)
    assert not shows(replace(order, limit_level=D("30.1")), asked)
    assert not shows(replace(order, limit_level=None), asked)
    assert not shows(replace(order, stop_level=D("27.4")), asked)
    assert not shows(replace(order, good_till=None), asked)
    assert not shows(replace(order, good_till=end + timedelta(seconds=1)), asked)


def test_a_distance_trails_where_it_is_asked_for_or_where_the_stop_trailed_before() -> None:
    fixed, trailed = Bracket(D(29), None), Bracket(D(29), None, D(2))
    half = ExitOrder(ExitForm.DISTANCE, D("0.5"))
    buy = ground(Side.BUY)
    assert amended(fixed, Change(stop=half, trailing=True), buy) == Bracket(D("29.50"), None, D("0.5"))
    assert amended(fixed, Change(stop=half), buy) == Bracket(D("29.50"), None)
    assert amended(trailed, Change(stop=half), buy) == Bracket(D("29.50"), None, D("0.5"))
    assert amended(trailed, Change(stop=ExitOrder(ExitForm.LEVEL, D(28))), buy) == Bracket(D(28), None)
    assert amended(trailed, Change(stop=half, guaranteed=True), buy).trail is None
    assert amended(trailed, Change(guaranteed=True), buy) == Bracket(D(29), None, guaranteed=True)


def test_a_guarantee_comes_only_where_it_is_asked_for_and_goes_with_the_stop() -> None:
    assert not Change().guaranteed
    assert not Change().trailing
    held = Bracket(D(28), None, guaranteed=True)
    assert amended(held, Change(limit=ExitOrder(ExitForm.LEVEL, D(40))), ground(Side.BUY)).guaranteed
    assert amended(Bracket(D(28), None), Change(guaranteed=True), ground(Side.BUY)).guaranteed
    assert not amended(Bracket(None, None), Change(guaranteed=True), ground(Side.BUY)).guaranteed
    assert amended(held, Change(no_stop=True), ground(Side.BUY)) == Bracket(None, None)


def test_a_trail_that_is_kept_or_shortened_loosens_nothing() -> None:
    before = Bracket(None, None, D(2))
    assert loosened(before, Bracket(D(28), None, D(2)), Side.BUY) == ()
    assert loosened(before, Bracket(D(28), None, D(1)), Side.BUY) == ()


def test_giving_up_a_guarantee_is_said_beside_what_else_is_lost() -> None:
    before = Bracket(D(28), D(40), guaranteed=True)
    assert loosened(before, Bracket(D(29), None), Side.BUY) == (
        "removes the guarantee of the stop",
        "removes the limit",
    )
    assert loosened(before, Bracket(None, D(40)), Side.BUY) == ("removes the stop",)
    assert loosened(before, Bracket(D(28), D(40)), Side.SELL) == ("removes the guarantee of the stop",)
