"""The served broker's answers leave at once, and it has one where its file cannot be used."""

import asyncio
import statistics
import time
from contextlib import closing

import httpx
import pytest

from capcli.app import utc_now
from capcli.paper.broker import PaperBroker
from capcli.paper.serve import _App
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
