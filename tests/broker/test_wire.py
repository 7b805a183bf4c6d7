"""The wire's shapes: bytes in, structs out, unreadable ones named."""

from decimal import Decimal

import pytest

from capcli.broker import wire
from capcli.errors import NotTheBroker, UnreadableAnswer

from . import shapes


def test_numbers_keep_every_digit_of_the_wire() -> None:
    body = shapes.encoded(shapes.POSITION).replace(b'"upl": -0.03', b'"upl": -0.0300')

    row = wire.decode(body, wire.PositionRow, "GET /positions")

    assert str(row.position.upl) == "-0.0300"
    assert row.position.stop_level == Decimal("29.5")


def test_a_missing_field_is_named_with_its_endpoint() -> None:
    body = shapes.encoded({"positions": [shapes.POSITION]}).replace(b'"dealId"', b'"deal"')

    with pytest.raises(UnreadableAnswer, match=r"GET /positions .*`dealId`.*positions.*position"):
        wire.decode(body, wire.Positions, "GET /positions")


def test_fields_that_nobody_documented_are_ignored() -> None:
    body = shapes.encoded({**shapes.session_body(), "brandNew": {"a": [1]}})

    assert wire.decode(body, wire.SessionDetails, "GET /session").account_id == shapes.FIRST


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b'{"status":"\xff"}', b'{"x":' + b"[" * 5000])
def test_what_is_not_json_points_at_a_proxy(body: bytes) -> None:
    with pytest.raises(NotTheBroker, match="proxy"):
        wire.decode(body, wire.Status, "GET /ping")


def test_null_is_read_as_absent() -> None:
    body = shapes.encoded({**shapes.CONFIRM, "affectedDeals": None, "level": None})

    assert wire.decode(body, wire.Confirm, "GET /confirms").affected_deals is None
