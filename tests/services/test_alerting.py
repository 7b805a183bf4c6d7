"""When a level fires: once per crossing, from either side."""

from decimal import Decimal

import pytest

from capcli.domain.stream import Tick
from capcli.errors import UsageError
from capcli.services.alerting import Alarms, Level, Way

ABOVE = Level("GOLD", Way.ABOVE, Decimal(100))
BELOW = Level("GOLD", Way.BELOW, Decimal(90))


def fired(alarms, *bids, epic="GOLD"):
    """The bids at which something fired."""
    ticks = [Tick(epic, Decimal(bid), Decimal(bid) + 1, 0, 0) for bid in bids]
    return [int(one.tick.bid) for tick in ticks for one in alarms.look(tick)]


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


def test_what_an_earlier_watch_fired_does_not_fire_again():
    first = Alarms([ABOVE, BELOW])
    fired(first, 100)
    assert fired(Alarms([ABOVE, BELOW], met=first.met), 100, 80) == [80]


def test_no_level_is_a_usage_error():
    with pytest.raises(UsageError):
        Alarms([])
