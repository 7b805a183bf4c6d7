"""Mishaps as clients meet them: behind httpx in process, and over a real connection."""

import sys

import httpx
import pytest

from capcli.paper.state import set_fault
from capcli.paper.transport import PaperTransport
from tests.paper.client import FRIDAY
from tests.paper.test_together import served

ORDER = {"epic": "SILVER", "direction": "BUY", "size": 1}


@pytest.fixture
def slept():
    return []


@pytest.fixture
def http(client, slept):
    transport = PaperTransport(client.path, lambda: FRIDAY, sleep=slept.append)
    with httpx.Client(transport=transport, base_url="https://paper.test/api/v1", timeout=10) as http:
        http.headers.update(tokens(client))
        yield http


def tokens(client):
    return {"CST": client.tokens["cst"], "X-SECURITY-TOKEN": client.tokens["x-security-token"]}


def upset(client, name, **how):
    set_fault(client.path, name, at=FRIDAY, **{"times": 1, **how})


WIRE = [
    ("drop-before", httpx.ReadError, 0),
    ("drop-after", httpx.ReadError, 1),
    ("half-body", httpx.RemoteProtocolError, 1),
]


@pytest.mark.parametrize(("name", "error", "opened"), WIRE)
def test_the_connection_breaks(client, http, name, error, opened):
    upset(client, name)
    with pytest.raises(error):
        http.post("/positions", json=ORDER)
    assert len(client.positions()) == opened
    assert http.post("/positions", json=ORDER).status_code == 200


def test_half_a_body_has_its_headers(client, http):
    upset(client, "half-body")
    with http.stream("POST", "/positions", json=ORDER) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()


def test_an_answer_takes_its_time(client, http, slept):
    upset(client, "delay", value="2.5")
    answer = http.post("/positions", json=ORDER)
    assert answer.json()["dealReference"]
    assert answer.headers["content-length"] == str(len(answer.content))
    assert slept == [2.5]


def test_an_answer_takes_longer_than_the_client_waits(client, http, slept):
    upset(client, "delay", value="12", times=2)
    with pytest.raises(httpx.ReadTimeout):
        http.post("/positions", json=ORDER)
    assert slept == [10]
    assert len(http.get("/positions", timeout=None).json()["positions"]) == 1
    assert slept == [10, 12]


def test_a_lost_request_is_waited_for_in_vain(client, http, slept):
    upset(client, "delay", value="60")
    upset(client, "drop-before")
    with pytest.raises(httpx.ReadTimeout):
        http.post("/positions", json=ORDER)
    assert slept == [10]
    assert client.positions() == []


@pytest.mark.faults
@pytest.mark.skipif(sys.platform == "win32", reason="a console signal would reach the test run as well")
def test_what_is_set_here_happens_at_the_served_broker(client):
    with served(client.path) as http:
        http.headers.update(tokens(client))
        for name, error, opened in WIRE:
            before = len(client.positions())
            upset(client, name)
            with pytest.raises(error):
                http.post("/positions", json=ORDER)
            assert len(client.positions()) == before + opened
        upset(client, "delay", value="3", on="orders")
        with pytest.raises(httpx.ReadTimeout):
            http.post("/positions", json=ORDER, timeout=httpx.Timeout(5, read=0.3))
        assert len(client.positions()) == 3
        upset(client, "status", on="reads", value="502-before")
        assert http.get("/positions").status_code == 502
        upset(client, "redirect", on="reads")
        assert http.get("/positions").status_code == 307
        assert len(http.get("/positions").json()["positions"]) == 3


def test_a_head_is_a_get_without_its_body(client, http):
    for url in ("/positions", "/ping", "/time"):
        full, head = http.get(url), http.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers == full.headers
    assert (http.head("/positions/x").status_code, http.head("/accounts/topUp").status_code) == (404, 405)
