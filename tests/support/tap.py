"""A transport around another: writes down every request, and lets tests break the wire at chosen places."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import httpx

PREFIX = "/api/v1"

Break = Exception | httpx.Response | Callable[[httpx.Request], httpx.Response | None]


@dataclass
class Fault:
    """What happens to matching requests: before the broker sees them, or to the answer afterwards."""

    method: str
    path: str
    before: Break | None
    after: Break | None
    times: int

    def matches(self, request: httpx.Request) -> bool:
        path = request.url.path.removeprefix(PREFIX)
        return self.times > 0 and request.method == self.method and path.startswith(self.path)


class Tap(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self._faults: list[Fault] = []
        self._lock = Lock()
        self.requests: list[httpx.Request] = []

    def breaks(
        self,
        method: str,
        path: str,
        *,
        before: Break | None = None,
        after: Break | None = None,
        times: int = 1,
    ) -> None:
        """Break the next `times` requests whose path begins with `path`."""
        self._faults.append(Fault(method, path, before, after, times))

    def mend(self) -> None:
        self._faults.clear()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with self._lock:
            self.requests.append(request)
            fault = next((fault for fault in self._faults if fault.matches(request)), None)
            if fault is not None:
                fault.times -= 1
        if fault is None:
            return self._inner.handle_request(request)
        return _broken(fault.before, request) or self._answer(fault, request)

    def _answer(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        return _broken(fault.after, request) or answer

    def seen(self, method: str | None = None) -> list[str]:
        """Return `METHOD /path` of every request so far, or of those with a method."""
        return [
            f"{request.method} {request.url.path.removeprefix(PREFIX)}"
            for request in self.requests
            if method in {None, request.method}
        ]

    def orders(self) -> list[bytes]:
        """Return the bodies of the orders that were sent."""
        return [
            request.content
            for request in self.requests
            if request.method == "POST" and request.url.path.endswith(("/positions", "/workingorders"))
        ]

    def close(self) -> None:
        self._inner.close()


def _broken(fault: Break | None, request: httpx.Request) -> httpx.Response | None:
    if isinstance(fault, Exception):
        raise fault
    if isinstance(fault, httpx.Response):
        return httpx.Response(fault.status_code, content=fault.content, headers=fault.headers)
    return fault(request) if fault is not None else None


def says(status: int, body: object | None = None, text: str | None = None) -> httpx.Response:
    """Return an answer of the broker, or of something in front of it when it is text."""
    return httpx.Response(status, json=body) if text is None else httpx.Response(status, text=text)
