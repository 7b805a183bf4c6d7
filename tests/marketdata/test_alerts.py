"""When a level fires: once per crossing, from either side."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from capcli.domain.account import Account
from capcli.domain.alerts import AccountLevels, Level, Measure, Way
from capcli.domain.stream import Tick
from capcli.errors import UsageError
from capcli.marketdata.alerts import Alarms

ABOVE = Level("GOLD", Way.ABOVE, Decimal(100))
BELOW = Level("GOLD", Way.BELOW, Decimal(90))


def fired(alarms, *bids, epic="GOLD"):
    """The bids at which something fired."""
    ticks = [Tick(epic, Decimal(bid), Decimal(bid) + 1, 0, 0) for bid in bids]
    return [int(one.tick.bid) for tick in ticks for one in alarms.fire(tick)]


def test_a_level_fires_when_it_is_reached_and_once():
    assert fired(Alarms([ABOVE]), 99, 100, 101, 99, 100) == [100]


def test_repeated_it_fires_at_every_crossing():
    assert fired(Alarms([ABOVE], repeat=True), 99, 100, 101, 99, 100) == [100, 100]


def test_a_level_that_is_met_at_once_fires_at_once():
    assert fired(Alarms([BELOW]), 80) == [80]


def test_each_level_is_waited_for_by_itself():
    alarms = Alarms([ABOVE, BELOW])
    assert fired(alarms, 95, 120) == [120]
    assert alarms.waiting == (BELOW,)
    assert fired(alarms, 85) == [85]
    assert alarms.waiting == ()


def test_other_markets_fire_nothing():
    assert fired(Alarms([ABOVE]), 200, epic="SILVER") == []


def test_two_levels_of_one_market_are_told_apart_by_what_they_measure():
    move = Level("GOLD", Way.ABOVE, Decimal(100), Measure.MOVE)
    assert (ABOVE.key, move.key) == ("GOLD above 100", "move GOLD above 100")


def test_what_an_earlier_watch_fired_does_not_fire_again():
    first = Alarms([ABOVE, BELOW])
    fired(first, 100)
    assert fired(Alarms([ABOVE, BELOW], met=first.met), 100, 80) == [80]


def test_no_level_is_a_usage_error():
    with pytest.raises(UsageError):
        Alarms([])


def test_a_move_that_has_not_begun_is_not_met():
    assert not Level("GOLD", Way.ABOVE, Decimal(2), Measure.MOVE).is_met(Decimal(1000))


def test_a_move_counts_up_and_down_from_the_first_price():
    alarms = Alarms([Level("GOLD", Way.ABOVE, Decimal(2), Measure.MOVE)])
    assert fired(alarms, 1000, 1010, 981) == []
    assert fired(alarms, 980) == [980]
    (again,) = Alarms([Level("GOLD", Way.ABOVE, Decimal(2), Measure.MOVE, Decimal(1000))]).fire(
        Tick("GOLD", Decimal(1025), Decimal(1026), 0, 0)
    )
    assert (again.value, again.level.reached(again.value)) == (
        Decimal("2.5000"),
        "GOLD moved 2.5 % from 1000",
    )


def account(pnl, equity=1000, available=600):
    money = Decimal(1000), Decimal(equity), Decimal(pnl), Decimal(available)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return AccountLevels.of(Account("1", "CFD", "ENABLED", "CFD", "USD", True, *money), at)


def test_levels_of_the_account_fire_once_each():
    loss, margin = (
        Level("", Way.BELOW, Decimal(-100), Measure.PNL),
        Level("", Way.ABOVE, Decimal(50), Measure.MARGIN),
    )
    alarms = Alarms([loss, margin])
    assert alarms.epics == ()
    assert alarms.asks_account
    assert alarms.fire_account(account(-99)) == []
    assert [one.level for one in alarms.fire_account(account(-100))] == [loss]
    assert [(one.level, one.value) for one in alarms.fire_account(account(-100, available=400))] == [
        (margin, Decimal("60.00"))
    ]
    assert alarms.waiting == ()
    assert loss.reached(Decimal("-100.5")) == "Open P&L is below -100: -100.5"
    assert margin.reached(Decimal(60)) == "Margin is above 50 % of equity: 60 %"


def test_an_account_without_equity_is_all_margin():
    assert account(0, equity=-5, available=-10).margin == 100
    assert account(0, equity=0, available=-10).margin == 100
    assert account(0, equity=0, available=0).margin == 0
