"""The wire's shapes: bytes in, structs out, unreadable ones named."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec import Struct

from capcli.broker import translate, wire
from capcli.errors import NotTheBroker, UnreadableAnswer

from . import shapes


class Plain(Struct, frozen=True):
    deal_id: str
    long_rate: Decimal
    steps: tuple[Decimal, ...]
    whole_days: int
    opened_at: datetime
    editable: bool
    note: str | None
    close_level: Decimal | None
    minutes: int | None
    next_charge: datetime | None


class Nested(Struct, frozen=True):
    one: Plain


PLAIN = (
    b'{"dealId": 12, "longRate": "0.0300", "steps": [1, "2.50"], "wholeDays": 2.0, "extra": {},'
    b' "openedAt": "2026-03-04T15:00:00", "editable": "TRUE", "note": null, "closeLevel": NaN,'
    b' "minutes": "480.00", "nextCharge": 1772636400000}'
)


def test_numbers_keep_every_digit_of_the_wire() -> None:
    body = shapes.encoded(shapes.POSITION).replace(b'"upl": -0.03', b'"upl": -0.0300')

    row = wire.decode(body, wire.PositionRow, "GET /positions")

    assert str(row.position.upl) == "-0.0300"
    assert row.position.stop_level == Decimal("29.5")


def test_a_missing_field_is_named_with_its_endpoint() -> None:
    body = shapes.encoded({**shapes.session_body()}).replace(b'"accountId"', b'"account"')

    with pytest.raises(UnreadableAnswer, match=r"GET /session .*`accountId`"):
        wire.decode(body, wire.SessionDetails, "GET /session")


def test_a_row_that_cannot_be_read_is_named_and_hides_no_other() -> None:
    broken = {**shapes.POSITION, "market": {**shapes.POSITION["market"], "bid": []}}
    nameless = {"position": {"dealId": 5}, "market": "SILVER"}
    body = shapes.encoded({"positions": [broken, shapes.POSITION, nameless, 7]})

    found = translate.listed(
        wire.rows(body, "positions", "GET /positions"), wire.PositionRow, translate.position
    )

    deal = shapes.POSITION["position"]["dealId"]
    assert [row.deal_id for row in found.rows] == [deal]
    assert [(row.deal_id, row.epic) for row in found.unreadable] == [
        (deal, shapes.POSITION["market"]["epic"]),
        (None, None),
        (None, None),
    ]
    assert "bid" in found.unreadable[0].why


def test_fields_that_nobody_documented_are_ignored() -> None:
    body = shapes.encoded({**shapes.session_body(), "brandNew": {"a": [1]}})

    assert wire.decode(body, wire.SessionDetails, "GET /session").account_id == shapes.FIRST


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b'{"status":"\xff"}', b'{"x":' + b"[" * 5000])
def test_what_is_not_json_points_at_a_proxy(body: bytes) -> None:
    with pytest.raises(NotTheBroker, match="proxy"):
        wire.decode(body, wire.Pong, "GET /ping")


def test_null_is_read_as_absent() -> None:
    body = shapes.encoded({**shapes.CONFIRM, "affectedDeals": None, "level": None})

    assert wire.decode(body, wire.Confirm, "GET /confirms").affected_deals is None


def test_a_plain_value_is_read_as_leniently_and_as_exactly_as_any_other() -> None:
    row = wire.decode(PLAIN, wire.plain(Plain), "GET /x")

    at = datetime(2026, 3, 4, 15, tzinfo=UTC)
    assert translate.same(Plain)(row) == Plain(
        "12", Decimal("0.03"), (Decimal(1), Decimal("2.5")), 2, at, True, None, None, 480, at
    )
    assert str(row.long_rate) == "0.0300"
    assert (str(row.whole_days), str(row.minutes)) == ("2", "480")


def test_of_a_plain_value_what_may_be_absent_may_be_and_nothing_else() -> None:
    needed = PLAIN[: PLAIN.index(b', "editable"')] + b"}"

    row = wire.decode(needed, wire.plain(Plain), "GET /x")

    absent = (row.note, row.close_level, row.minutes, row.next_charge)
    assert (row.editable, *absent) == (False, None, None, None, None)
    with pytest.raises(UnreadableAnswer, match=r"GET /x .*`longRate`"):
        wire.decode(needed.replace(b"longRate", b"rate"), wire.plain(Plain), "GET /x")
    for value, name in ((b"12", "dealId"), (b'"0.0300"', "longRate"), (b"2.0", "wholeDays")):
        with pytest.raises(UnreadableAnswer, match=rf"there is no value.*`\$.{name}`"):
            wire.decode(needed.replace(value, b"null"), wire.plain(Plain), "GET /x")


def test_a_value_with_a_field_of_another_type_is_not_plain() -> None:
    with pytest.raises(KeyError):
        wire.plain(Nested)
