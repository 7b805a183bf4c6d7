"""Reads with the session, in one lane: an answer as a wire struct, or as the raw rows of its list."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from capcli.broker import requests, wire
from capcli.broker.answers import OK
from capcli.broker.calls import Calls
from capcli.broker.failures import refused
from capcli.broker.requests import Ask
from capcli.broker.session import Sessions
from capcli.broker.transport import Headers, Reply, Wire
from capcli.errors import UnreadableAnswer
from capcli.ports import Clock, Lane

_Shape = TypeVar("_Shape")

SECOND = timedelta(seconds=1)


class Reader:
    """Each read logs in on demand and is repeated as `retry` says. Raises the errors of `failures`."""

    def __init__(self, host: Wire, calls: Calls, sessions: Sessions, clock: Clock, lane: Lane) -> None:
        self._host = host
        self._calls = calls
        self._sessions = sessions
        self._clock = clock
        self.lane = lane

    def in_lane(self, lane: Lane) -> "Reader":
        return Reader(self._host, self._calls, self._sessions, self._clock, lane)

    def read(self, ask: Ask) -> Reply:
        """Return the answer, whatever its status."""
        return self._sessions.read(replace(ask, lane=self.lane))[1]

    def get(self, ask: Ask, shape: type[_Shape]) -> _Shape:
        return decoded(self.read(ask), shape, ask)

    def rows(self, ask: Ask, key: str) -> tuple[msgspec.Raw, ...]:
        """Return the list under a key of the answer."""
        return rows_of(self.read(ask), key, ask)

    def server_time(self) -> datetime:
        """GET /time, which needs no login; by the answer's own date where it holds no time."""
        reply = self._calls.patient(replace(requests.TIME, lane=self.lane), Headers())
        try:
            return decoded(reply, wire.ServerTime, requests.TIME).server_time
        except UnreadableAnswer:
            if reply.broker_time is None:
                raise
            return reply.broker_time

    def time(self) -> datetime:
        """Return the broker's clock; makes a request if no answer had it yet."""
        return self._host.broker_time() or self.server_time()

    def answered_at(self, reply: Reply) -> datetime:
        return reply.broker_time or self._host.broker_time() or self._clock()

    def not_future(self, at: datetime) -> datetime:
        """Cap the end of a window: one in the broker's future is refused (API page 11)."""
        return min(at.astimezone(UTC), self.time() - SECOND)


def decoded(reply: Reply, shape: type[_Shape], ask: Ask) -> _Shape:
    if reply.status != OK:
        raise refused(ask.endpoint, reply.status, reply.body)
    return wire.decode(reply.body, shape, ask.endpoint)


def rows_of(reply: Reply, key: str, ask: Ask) -> tuple[msgspec.Raw, ...]:
    if reply.status != OK:
        raise refused(ask.endpoint, reply.status, reply.body)
    return wire.rows(reply.body, key, ask.endpoint)
