"""No proxy on the way to this computer, elsewhere the one of the environment, and no password shown."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from threading import Thread

import httpx
import pytest

from capcli.broker.failures import NOT_SENT, network_failure
from capcli.broker.proxies import proxy_for
from capcli.broker.transport import API_KEY, Ask, Headers, Wire
from capcli.errors import ConfigError

DEMO = "https://demo-api-capital.backend-capital.com"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")
KEY = "s3cret-api-key"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def listening(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answer everybody alike; yield the address and what was heard."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def answer_all() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = Thread(target=answer_all, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(60)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


def wire(url: str) -> Wire:
    return Wire(url, clock=lambda: datetime.now(UTC))


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"])
def test_the_key_goes_to_a_broker_on_this_machine_and_to_no_proxy(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(OK) as (broker, asked), listening(OK) as (proxy, overheard):
        monkeypatch.setenv(variable, proxy)
        with closing(wire(broker)) as line:
            line.exchange(Ask("GET", "/session"), Headers({API_KEY: KEY}))
    assert KEY.encode() in asked[0]
    assert overheard == []


def test_a_connection_that_a_proxy_refuses_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n") as (proxy, heard):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with closing(wire(DEMO)) as line, pytest.raises(httpx.ProxyError) as caught:
            line.exchange(Ask("POST", "/positions", body=b"{}"), Headers({API_KEY: KEY}), mutation=True)
    assert isinstance(caught.value, NOT_SENT)
    assert heard[0].startswith(b"CONNECT demo-api-capital.backend-capital.com:443 ")
    assert KEY.encode() not in heard[0]
    said = network_failure(caught.value, "POST /positions", "demo", 10)
    assert "the proxy refused it: 403 Forbidden). Nothing was sent" in said.message


@pytest.mark.parametrize(
    ("environ", "url", "shown"),
    [
        ({}, DEMO, None),
        ({"HTTPS_PROXY": "http://p:3128"}, DEMO, "HTTPS_PROXY=http://p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, DEMO, "HTTPS_PROXY=http://p:3128"),
        ({"https_proxy": "http://low:1", "ALL_PROXY": "http://p:3128"}, DEMO, "https_proxy=http://low:1"),
        ({"ALL_PROXY": "http://me:pa%2F55@p:3128"}, DEMO, "ALL_PROXY=http://***@p:3128"),
        ({"ALL_PROXY": "http://p:3128"}, "wss://api-streaming-capital.backend-capital.com/connect", "ALL_PROXY=http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, DEMO, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "[::1]"}, DEMO, "HTTPS_PROXY=http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": ".backend-capital.com"}, DEMO, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "a, *"}, DEMO, None),
        ({"ALL_PROXY": "http://p:3128"}, "http://localhost:8080", None),
        ({"ALL_PROXY": "http://p:3128"}, "https://[::1]:8080", None),
        ({"ALL_PROXY": "http://p:3128"}, "https://127.8.8.8", None),
        ({"ALL_PROXY": "socks5://p:1080"}, "http://127.0.0.1:1", None),
    ],
)  # fmt: skip
def test_the_proxy_is_the_one_that_the_environment_names(
    environ: dict[str, str], url: str, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    found = proxy_for(url)
    assert (found.shown if found else None) == shown


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        (
            "ALL_PROXY",
            "socks5://me:pa55@p:1080",
            "ALL_PROXY is 'socks5://***@p:1080', which names a SOCKS proxy",
        ),
        (
            "HTTPS_PROXY",
            "http://me:pa55@p:port",
            "HTTPS_PROXY is 'http://***@p:port', which is not the address",
        ),
        ("HTTPS_PROXY", "http://me:pa55/@p:1", "HTTPS_PROXY is 'http://***@p:1', which is not the address"),
        ("HTTPS_PROXY", "http://", "HTTPS_PROXY is 'http://', which is not the address"),
        ("HTTPS_PROXY", "http://[::1", "which is not the address of a proxy"),
        ("https_proxy", "ftp://p", "https_proxy is 'ftp://p', which is not the address"),
        ("HTTPS_PROXY", "http://p q:1", "which is not the address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_with_its_fix(
    variable: str, text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with closing(wire(DEMO)) as line, pytest.raises(ConfigError) as caught:
        line.exchange(Ask("GET", "/time"), Headers())
    assert says in caught.value.message
    assert "Nothing was sent" in caught.value.message
    assert (caught.value.next, caught.value.exit_code) == (f"unset {variable}", 3)
    assert "pa55" not in str(caught.value.problem())
    assert "Error" not in caught.value.message
