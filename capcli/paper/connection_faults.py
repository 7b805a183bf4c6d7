"""Mishaps on a real connection: an answer that waits, breaks off or never comes."""

import asyncio
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from capcli.paper.messages import Cut, Mishap, Response

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Event, Receive, Send], Awaitable[None]]
CONNECTION = "capcli.connection"  # a scope key of our own
_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def lending(application: Application, connection: asyncio.Transport) -> Application:
    """The application, told which connection each of its requests came over."""

    async def told(scope: Event, receive: Receive, send: Send) -> None:
        await application({**scope, CONNECTION: connection}, receive, send)

    return told


async def reply(send: Send, response: Response) -> None:
    await _begin(send, response)
    await send({"type": "http.response.body", "body": response.body})


async def spoil(scope: Event, receive: Receive, send: Send, response: Response, mishap: Mishap) -> None:
    await asyncio.sleep(mishap.wait_s)
    if mishap.cut is Cut.NOWHERE:
        await reply(send, response)
        return
    if mishap.cut is Cut.IN_BODY:
        await _begin(send, response)
        half = response.body[: len(response.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        scope[CONNECTION].close()
    else:
        _reset(scope[CONNECTION])
    await (
        receive()
    )  # returns when the connection is gone: an answer that is missing before is a 500 of uvicorn


async def _begin(send: Send, response: Response) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


def _reset(connection: asyncio.Transport) -> None:
    """RST in place of FIN: lingering for no time drops what is unsent."""
    connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    connection.abort()
