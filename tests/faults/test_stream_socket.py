"""The WebSocket itself, against servers that are no stream."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from capcli.broker.stream_socket import connector

pytestmark = pytest.mark.faults


@contextmanager
def saying(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers everything with the same bytes, and notes what it was asked."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                heard.append(client.recv(4096))
                client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(60)


def connect(port: int) -> None:
    def no_tls() -> ssl.SSLContext:
        raise AssertionError

    connector(no_tls)(f"ws://127.0.0.1:{port}/connect")


def test_a_redirect_is_not_followed() -> None:
    with saying(b"") as (elsewhere, visits):
        head = (
            f"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:{elsewhere}/connect\r\nContent-Length: 0\r\n\r\n"
        )
        with saying(head.encode()) as (port, asked), pytest.raises(ConnectionError, match="redirect"):
            connect(port)
        assert len(asked) == 1
        assert visits == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503"),
        (b"<html>", "InvalidMessage"),
        (b"", "Invalid|EOF"),
    ],
)
def test_what_is_no_stream_is_a_connection_error(answer: bytes, said: str) -> None:
    with saying(answer) as (port, _), pytest.raises(ConnectionError, match=said):
        connect(port)


def test_the_handshake_carries_no_secret_and_our_name() -> None:
    with saying(b"") as (port, asked), pytest.raises(ConnectionError):
        connect(port)
    (head,) = asked
    assert b"User-Agent: capcli/" in head
    assert not [
        line for line in head.lower().split(b"\r\n") if line.startswith((b"cst", b"x-security", b"cookie"))
    ]
