from datetime import UTC, datetime
from decimal import Decimal

from capcli.domain.order import Kind, wire_time

D = Decimal


def test_only_orders_open_something() -> None:
    assert {kind for kind in Kind if kind.is_order} == {Kind.MARKET, Kind.WORKING}


def test_wire_time_is_utc_whatever_the_zone() -> None:
    assert wire_time(datetime(2026, 1, 1, 0, 0, 5, 999, tzinfo=UTC)) == "2026-01-01T00:00:05"
