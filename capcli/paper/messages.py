"""The values that cross the paper broker's edge: a request in; a response or a refusal out."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto

from msgspec import Struct

PREFIX = "/api/v1"


class Request(Struct, frozen=True):
    """One HTTP request; header names in lower case, `at` is the real instant it arrived (aware UTC)."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: datetime


class Cut(Enum):
    """Where the connection breaks."""

    NOWHERE = auto()
    BEFORE_ANSWER = auto()  # nothing of the answer arrives
    IN_BODY = auto()  # status, headers and half of the body arrive


class ConnectionFault(Struct, frozen=True):
    """A fault injected into an answer; `transport` and `serve` apply it.

    The request has been handled by then: a wait delays its answer, a cut breaks it off.
    """

    wait_s: float = 0
    cut: Cut = Cut.NOWHERE


class Response(Struct, frozen=True):
    status: int  # 0 without an answer: the request was lost before it was handled
    headers: Mapping[str, str]
    body: bytes
    connection_fault: ConnectionFault | None = None


class Refusal(Exception):
    """A handler's refusal: a 4xx with the broker's error code.

    `tokens`: whether the answer carries the session's tokens; two published ones do not (API page 2.2).

    `bare`: replaces its code (API pages 4.1, 18.14) with a framework's JSON, nothing or a text.
    """

    def __init__(self, status: int, code: str, *, tokens: bool = True, bare: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.tokens = tokens
        self.bare = bare
