"""The paper broker answers every published request as the broker did: status, headers, keys, forms, codes."""

import re
from typing import Any

import pytest

from tests.contract import examples
from tests.contract.examples import Example
from tests.contract.fields import OBJECTS, optional, problems, shape_of
from tests.contract.stage import SETTINGS, Stage, Worlds
from tests.paper.client import Answer

PUBLISHED = examples.document()
RESPONSES = examples.responses(PUBLISHED)
REQUESTS = examples.requests(PUBLISHED)
NEWER = examples.newer(PUBLISHED)
# What is not compared, each with its reason; everything else is.
NOT_REST = {
    "ohlc.event with volume": "a frame of the stream",
    "WebSocket error frame, code at the top level": "a frame of the stream",
    "WebSocket error frame, code inside payload": "a frame of the stream",
}
REFUSED_AS_IT_STANDS = {
    "Historical prices": (
        "error.invalid.max.daterange",
        "its hour of minutes is longer than its max of 10 allows since the span rule (API page 11)",
    ),
}
ASKED = ("CST", "X-SECURITY-TOKEN")
_VALUE = re.compile(r": -?\d+(\.\d+)?$")


def test_the_published_examples_are_here():
    if not PUBLISHED["rest"]:
        if examples.required():
            pytest.fail(f"CI=true, and {examples.MISSING}")
        pytest.skip(examples.MISSING)
    counts = PUBLISHED["meta"]["counts"]
    assert (len(REQUESTS), len(RESPONSES)) == (counts["rest_requests"], counts["rest_responses"])
    assert len(NEWER) == counts["newer_shapes"]


@pytest.mark.parametrize("example", RESPONSES, ids=lambda example: example.name)
def test_the_paper_broker_answers_as_published(worlds: Worlds, example: Example):
    answer = Stage(worlds, example).ask()
    assert answer.status == example.status, answer.text
    for header, sent in example.tokens.items():
        assert (header in answer.headers) is sent, header
    assert answer.headers["Content-Type"] == "application/json"
    if example.status == 200:
        compare(example.line, example.answer, answer)
    else:
        assert cut(answer.code) == cut(example.answer["errorCode"])
        assert set(answer.json) == {"errorCode"}


@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: example.request)
def test_the_paper_broker_takes_the_requests_of_the_collection(worlds: Worlds, example: Example):
    answer = Stage(worlds, example).ask()
    if example.request in REFUSED_AS_IT_STANDS:
        assert (answer.status, answer.code) == (400, REFUSED_AS_IT_STANDS[example.request][0])
        return
    assert answer.status == 200, answer.text
    assert not [*problems(answer.plain, shape_of(example.method, example.path, 200, answer.plain))]


@pytest.mark.parametrize(
    "newer",
    [newer for newer in NEWER if newer["name"] not in NOT_REST],
    ids=lambda newer: newer["name"].split(" (")[0],
)
def test_the_paper_broker_has_the_fields_that_came_later(worlds: Worlds, newer: dict[str, Any]):
    method, url = re.match(r"(\w+) (\S+)", newer["name"]).groups()
    path = url.partition("?")[0]
    body, params = newer.get("request_body"), {"epic": "SILVER"}
    query = {"searchTerm": "silver"} if "searchTerm" in url else {}
    example = Example("newer", newer["name"], method, path, ASKED, params, query, body, 200)
    stage = Stage(worlds, example)
    if path == "/session":
        stage.headers, stage.body = {"x-cap-api-key": "paper"}, {"identifier": "paper", "password": "paper"}
    elif path == "/positions":
        stage.position(stopDistance=3, profitDistance=3)
    elif path == "/workingorders":
        stage.order()
    elif path.startswith("/confirms"):
        SETTINGS["Position/Order confirmation / Successful response"](stage)
    elif path == "/history/transactions":
        SETTINGS["Account transactions history / Success: Get list of transactions within last hour"](stage)
        SETTINGS["Account transactions history / Success: Filter list within last 30 second by type"](stage)
    answer = stage.ask()
    assert answer.status == 200, answer.text
    compare(f"{method} {path}", newer["body"], answer, later=True)


def compare(line: str, published: Any, answer: Answer, *, later: bool = False) -> None:
    """Both fit the published field sets, and ours has what the example has, in the same forms."""
    form = shape_of(*line.split(), 200, answer.plain)
    assert not [*problems(published, form)]
    assert not [*problems(answer.plain, form)]
    assert not [*lacking(published, answer.plain, form, later=later)]


def lacking(published: Any, ours: Any, form: str, where: str = "", *, later: bool):
    """What the example has and ours has not; rows of a list are compared as one, by all that any row has."""
    if form.startswith("["):
        if published and not ours:
            yield f"{where}: empty"
        elif published:
            yield from lacking(joined(published), joined(ours), form[1:-1], f"{where}[]", later=later)
    elif form in OBJECTS:
        absent = published.keys() - ours.keys()
        yield from (f"{where}.{name}" for name in (absent if later else absent - optional(absent, form)))
        forms = {name.rstrip("?"): kind for name, kind in OBJECTS[form].items()}
        for name in published.keys() & ours.keys():
            yield from lacking(published[name], ours[name], forms[name], f"{where}.{name}", later=later)
    elif form.startswith("{") and published.keys() != ours.keys():
        yield f"{where}: {sorted(ours)}"


def joined(rows: list[Any]) -> Any:
    if not isinstance(rows[0], dict):
        return rows[0]
    return {name: value for row in rows for name, value in row.items()}


def cut(code: str) -> tuple[str, bool]:
    """A code without the level that some carry, and whether it does."""
    return _VALUE.sub("", code), _VALUE.search(code) is not None


def test_no_setting_and_no_exception_is_left_over():
    if not RESPONSES:
        pytest.skip(examples.MISSING)
    assert set(SETTINGS) <= {example.name for example in (*RESPONSES, *REQUESTS)}
    assert set(NOT_REST) <= {newer["name"] for newer in NEWER}
    assert set(REFUSED_AS_IT_STANDS) <= {example.request for example in REQUESTS}
