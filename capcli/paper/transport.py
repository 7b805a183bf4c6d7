"""The paper broker behind httpx: requests are answered in the caller's thread, nothing leaves the process."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx

from capcli.paper.broker import PaperBroker
from capcli.paper.messages import Request


class PaperTransport(httpx.BaseTransport):
    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._broker = PaperBroker(path)
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
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
        return httpx.Response(
            response.status, headers=dict(response.headers), content=response.body, request=request
        )

    def close(self) -> None:
        self._broker.close()
