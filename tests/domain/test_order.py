import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.domain.account import OrderType
from capcli.domain.market import Side
from capcli.domain.money import parse_decimal, plain
from capcli.domain.order import ExitForm, ExitOrder, Kind, OrderRequest, Trigger, order_body, wire_time

D = Decimal


@st.composite
def typed_numbers(draw: st.DrawFn) -> str:
    """Text of a positive number with up to 15 digits, as somebody may type it."""
    digits = draw(st.text("0123456789", min_size=1, max_size=15))
    point = draw(st.integers(min_value=0, max_value=len(digits)))
    whole, places = digits[:point].lstrip("0") or "0", digits[point:]
    return f"{whole}.{places}" if places else whole


def read(body: bytes) -> Any:
    return json.loads(body, parse_float=D, parse_int=D)


@given(typed_numbers(), typed_numbers(), st.sampled_from(sorted(set(ExitForm) - {ExitForm.PERCENT})))
def test_every_typed_number_reaches_the_body_unchanged(size: str, stop: str, form: ExitForm) -> None:
    request = OrderRequest("SILVER", Side.BUY, parse_decimal(size), stop=ExitOrder(form, parse_decimal(stop)))
    body = order_body(request, None)
    key = {"LEVEL": "stopLevel", "DISTANCE": "stopDistance", "AMOUNT": "stopAmount"}[form.value]
    assert (read(body)["size"], read(body)[key]) == (D(size), D(stop))
    assert body == f'{{"epic":"SILVER","direction":"BUY","size":{size},"{key}":{stop}}}'.encode()


@given(st.decimals(min_value="1e-15", max_value="1e15", allow_nan=False))
def test_the_body_is_json_without_exponents(size: Decimal) -> None:
    body = order_body(OrderRequest("SILVER", Side.SELL, size), None)
    assert read(body) == {"epic": "SILVER", "direction": "SELL", "size": size}
    assert plain(size).encode() in body


def test_a_working_order_names_its_level_type_and_end_in_utc() -> None:
    until = datetime(2026, 3, 5, 1, 30, tzinfo=timezone(timedelta(hours=3)))
    request = OrderRequest(
        "SILVER",
        Side.BUY,
        D("2"),
        stop=ExitOrder(ExitForm.LEVEL, D("28.5")),
        limit=ExitOrder(ExitForm.DISTANCE, D("1.20")),
        guaranteed=True,
        trigger=Trigger(D("29.10"), good_till=until),
    )
    assert order_body(request, OrderType.LIMIT) == (
        b'{"epic":"SILVER","direction":"BUY","size":2,"level":29.10,"type":"LIMIT",'
        b'"goodTillDate":"2026-03-04T22:30:00","guaranteedStop":true,"stopLevel":28.5,"profitDistance":1.20}'
    )


def test_a_trailing_stop_is_said_beside_its_distance() -> None:
    request = OrderRequest("GOLD", Side.BUY, D(1), stop=ExitOrder(ExitForm.DISTANCE, D(5)), trailing=True)
    assert read(order_body(request, None)) == {
        "epic": "GOLD",
        "direction": "BUY",
        "size": 1,
        "trailingStop": True,
        "stopDistance": 5,
    }


def test_an_epic_that_would_need_escaping_is_never_written() -> None:
    with pytest.raises(ValueError, match="SIL"):
        order_body(OrderRequest('SIL"VER', Side.BUY, D(1)), None)


def test_wire_time_is_utc_whatever_the_zone() -> None:
    assert wire_time(datetime(2026, 1, 1, 0, 0, 5, 999, tzinfo=UTC)) == "2026-01-01T00:00:05"


@pytest.mark.parametrize(
    ("trigger", "kind", "path"),
    [(None, "MARKET", "/positions"), (Trigger(D("29")), "WORKING", "/workingorders")],
)
def test_an_order_with_a_level_waits_and_one_without_is_dealt(
    trigger: Trigger | None, kind: str, path: str
) -> None:
    request = OrderRequest("SILVER", Side.BUY, D(1), trigger=trigger)
    assert (request.kind, request.path) == (kind, path)


def test_only_orders_open_something() -> None:
    assert {kind for kind in Kind if kind.is_order} == {Kind.MARKET, Kind.WORKING}


def test_a_level_and_a_type_are_sent_for_a_working_order_alone() -> None:
    market = OrderRequest("SILVER", Side.BUY, D(1))
    waits = OrderRequest("SILVER", Side.BUY, D(1), trigger=Trigger(D(29)))
    plain_body = {"epic": "SILVER", "direction": "BUY", "size": D(1)}
    assert read(order_body(market, OrderType.LIMIT)) == plain_body
    assert read(order_body(waits, None)) == plain_body
    assert read(order_body(waits, OrderType.LIMIT)) == plain_body | {"level": D(29), "type": "LIMIT"}
