"""Nothing a client can send is a crash: every request gets an answer of the contract."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capcli.paper.broker import ROUTES
from capcli.paper.messages import Request
from tests.paper.client import Client
from tests.support.drawn import ANY

FIELDS = (
    "epic", "direction", "size", "level", "type", "goodTillDate", "timeInForce",
    "guaranteedStop", "trailingStop", "stopLevel", "stopDistance", "stopAmount",
    "profitLevel", "profitDistance", "profitAmount", "accountId", "amount", "name", "epics", "hedgingMode",
    "leverages",
)  # fmt: skip
numbers = st.one_of(st.integers(-5, 60), st.floats(-60, 60), st.floats(), st.integers())
values = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.text(ANY, max_size=8),
    st.sampled_from(["SILVER", "BUY", "SELL", "STOP", "LIMIT"]),
    st.lists(st.sampled_from(["SILVER", "NOPE", 1]), max_size=3),
    st.dictionaries(st.sampled_from(["SHARES", "INDICES", "TULIPS"]), numbers, max_size=2),
)
forms = st.dictionaries(st.sampled_from(FIELDS), values).map(lambda form: json.dumps(form).encode())
sound = st.fixed_dictionaries(
    {"epic": st.just("SILVER"), "direction": st.sampled_from(["BUY", "SELL"]), "size": st.integers(1, 9)},
    optional={
        "type": st.sampled_from(["LIMIT", "STOP"]),
        **dict.fromkeys(FIELDS[7:15], values),
        "level": numbers,
    },
).map(lambda form: json.dumps(form).encode())
bodies = st.one_of(st.binary(max_size=40), forms, sound, sound)
PLACEHOLDER = re.compile(r"\{\w+\}")
queries = st.dictionaries(
    st.sampled_from(
        [
            "searchTerm",
            "epics",
            "resolution",
            "max",
            "from",
            "to",
            "lastPeriod",
            "filter",
            "dealId",
            "marketIds",
            "limit",
            "type",
            "detailed",
        ]
    ),
    st.one_of(
        st.text(ANY, max_size=20),
        st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59", "DAY", "1000"]),
    ),
    max_size=3,
)


@pytest.fixture
def deals(client: Client) -> tuple[Client, str, str]:
    return client, client.buy(stopDistance=3), client.order(level=20)


@given(st.sampled_from(ROUTES), st.data(), queries, bodies)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_every_request_gets_an_answer(deals, route, data, query, body):
    client, position, order = deals
    if route.template == "/session":
        return
    names = st.sampled_from([position, order, "SILVER", "BWMN", "p_" + position, "\x00", "é"])
    path = "/api/v1" + PLACEHOLDER.sub(lambda _: data.draw(names), route.template)
    response = client.broker.handle(Request(route.method, path, query, client.tokens, body, client.now))
    assert response.status in (200, 400, 404)
    answer = json.loads(response.body)
    assert response.status == 200 or answer["errorCode"].startswith("error.")
    assert b"null" not in response.body.replace(b"error.null", b"")


@given(st.text(ANY, max_size=30), st.text(ANY, max_size=8))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_any_path_gets_an_answer(client, path, method):
    response = client.broker.handle(Request(method, path, {}, {}, b"", client.now))
    assert response.status in (401, 404, 405)


def living(client: Client, template: str) -> str:
    """A path that leads somewhere."""
    if "{watchlistId}" in template:
        return template.format(watchlistId=client.post("/watchlists", name="x").json["watchlistId"])
    return template.format(dealId=client.order(level=20) if "orders" in template else client.buy())


CHANGES = [route for route in ROUTES if route.method in ("POST", "PUT")]


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: f"{route.method} {route.template}")
def test_a_body_that_is_no_object_is_a_400(client, route):
    path = f"/api/v1{living(client, route.template)}"
    for body in (b"{", b"[]", b"1", b'"x"', b"null", b"\xff", b"[" * 4000, b'{"a":1}{}'):
        answer = client.broker.handle(Request(route.method, path, {}, client.tokens, body, client.now))
        refused = (400, {"errorCode": "error.invalid.body"})
        assert (answer.status, json.loads(answer.body)) == refused, body[:9]


def test_a_login_whose_body_is_no_object_is_a_400(client):
    for body in (b"{", b"[]", b"null"):
        headers = {"x-cap-api-key": "paper"}
        answer = client.broker.handle(Request("POST", "/api/v1/session", {}, headers, body, client.now))
        assert (answer.status, json.loads(answer.body)) == (400, {"errorCode": "error.invalid.body"})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_every_route_wants_the_tokens_and_another_method_is_not_allowed(client, route):
    path = PLACEHOLDER.sub("x", route.template)
    assert client.send(route.method, path, headers={}).code == "error.null.client.token"
    assert client.send("PATCH", path).status == 405
