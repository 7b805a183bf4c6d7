"""The field sets themselves, and the cassettes against them."""

import json
import re
from urllib.parse import urlsplit

import pytest

from capcli.paper.broker import AT_THE_DOOR, ROUTES, TIME
from tests.contract.cassette import FOLDER, interactions
from tests.contract.examples import PREFIX
from tests.contract.fields import ANSWERS, ENUMS, FORMS, OBJECTS, problems, shape_of

CASSETTES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", CASSETTES)
def test_the_bodies_of_a_cassette_are_as_published(name):
    for exchange in interactions(name):
        request, response = exchange["request"], exchange["response"]
        status, body = response["status"]["code"], json.loads(response["body"]["string"])
        path = urlsplit(request["uri"]).path.removeprefix(PREFIX).rstrip("/")
        form = shape_of(request["method"], path, status, body)
        assert not [*problems(body, form)], (request["method"], request["uri"])


def test_every_route_of_the_paper_broker_is_published_and_every_published_one_is_a_route():
    ours = {f"{route.method} {route.template}" for route in ROUTES}
    ours |= {f"{method} {path.removeprefix(PREFIX)}" for path, method in AT_THE_DOOR}
    ours |= {f"GET {TIME.removeprefix(PREFIX)}"}
    assert ours == {*ANSWERS, "GET /markets"}


def test_every_form_that_is_named_exists():
    for name, fields in OBJECTS.items():
        for field, form in fields.items():
            bare = form.strip("[]{}")
            known = bare in OBJECTS or bare in {*FORMS, "b", "i", "n"} or bare.removeprefix("s:") in ENUMS
            assert known, (name, field, form)


@pytest.mark.parametrize(
    ("body", "form", "said"),
    [
        ({"status": "OK", "more": 1}, "ping", ": more is not published"),
        ({}, "ping", ": status is missing"),
        ({"status": "FINE"}, "ping", ".status: 'FINE' is no s:ok"),
        ({"serverTime": "1"}, "time", ".serverTime: '1' is no i"),
        ({"serverTime": 1.5}, "time", ".serverTime: 1.5 is no i"),
        ({"serverTime": True}, "time", ".serverTime: True is no i"),
        ({"successful": 1}, "topped_up", ".successful: 1 is no b"),
        ({"nodes": {}}, "nodes", ".nodes: {} is no list"),
        ({"nodes": [1]}, "nodes", ".nodes[]: 1 is no object"),
        ({"unit": "POINTS", "value": None}, "rule", ".value: None is no n"),
        ({"dealReference": "x_1"}, "referred", ".dealReference: 'x_1' is no r"),
    ],
)
def test_what_differs_is_named(body, form, said):
    assert [*problems(body, form)] == [said]


def test_optional_fields_may_be_absent_and_a_shape_inherits():
    assert not [*problems({}, "nodes")]
    assert re.match("s", OBJECTS["row"]["instrumentName"])
    assert OBJECTS["row"].keys() > OBJECTS["summary"].keys()
