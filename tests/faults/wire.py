"""A transport that breaks on purpose: what goes wrong is scripted, request by request, and logged.

A fault gets the request and a way to pass it on, and answers or raises as the network would:

    wire.on("POST", "/positions", after(httpx.ReadTimeout))       the broker has it, the answer is lost
    wire.on("GET", "/confirms", not_before(time, 4), times=99)    confirmations come four seconds late
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import httpx

PREFIX = "/api/v1"
ORDER_PATHS = ("/positions", "/workingorders")
ALWAYS = 1_000_000

Forward = Callable[[httpx.Request], httpx.Response]
Fault = Callable[[httpx.Request, Forward], httpx.Response]
Json = dict[str, Any]


@dataclass
class Seen:
    """One request at the seam between capcli and the broker."""

    method: str
    path: str
    body: bytes
    durable: bool | None = None  # of an order: the journal said SENDING before the first byte left
    reached: bool = False  # the broker got it

    @property
    def is_order(self) -> bool:
        return self.method == "POST" and self.path in ORDER_PATHS

    @property
    def body_sha256(self) -> str:
        return sha256(self.body).hexdigest()


@dataclass
class Rule:
    """A fault and the requests that it hits: after `skip` of them, the next `times`."""

    method: str | None
    path: str
    fault: Fault
    times: int
    skip: int

    def hits(self, seen: Seen) -> bool:
        if self.times < 1 or self.method not in {None, seen.method} or not seen.path.startswith(self.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class FaultTransport(httpx.BaseTransport):
    """Any transport with faults in front of it. `journal` is looked at when an order leaves, by its own eyes.

    `log` is a file that several processes may share: one JSON line when a request leaves, one when the broker
    is handed it, so that a kill in between shows.
    """

    inner: httpx.BaseTransport
    journal: Path | None = None
    log: Path | None = None
    seen: list[Seen] = field(default_factory=list)
    _rules: list[Rule] = field(default_factory=list)
    _lock: Any = field(default_factory=Lock)

    def on(self, method: str | None, path: str, fault: Fault, *, times: int = 1, skip: int = 0) -> None:
        """Break requests whose method matches (None: any) and whose path begins with `path`."""
        self._rules.append(Rule(method, path, fault, times, skip))

    def mend(self) -> None:
        """Take every fault away."""
        self._rules.clear()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        seen = Seen(request.method, request.url.path.removeprefix(PREFIX), request.read())
        if seen.is_order:
            seen.durable = self._is_durable(seen)
        with self._lock:
            self.seen.append(seen)
            rule = next((rule for rule in self._rules if rule.hits(seen)), None)
        self._note("left", seen)

        def forward(passed: httpx.Request) -> httpx.Response:
            # Before the call: a broker that was handed the request may have it, whatever comes next.
            seen.reached = True
            self._note("reached", seen)
            return self.inner.handle_request(passed)

        return rule.fault(request, forward) if rule else forward(request)

    def close(self) -> None:
        self.inner.close()

    def calls(self, method: str | None = None) -> list[str]:
        """Return `METHOD /path` of every request so far."""
        return [f"{one.method} {one.path}" for one in self.seen if method in {None, one.method}]

    def _is_durable(self, seen: Seen) -> bool | None:
        if self.journal is None:
            return None
        with closing(sqlite3.connect(f"{self.journal.as_uri()}?mode=ro", uri=True)) as db:
            query = "SELECT count(*) FROM attempts WHERE state = 'SENDING' AND body_sha256 = ? AND path = ?"
            return db.execute(query, (seen.body_sha256, seen.path)).fetchone()[0] > 0

    def _note(self, what: str, seen: Seen) -> None:
        if self.log is None:
            return
        entry = {"what": what, "method": seen.method, "path": seen.path, "body": seen.body.decode()}
        line = json.dumps(entry | {"durable": seen.durable, "at": time.time()}).encode() + b"\n"
        handle = os.open(self.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


def read_log(log: Path) -> list[Seen]:
    """Return what several processes wrote to one log; `reached` where the broker was handed it."""
    seen: list[Seen] = []
    for line in log.read_text().splitlines() if log.exists() else []:
        entry = json.loads(line)
        one = Seen(entry["method"], entry["path"], entry["body"].encode(), entry["durable"])
        if entry["what"] == "left":
            seen.append(one)
            continue
        next(past for past in seen if _same(past, one) and not past.reached).reached = True
    return seen


def _same(one: Seen, other: Seen) -> bool:
    return (one.method, one.path, one.body) == (other.method, other.path, other.body)


# Faults. The first three are the wire, the rest are what a broker or something in front of it says.


def passes(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Let it through."""
    return forward(request)


def before(error: type[Exception]) -> Fault:
    """Raise before the broker sees anything."""

    def fault(_request: httpx.Request, _forward: Forward) -> httpx.Response:
        raise error("scripted")

    return fault


def after(error: type[Exception]) -> Fault:
    """Raise after the broker did what it was asked."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        forward(request)
        raise error("scripted")

    return fault


def cut_body(error: type[Exception] = httpx.RemoteProtocolError) -> Fault:
    """Break off in the middle of the answer's body."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=_Half(answer.read(), error))

    return fault


class _Half(httpx.SyncByteStream):
    def __init__(self, content: bytes, error: type[Exception]) -> None:
        self._content = content
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[: len(self._content) // 2]
        raise self._error("scripted")


def says(
    status: int, body: object | None = None, *, text: str | None = None, **headers: str
) -> httpx.Response:
    """Return an answer: JSON of the broker, or text of something in front of it."""
    if text is not None:
        return httpx.Response(status, text=text, headers=headers)
    return httpx.Response(status, json=body, headers=headers)


def instead(*answer: Any, **more: Any) -> Fault:
    """Answer in the broker's place; it never sees the request. Takes what `says` takes."""

    def fault(_request: httpx.Request, _forward: Forward) -> httpx.Response:
        return says(*answer, **more)

    return fault


def although(*answer: Any, **more: Any) -> Fault:
    """Let the broker do it, and give another answer. Takes what `says` takes."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        forward(request)
        return says(*answer, **more)

    return fault


def edited(change: Callable[[Json], Json]) -> Fault:
    """Change the JSON of an answer that is 200."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if answer.status_code != httpx.codes.OK:
            return answer
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(200, json=change(answer.json()), headers=headers)

    return fault


def asked(change: Callable[[Json], Json]) -> Fault:
    """Change the JSON of a request on its way, as a broker that ignores a field would."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        body = change(json.loads(request.content))
        return forward(httpx.Request(request.method, request.url, headers=headers, json=body))

    return fault


def stop_dropped() -> Fault:
    """Open the order without the stop that it asks for."""
    return asked(lambda body: {key: value for key, value in body.items() if not key.startswith("stop")})


def shortened(key: str, keep: int = 0) -> Fault:
    """Answer with the first rows of a list only."""
    return edited(lambda body: body | {key: body[key][:keep]})


def late_rows(now: Callable[[], datetime], seconds: float) -> Fault:
    """Hold activity rows back for some time (API page 15, trap 12)."""

    def change(body: Json) -> Json:
        edge = (now() - timedelta(seconds=seconds)).replace(tzinfo=None)
        rows = [row for row in body["activities"] if datetime.fromisoformat(row["dateUTC"]) <= edge]
        return body | {"activities": rows}

    return edited(change)


def not_before(now: Callable[[], datetime], seconds: float) -> Fault:
    """Say 404 from the first question on, for some time; then the truth."""
    first: list[datetime] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        first.append(now())
        if now() - first[0] < timedelta(seconds=seconds):
            return says(404, {"errorCode": "error.not-found.dealReference"})
        return forward(request)

    return fault


def delayed(sleep: Callable[[float], None], seconds: float, fault: Fault = passes) -> Fault:
    """Take some time first."""

    def slow(request: httpx.Request, forward: Forward) -> httpx.Response:
        sleep(seconds)
        return fault(request, forward)

    return slow


def meanwhile(deed: Callable[[], object], fault: Fault = passes, *, first: bool = True) -> Fault:
    """Let somebody else do something just before, or just after, the broker gets the request."""

    def busy(request: httpx.Request, forward: Forward) -> httpx.Response:
        if first:
            deed()
        answer = fault(request, forward)
        if not first:
            deed()
        return answer

    return busy


def session_lost() -> Fault:
    """Say that the tokens are no longer valid."""
    return instead(401, {"errorCode": "error.invalid.session.token"})


def too_many() -> Fault:
    """Say 429 as the broker does; with `times` it is a burst."""
    return instead(429, {"errorCode": "error.too-many.requests"})
