"""The venue on a loopback port: answers each endpoint as a test says and remembers what arrived."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .answers import usual

PREFIX = "/api/v1"
TOKENS = {"CST": "cst-of-the-venue", "X-SECURITY-TOKEN": "xst-of-the-venue"}
NO_KEY = "GET /session/encryptionKey"


@dataclass(frozen=True)
class Says:
    """An answer as it is: a status and a body, whatever they are."""

    status: int
    body: Any = b""

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Script:
    """What the venue answers, by endpoint.

    A list is answered one by one, its last one for ever; a function is asked with the script. `pages` are
    functions of the whole path with its query.
    """

    clock: Callable[[], datetime]
    answers: dict[str, Any] = field(default_factory=usual)
    seen: list[str] = field(default_factory=list)
    pages: dict[str, Callable[[str], Any]] = field(default_factory=dict)

    def answer(self, method: str, path: str) -> Says:
        line = f"{method} {path.partition('?')[0].removeprefix(PREFIX)}"
        self.seen.append(line)
        if line in self.pages:
            return Says(200, self.pages[line](path))
        found = self.answers.get(line)
        if isinstance(found, list):
            found = self.answers[line] = deque(found)
        if isinstance(found, deque):
            found = found.popleft() if len(found) > 1 else found[0]
        if callable(found):
            found = found(self)
        if found is None:
            return Says(404, {"errorCode": "error.not-found.dealId"})
        return found if isinstance(found, Says) else Says(200, found)

    def was(self, line: str) -> bool:
        """Say whether a request arrived."""
        return line in self.seen

    def headers(self, line: str) -> dict[str, str]:
        date = {"Date": format_datetime(self.clock(), usegmt=True), "Content-Type": "application/json"}
        return date if line == NO_KEY else date | TOKENS


@contextmanager
def served(script: Script) -> Iterator[str]:
    """Serve a script and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body that follows its headers would wait 40 ms for their receipt

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = script.answer(self.command, self.path)
            self.send_response_only(said.status)
            for name, value in script.headers(script.seen[-1]).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.content)))
            self.end_headers()
            self.wfile.write(said.content)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
