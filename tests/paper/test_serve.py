"""The served broker's answers leave at once."""

import statistics
import time

import pytest

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
