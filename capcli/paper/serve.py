"""The paper broker on a loopback port, for other clients and other processes."""

import asyncio
import signal
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from capcli.domain.hosts import is_loopback
from capcli.errors import PaperFileUnusable
from capcli.paper.broker import SESSION, PaperBroker
from capcli.paper.certificates import Certificate
from capcli.paper.channel import CONNECTION, MAX_FRAME, Channel, Event, Receive, Send, refuse
from capcli.paper.messages import ConnectionFault, Cut, Request, Response

if TYPE_CHECKING:
    from uvicorn import Config

MAX_BODY = 1 << 20
Application = Callable[[Event, Receive, Send], Awaitable[None]]
_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_PLAIN = MappingProxyType({"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Manner:
    """How a broker is served; not stored.

    Answers are delayed by `latency_s`. `serves` is the only environment whose keys are accepted (None: all),
    `name` another host name that clients may use. `log` gets every request.
    """

    latency_s: float = 0
    serves: str | None = None
    name: str | None = None
    log: Callable[[str], None] | None = None

    def knows(self, host: str) -> bool:
        """Whether a Host header is ours, against DNS rebinding by a page in a browser."""
        try:
            named = urlsplit(f"//{host}").hostname or ""
            return named == (self.name or "").lower() or is_loopback(named)
        except ValueError:
            return False


def serve(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int,
    certificate: Certificate | None = None,
    clock: Callable[[], datetime],
    ready: Callable[[str], None],
    ended: Callable[[int], None] = lambda _quotes: None,
    troubled: Callable[[str], None] = lambda _why: None,
    manner: Manner = Manner(),
) -> None:
    """Runs until Ctrl-C or SIGTERM; `ready` gets the address once connections are accepted.

    `ended` gets how many quotes were sent on streams, `troubled` why the file cannot be used meanwhile.

    With a certificate it speaks TLS. Open connections are closed at the end.
    """
    import uvicorn

    if not is_loopback(host):
        raise ValueError(f"the paper broker listens on loopback addresses only, not on {host}")

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(address)

    with _bound(host, port) as listener, _quiet_signals():
        name = f"[{host}]" if ":" in host else host
        address = f"http{'s' if certificate else ''}://{name}:{listener.getsockname()[1]}"
        with closing(PaperBroker(path, stream=stream_address(address), serves=manner.serves)) as broker:
            application = _App(broker, clock, troubled, manner)
            Announcing(_config(application, certificate)).run([listener])
            ended(application.quotes_sent)


def _config(application: "_App", certificate: Certificate | None) -> "Config":
    from uvicorn import Config
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class Cuttable(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.app = lending(self.app, transport)

    class CuttableStream(WebSocketsSansIOProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.app = lending(self.app, self.transport)

    return Config(
        application,
        http=Cuttable,
        ws=CuttableStream,
        ws_max_size=MAX_FRAME,
        ws_ping_interval=None,  # keeping alive is the client's part (API page 12.4)
        ws_per_message_deflate=False,
        ssl_certfile=certificate and certificate.chain,
        ssl_keyfile=certificate and certificate.key,
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,  # the broker's own Date is market time
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def stream_address(address: str) -> str:
    """The stream's address of a served broker; a client adds `connect` (API page 1)."""
    return f"ws{address.removeprefix('http')}/"


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # asyncio sends at once, instead of waiting 40 ms for the client's ACK, on sockets marked as TCP.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())


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
    """The client left before its request was complete: no broker acts on half a request."""


class _App:
    """ASGI over the broker; each request runs in its own thread, so a slow one does not block others."""

    def __init__(
        self,
        broker: PaperBroker,
        clock: Callable[[], datetime],
        troubled: Callable[[str], None],
        manner: Manner = Manner(),
    ) -> None:
        self._manner = manner
        self._broker = broker
        self._clock = clock
        self._troubled = troubled
        self._trouble = ""
        self._channel = Channel(broker, clock)

    @property
    def quotes_sent(self) -> int:
        return self._channel.sent

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self._is_ours(_headers(scope).get("host", "localhost")):
                await self._channel(scope, receive, send)
            else:
                await refuse(receive, send, 403)
        elif scope["type"] == "http":
            try:
                body = await _body(receive)
            except CutShort:
                return
            response = await self._answer(scope, body)
            if self._manner.log:
                self._manner.log(f"{scope['method']} {scope['path']} {response.status or 'no answer'}")
            if self._manner.latency_s:
                await asyncio.sleep(self._manner.latency_s)
            if response.connection_fault:
                await spoil(scope, receive, send, response, response.connection_fault)
            else:
                await reply(send, response)

    async def _answer(self, scope: Event, body: bytes | None) -> Response:
        if body is None:
            return Response(413, _PLAIN, b"{}")
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers, at = _headers(scope), self._clock()
        if not self._is_ours(headers.get("host", "localhost")):
            return Response(403, _PLAIN, b"{}")
        request = Request(scope["method"], scope["path"], query, headers, body, at)
        try:
            response = await asyncio.to_thread(self._broker.handle, request)
        except PaperFileUnusable as error:
            self._report(f"500 until it is mended: {error.message}")
            return Response(500, _PLAIN, b'{"errorCode":"error.internal"}')
        self._trouble = ""
        if request.path == SESSION and request.method != "GET":
            self._channel.refresh()
        return response

    def _is_ours(self, host: str) -> bool:
        if self._manner.knows(host):
            return True
        named = f"the Host header names {host[:60]!a}"
        self._report(f"403: {named}; only loopback names are served, and those of --name.")
        return False

    def _report(self, why: str) -> None:
        """Call `troubled` once for each new reason."""
        if why != self._trouble:
            self._trouble = why
            self._troubled(why)


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None if it is longer than a mebibyte."""
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


def _headers(scope: Event) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def lending(application: Application, connection: asyncio.Transport) -> Application:
    """Add the connection to the scope of each request."""

    async def lent(scope: Event, receive: Receive, send: Send) -> None:
        await application({**scope, CONNECTION: connection}, receive, send)

    return lent


async def reply(send: Send, response: Response) -> None:
    await _begin(send, response)
    await send({"type": "http.response.body", "body": response.body})


async def spoil(
    scope: Event, receive: Receive, send: Send, response: Response, connection_fault: ConnectionFault
) -> None:
    """Delay, break off or drop an answer on a real connection."""
    await asyncio.sleep(connection_fault.wait_s)
    if connection_fault.cut is Cut.NOWHERE:
        await reply(send, response)
        return
    connection: asyncio.Transport = scope[CONNECTION]
    if connection_fault.cut is Cut.IN_BODY:
        await _begin(send, response)
        half = response.body[: len(response.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        connection.close()
    else:  # RST instead of FIN: zero linger time drops unsent data
        connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        connection.abort()
    await receive()  # until the connection is gone: for an answer that is missing before, uvicorn sends a 500


async def _begin(send: Send, response: Response) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
