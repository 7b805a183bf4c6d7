"""The paper broker behind httpx: requests are answered in the caller's thread, nothing leaves the process."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import httpx

from capcli.paper.broker import PaperBroker
from capcli.paper.messages import ConnectionFault, Cut, Request


class PaperTransport(httpx.BaseTransport):
    """`sleep` waits for delayed answers."""

    def __init__(
        self, path: Path, clock: Callable[[], datetime], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._broker = PaperBroker(path)
        self._clock = clock
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as over a wire: with its length, without a body to HEAD, and with any injected fault."""
        response = self._broker.handle(
            Request(
                request.method,
                request.url.path,
                dict(request.url.params),
                {name.lower(): value for name, value in request.headers.items()},
                request.read(),
                self._clock(),
            )
        )
        connection_fault = response.connection_fault or ConnectionFault()
        self._wait(request, connection_fault.wait_s)
        if connection_fault.cut is Cut.BEFORE_ANSWER:
            raise httpx.ReadError("[Errno 104] Connection reset by peer", request=request)
        headers = {**response.headers, "Content-Length": str(len(response.body))}
        body = b"" if request.method == "HEAD" else response.body
        if response.connection_fault:
            stream = _Body(body, request, broken=connection_fault.cut is Cut.IN_BODY)
            return httpx.Response(response.status, headers=headers, stream=stream, request=request)
        return httpx.Response(response.status, headers=headers, content=body, request=request)

    def _wait(self, request: httpx.Request, seconds: float) -> None:
        patience = request.extensions.get("timeout", {}).get("read")
        if patience is not None and seconds > patience:
            self._sleep(patience)
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        if seconds:
            self._sleep(seconds)

    def close(self) -> None:
        self._broker.close()


class _Body(httpx.SyncByteStream):
    """A complete body, or half of one."""

    def __init__(self, body: bytes, request: httpx.Request, *, broken: bool) -> None:
        self._body = body
        self._request = request
        self._broken = broken

    def __iter__(self) -> Iterator[bytes]:
        if not self._broken:
            yield self._body
            return
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body", request=self._request
        )
