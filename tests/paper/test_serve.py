"""The served broker's answers leave at once, and it has one where its file cannot be used."""

import asyncio
import socket
import statistics
import time
from contextlib import closing

import httpx
import pytest

from capcli.paper.broker import PaperBroker
from capcli.paper.messages import Response
from capcli.paper.serve import Manner, _App, reply
from capcli.runtime import utc_now
from tests.paper.test_crowd import client_of, served

DELAYED_ACK_S = 0.04


@pytest.mark.bench
def test_a_kept_connection_waits_for_no_delayed_ack(tmp_path):
    with served(tmp_path) as url, client_of(url) as http:
        took = []
        for _ in range(25):
            started = time.perf_counter()
            assert http.get("/time").status_code == 200
            took.append(time.perf_counter() - started)
    assert statistics.median(took) < DELAYED_ACK_S * 0.8


def test_a_file_that_cannot_be_used_is_answered_as_a_broker_does_and_told_once(tmp_path):
    file, told = tmp_path / "paper.db", []
    file.write_bytes(b"no database" * 1000)

    async def asked(application):
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return [await http.get("/api/v1/time") for _ in range(2)]

    with closing(PaperBroker(file)) as broker:
        answers = asyncio.run(asked(_App(broker, utc_now, told.append)))

    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].json() == {"errorCode": "error.internal"}
    (sentence,) = told
    assert "is damaged" in sentence


def test_headers_are_spelt_as_the_broker_spells_them():
    """Clients in PHP and shell scripts look for `CST:` letter by letter."""
    told: list[dict] = []

    async def send(event):
        told.append(event)

    answer = Response(200, {"CST": "a", "X-SECURITY-TOKEN": "b"}, b"{}")
    asyncio.run(reply(send, answer))

    assert [name for name, _ in told[0]["headers"]][:2] == [b"CST", b"X-SECURITY-TOKEN"]


@pytest.mark.faults
def test_a_shell_script_finds_the_token_of_a_login(tmp_path):
    with served(tmp_path) as url:
        host, port = url.removeprefix("http://").split("/")[0].split(":")
        body = b'{"identifier":"paper","password":"paper"}'
        head = f"POST /api/v1/session HTTP/1.1\r\nHost: {host}\r\nX-CAP-API-KEY: paper\r\n"
        with socket.create_connection((host, int(port)), timeout=30) as line:
            line.sendall(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            lines = line.makefile("rb").read().split(b"\r\n")
    assert sum(one.startswith(b"CST: ") for one in lines) == 1
    assert sum(one.startswith(b"X-SECURITY-TOKEN: ") for one in lines) == 1


def asked(broker, manner, *requests, told=None):
    """What an application in this process answers, one request after the other."""

    async def all_of_them():
        application = _App(broker, utc_now, (told if told is not None else []).append, manner)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application)) as http:
            return [await http.send(request) for request in requests]

    return asyncio.run(all_of_them())


def login(key):
    keys = {"identifier": "paper", "password": "paper"}
    return httpx.Request("POST", "http://localhost/api/v1/session", json=keys, headers={"X-CAP-API-KEY": key})


@pytest.mark.parametrize(
    ("serves", "key", "status"),
    [
        ("demo", "paper", 200), ("demo", "paper-demo", 200), ("demo", "paper-live", 401),
        ("live", "paper-live", 200), ("live", "paper-demo", 401), (None, "paper-live", 200),
    ],
)  # fmt: skip
def test_who_serves_one_environment_turns_the_other_s_key_away(tmp_path, serves, key, status):
    with closing(PaperBroker(tmp_path / "paper.db", serves=serves)) as broker:
        (answer,) = asked(broker, Manner(), login(key))
    assert answer.status_code == status
    if status != 200:
        assert answer.json() == {"errorCode": "error.null.accountId"}


def test_another_host_name_is_served_once_it_is_named_and_told_of_until_then(tmp_path):
    request = httpx.Request("GET", "http://api.example/api/v1/time")
    told = []
    with closing(PaperBroker(tmp_path / "paper.db")) as broker:
        refused = asked(broker, Manner(), request, request, told=told)
        (taken,) = asked(broker, Manner(name="API.example"), request)
    assert [answer.status_code for answer in refused] == [403, 403]
    assert taken.status_code == 200
    (sentence,) = told
    assert "'api.example'" in sentence
    assert "--name" in sentence


def test_every_request_is_logged_without_what_it_carries(tmp_path):
    lines = []
    with closing(PaperBroker(tmp_path / "paper.db")) as broker:
        secret = httpx.Request("GET", "http://localhost/api/v1/positions?secret=1")
        asked(broker, Manner(log=lines.append), login("paper"), secret)
    assert lines == ["POST /api/v1/session 200", "GET /api/v1/positions 401"]


def test_an_answer_waits_for_the_latency_that_was_asked_for(tmp_path, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr("capcli.paper.serve.asyncio.sleep", sleep)
    with closing(PaperBroker(tmp_path / "paper.db")) as broker:
        asked(broker, Manner(latency_s=0.08), login("paper"))
    assert waited == [0.08]
