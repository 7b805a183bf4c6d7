"""The paper broker on a loopback port, for other clients and other processes."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

from capcli.paper.broker import PaperBroker
from capcli.paper.cuts import Event, Receive, Send, lending, reply, spoil
from capcli.paper.messages import Request, Response

MAX_BODY = 1 << 20
_PLAIN = MappingProxyType({"Content-Type": "application/json"})


def serve(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int,
    clock: Callable[[], datetime],
    ready: Callable[[str], None],
) -> None:
    """Runs until Ctrl-C or SIGTERM; `ready` is told the address once connections are accepted."""
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    if not is_loopback(host):
        raise ValueError(f"the paper broker listens on loopback addresses only, not on {host}")

    class Cuttable(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.app = lending(self.app, transport)

    broker = PaperBroker(path)
    config = uvicorn.Config(
        _App(broker, clock),
        http=Cuttable,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,  # the broker's own Date is market time
        server_header=False,
        timeout_graceful_shutdown=5,
    )

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(_address(host, listener))

    with _bound(host, port) as listener, _quiet_signals():
        Announcing(config).run([listener])
    broker.close()


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_local(host: str) -> bool:
    """A page in a browser that was pointed here by a name of its own is turned away."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _address(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """uvicorn raises a caught signal again after its clean shutdown; this makes the second one harmless."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class CutShort(Exception):
    """The client went before its request was whole: no broker acts on half a request."""


class _App:
    """ASGI over the broker; each request runs in a thread, so a slow one holds up no other."""

    def __init__(self, broker: PaperBroker, clock: Callable[[], datetime]) -> None:
        self._broker = broker
        self._clock = clock

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                body = await _body(receive)
            except CutShort:
                return
            response = await self._answer(scope, body)
            if response.mishap:
                await spoil(scope, receive, send, response, response.mishap)
            else:
                await reply(send, response)

    async def _answer(self, scope: Event, body: bytes | None) -> Response:
        if body is None:
            return Response(413, _PLAIN, b"{}")
        request = _request(scope, body, self._clock())
        if not _is_local(request.headers.get("host", "localhost")):
            return Response(403, _PLAIN, b"{}")
        return await asyncio.to_thread(self._broker.handle, request)


async def _body(receive: Receive) -> bytes | None:
    """None when it is longer than a mebibyte."""
    parts, size, more = [], 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise CutShort
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            return None
        more = event.get("more_body", False)
    return b"".join(parts)


def _request(scope: Event, body: bytes, at: datetime) -> Request:
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], query, headers, body, at)
