"""Several threads, several processes and the loopback server, all on one file."""

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from capcli.domain.hosts import is_loopback
from capcli.paper.serve import MAX_BODY, serve
from capcli.paper.state import reset
from capcli.paper.transport import PaperTransport
from tests.paper.client import FRIDAY, Client
from tests.support.children import Child

OPENER = """
import sys
from datetime import datetime
from pathlib import Path
from tests.paper.client import Client

client = Client(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
client.login()
for _ in range(int(sys.argv[3])):
    assert client.post("/positions", epic="SILVER", direction="BUY", size=0.1).status == 200
"""

FIRST = """
import sys
from datetime import datetime
from pathlib import Path
from tests.paper.client import Client

assert Client(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])).send("GET", "/time").status == 200
"""

SERVER = """
import sys
from datetime import datetime
from pathlib import Path
from capcli.paper.serve import serve

now = datetime.fromisoformat(sys.argv[2])
serve(Path(sys.argv[1]), port=0, clock=lambda: now, ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


def run(script, path, *arguments):
    command = [sys.executable, "-c", script, str(path), FRIDAY.isoformat(), *map(str, arguments)]
    return Child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.faults
def test_processes_at_once_lose_no_deal(path):
    reset(path, limits=False, at=FRIDAY)
    openers = [run(OPENER, path, 25) for _ in range(3)]
    errors = [opener.communicate(timeout=60)[1] for opener in openers]
    assert errors == [""] * 3
    client = Client(path)
    client.login()
    rows = client.positions()
    assert len({row["dealId"] for row in rows}) == len(rows) == 75


@pytest.mark.faults
def test_processes_that_create_the_file_together_share_one_world(path):
    first = [run(FIRST, path) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in first] == [""] * 4
    assert len(Client(path).login().json["accounts"]) == 2


def test_threads_share_one_broker(client):
    def open_ten(_):
        return [client.post("/positions", epic="SILVER", direction="BUY", size=0.1).status for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        statuses = [status for some in pool.map(open_ten, range(8)) for status in some]
    assert statuses == [200] * 80
    assert len(client.positions()) == 80


@contextmanager
def served(path):
    process = run(SERVER, path)
    try:
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=f"{url}/api/v1", trust_env=False) as http:
            yield http
    finally:
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "ended\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="a console signal would reach the test run as well")
def test_served_and_in_process_answers_are_the_same(client):
    client.buy(stopDistance=3)
    with served(client.path) as http:
        http.headers.update(
            {"CST": client.tokens["cst"], "X-SECURITY-TOKEN": client.tokens["x-security-token"]}
        )
        client.now = FRIDAY
        for url in (
            "/positions",
            "/accounts",
            "/markets?searchTerm=bit%20coin",
            "/markets/NOPE",
            "/ping",
            "/nothing",
        ):
            here, there = client.get(url), http.get(url)
            assert (there.status_code, there.text) == (here.status, here.text)
            assert {name: there.headers[name] for name in here.headers} == here.headers
            assert len(there.headers.get_list("date")) == 1
            head = http.head(url)
            assert (head.status_code, head.headers, head.content) == (here.status, there.headers, b"")
        assert (
            http.post("/positions", json={"epic": "SILVER", "direction": "BUY", "size": 1}).status_code == 200
        )
        assert http.put("/session", content=b" " * (MAX_BODY + 1)).status_code == 413
        assert http.get("/time", headers={"Host": "paper.example:80"}).status_code == 403
        assert http.get("/time", headers={"Host": "localhost:80"}).status_code == 200
    assert len(client.positions()) == 2


def test_only_loopback_addresses_are_served(path):
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.8.8.8")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.com", "")))
    with pytest.raises(ValueError, match="loopback"):
        serve(path, host="0.0.0.0", port=0, clock=lambda: FRIDAY, ready=print)


def test_the_transport_is_the_broker_behind_httpx(path):
    with httpx.Client(
        transport=PaperTransport(path, lambda: FRIDAY), base_url="https://paper.test/api/v1"
    ) as http:
        login = http.post(
            "/session", json={"identifier": "paper", "password": "paper"}, headers={"X-CAP-API-KEY": "paper"}
        )
        tokens = {name: login.headers[name] for name in ("CST", "X-SECURITY-TOKEN")}
        found = http.get("/markets", params={"searchTerm": "silver"}, headers=tokens)
        assert http.get("/markets", params={"searchTerm": ""}, headers=tokens).json() == {
            "errorCode": "error.null.searchTerm"
        }
    assert [row["epic"] for row in found.json()["markets"]] == ["SILVER", "PAAS"]
    assert found.headers["date"] == "Fri, 20 Nov 2026 15:30:00 GMT"


@pytest.mark.skipif(sys.platform == "win32", reason="a console signal would reach the test run as well")
def test_half_a_request_is_not_acted_on(client):
    """A DELETE announces a body and dies before it is whole: without the rest it would close a deal."""
    deal = client.buy()
    with served(client.path) as http:
        address = (http.base_url.host, http.base_url.port)
        tokens = f"CST: {client.tokens['cst']}\r\nX-SECURITY-TOKEN: {client.tokens['x-security-token']}\r\n"
        head = f"DELETE /api/v1/positions/{deal} HTTP/1.1\r\nHost: 127.0.0.1\r\n{tokens}"
        with socket.create_connection(address) as half:
            half.sendall(f"{head}Content-Length: 10\r\n\r\n{{".encode())
        http.get("/time")
    assert [row["dealId"] for row in client.positions()] == [deal]
