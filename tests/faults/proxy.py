"""A loopback proxy in front of a served broker that breaks connections for real: resets, halves, silence.

It speaks just enough HTTP/1.1 to see where a request or an answer ends, ends every connection after one
exchange (so that each request has a connection of its own to break), and hits order POSTs only.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from tests.faults.wire import PREFIX, Seen

HOST = "127.0.0.1"
GATEWAY = b"<html><title>Bad Gateway</title></html>"
_READY_S = 10


@dataclass
class Exchange:
    """One request of a client, and the way on to the broker."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes
    body: bytes
    seen: Seen
    upstream: tuple[str, int]

    async def forward(self) -> bytes:
        """Pass the request on and return the broker's whole answer."""
        self.seen.reached = True
        reader, writer = await asyncio.open_connection(*self.upstream)
        try:
            writer.write(self.head + self.body)
            await writer.drain()
            head, body = await read_message(reader)
            return head.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + body
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def answer(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        reset(self.writer)


Deed = Callable[[Exchange], Awaitable[None]]


def reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one HTTP message that says its length."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(_length(head))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def _plain(status: str, body: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    ).encode() + body


# What can happen to an order's POST.


async def passes(exchange: Exchange) -> None:
    await exchange.answer(await exchange.forward())


async def reset_after_body(exchange: Exchange) -> None:
    await exchange.forward()
    exchange.reset()


async def closed_without_answer(exchange: Exchange) -> None:
    await exchange.forward()


async def half_of_the_headers(exchange: Exchange) -> None:
    head, _, _ = (await exchange.forward()).partition(b"\r\n\r\n")
    await exchange.answer(head[: len(head) // 2])


async def half_of_the_body(exchange: Exchange) -> None:
    head, end, body = (await exchange.forward()).partition(b"\r\n\r\n")
    await exchange.answer(head + end + body[: len(body) // 2])


async def silence(exchange: Exchange) -> None:
    await exchange.reader.read()


async def silence_after_forwarding(exchange: Exchange) -> None:
    await exchange.forward()
    await exchange.reader.read()


async def gateway_error_after(exchange: Exchange) -> None:
    await exchange.forward()
    await exchange.answer(_plain("502 Bad Gateway", GATEWAY))


async def unavailable_before(exchange: Exchange) -> None:
    await exchange.answer(_plain("503 Service Unavailable", GATEWAY))


@dataclass
class Proxy:
    """The proxy in a thread of its own. Set `deed` to break the next orders; see also the two gates."""

    upstream: tuple[str, int]
    deed: Deed = passes
    reset_on_accept: bool = False
    reset_in_request: bool = False
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    _loop: Any = None
    _server: Any = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def shut(self) -> None:
        """Close the port: nobody listens there any more."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(_READY_S)

    async def _shut(self) -> None:
        self._server.close()

    async def serve(self, ready: Event, done: asyncio.Event) -> None:
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.reset_on_accept:
            # A reset before the client has written anything fails its connect, which proves NOT_SENT.
            await reader.read(1)
            reset(writer)
            return
        try:
            await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.reset_in_request:
            await reader.readexactly(20)
            reset(writer)
            return
        head, body = await read_message(reader)
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        seen = Seen(method, target.partition("?")[0].removeprefix(PREFIX), body)
        self.seen.append(seen)
        exchange = Exchange(reader, writer, head, body, seen, self.upstream)
        await (self.deed if seen.is_order else passes)(exchange)


@contextmanager
def proxied(upstream: tuple[str, int]) -> Iterator[Proxy]:
    """Run a proxy in front of an address."""
    proxy, ready = Proxy(upstream), Event()
    done: list[asyncio.Event] = []

    async def main() -> None:
        proxy._loop = asyncio.get_running_loop()
        done.append(asyncio.Event())
        await proxy.serve(ready, done[0])
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(_READY_S)
    try:
        yield proxy
    finally:
        proxy._loop.call_soon_threadsafe(done[0].set)
        thread.join(_READY_S)
        assert not thread.is_alive()
