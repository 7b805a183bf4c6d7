"""Every number reaches the body of a request with the digits it was given, under the broker's names."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.broker import requests
from capcli.domain.account import OrderType
from capcli.domain.bracket import Bracket, Target
from capcli.domain.market import Side
from capcli.domain.money import parse_decimal, plain
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.errors import UsageError

D = Decimal


def order_body(request: OrderRequest, order_type: OrderType | None) -> bytes:
    return requests.open_order(request, order_type).body


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


def test_a_level_and_a_type_are_sent_for_a_working_order_alone() -> None:
    market = OrderRequest("SILVER", Side.BUY, D(1))
    waits = OrderRequest("SILVER", Side.BUY, D(1), trigger=Trigger(D(29)))
    plain_body = {"epic": "SILVER", "direction": "BUY", "size": D(1)}
    assert read(order_body(market, OrderType.LIMIT)) == plain_body
    assert read(order_body(waits, None)) == plain_body
    assert read(order_body(waits, OrderType.LIMIT)) == plain_body | {"level": D(29), "type": "LIMIT"}


@pytest.mark.parametrize(
    ("trigger", "kind", "path"),
    [(None, "MARKET", "/positions"), (Trigger(D("29")), "WORKING", "/workingorders")],
)
def test_an_order_with_a_level_waits_and_one_without_is_dealt(
    trigger: Trigger | None, kind: str, path: str
) -> None:
    request = OrderRequest("SILVER", Side.BUY, D(1), trigger=trigger)
    built = requests.open_order(request, None)
    assert (request.kind, built.method, built.path) == (kind, "POST", path)
    assert requests.is_opening(built.method, built.path)


levels = st.none() | st.integers(1, 100_000).map(lambda number: D(number) / 1000)


@given(levels, levels, levels, st.booleans())
def test_every_leg_is_in_the_body_with_its_digits(
    stop: Decimal | None, limit: Decimal | None, trail: Decimal | None, guaranteed: bool
) -> None:
    after = Bracket(stop, limit, trail, guaranteed)
    method, path, body = requests.amend("deal-1", Target(after), endless=False)
    sent = read(body)
    assert (method, path, requests.is_opening(method, path)) == ("PUT", "/positions/deal-1", False)
    assert (sent["profitLevel"], sent.get("stopDistance")) == (limit, trail)
    assert sent.get("stopLevel") == (None if trail is not None else stop)
    assert ("guaranteedStop" in sent, "trailingStop" in sent) == (guaranteed, trail is not None)
    assert len(sent) >= 2, "an empty body changes nothing"


def test_an_order_is_sent_whole() -> None:
    until = datetime(2026, 12, 31, tzinfo=UTC)
    target = Target(Bracket(D("23.50"), D("26"), None, guaranteed=True), D("24.20"), until)
    assert requests.amend("deal-1", target, endless=False).body == (
        b'{"level":24.20,"goodTillDate":"2026-12-31T00:00:00","guaranteedStop":true,"stopLevel":23.50,'
        b'"profitLevel":26}'
    )
    endless = Target(Bracket(D("23.5"), None, D("0.7")), D("24.20"))
    assert requests.amend("deal-1", endless, endless=True).body == (
        b'{"level":24.20,"timeInForce":"GOOD_TILL_CANCELLED","trailingStop":true,"stopDistance":0.7}'
    )


def test_every_change_has_its_endpoint() -> None:
    built = [
        requests.close_position("d1"),
        requests.cancel_order("d1"),
        requests.set_preferences(True, {"SHARES": D("5.0"), "FX": D(30)}),
        requests.set_preferences(None, {}),
        requests.top_up(D("-10.50")),
        requests.create_watchlist("Metals", ("GOLD",)),
        requests.create_watchlist("None", ()),
        requests.add_to_watchlist("7", "GOLD"),
        requests.remove_from_watchlist("7", "GOLD"),
        requests.delete_watchlist("7"),
    ]
    assert built == [
        ("DELETE", "/positions/d1", b""),
        ("DELETE", "/workingorders/d1", b""),
        ("PUT", "/accounts/preferences", b'{"leverages":{"FX":30,"SHARES":5},"hedgingMode":true}'),
        ("PUT", "/accounts/preferences", b"{}"),
        ("POST", "/accounts/topUp", b'{"amount":-10.50}'),
        ("POST", "/watchlists", b'{"name":"Metals","epics":["GOLD"]}'),
        ("POST", "/watchlists", b'{"name":"None"}'),
        ("PUT", "/watchlists/7", b'{"epic":"GOLD"}'),
        ("DELETE", "/watchlists/7/GOLD", b""),
        ("DELETE", "/watchlists/7", b""),
    ]
    assert all(requests.change(*one).body == (one.body or None) for one in built)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/positions"), ("POST", "positions"), ("DELETE", "/positions/.."), ("PUT", "/a/./b"),
     ("POST", "/"), ("POST", "/a//b"), ("POST", "/a?b=c"), ("POST", "/a%2Fb"), ("POST", "/a\n")],
)  # fmt: skip
def test_a_path_that_is_not_ours_is_never_sent(method: str, path: str) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        requests.change(method, path, None)
