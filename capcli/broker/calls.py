"""Sends requests that may be repeated (see `retry`): reads, logins and account switches. No changes."""

import httpx

from capcli.broker.failures import network_failure, rate_limited
from capcli.broker.limits import Pace, RequestKind
from capcli.broker.requests import Ask
from capcli.broker.retry import BACKOFF_S, DROPPED, GLITCH_S, is_busy, is_glitch
from capcli.broker.transport import Headers, Reply, Wire
from capcli.errors import CapcliError, RateLimited


class Calls:
    """Sends a repeatable request; waits and repeats on temporary failures."""

    def __init__(self, wire: Wire, pace: Pace) -> None:
        self._wire = wire
        self._pace = pace

    def patient(self, ask: Ask, headers: Headers, *, login: bool = False) -> Reply:
        """Return the broker's answer, except 429. Raises Unreachable, ReadTimeout and RateLimited."""
        for wait_s in BACKOFF_S:
            reply = self._answer(ask, headers, login=login)
            if not is_busy(reply.status):
                return reply
            # Recorded for all processes of the user, so that none runs into the limit.
            self._pace.back_off(wait_s, login=login)
        reply = self._answer(ask, headers, login=login)
        if is_busy(reply.status):
            raise rate_limited(ask.endpoint, RateLimited.after_login_s if login else int(BACKOFF_S[-1] * 2))
        return reply

    def once(self, ask: Ask, headers: Headers) -> Reply | None:
        """Return the broker's answer to a single try; None where the connection broke."""
        found = self._attempt(ask, headers, login=False)
        return found if isinstance(found, Reply) else None

    def _answer(self, ask: Ask, headers: Headers, *, login: bool) -> Reply:
        first = self._attempt(ask, headers, login=login)
        if isinstance(first, Reply) and not is_glitch(first.status, first.code):
            return first
        self._pace.sleep(GLITCH_S)
        second = self._attempt(ask, headers, login=login)
        if isinstance(second, CapcliError):
            raise second
        return second

    def _attempt(self, ask: Ask, headers: Headers, *, login: bool) -> Reply | CapcliError:
        """Return the answer, or the error of a broken connection. Raises errors that a retry cannot fix."""
        try:
            with self._pace.turn(ask.lane, RequestKind.LOGIN if login else RequestKind.PLAIN):
                return self._wire.exchange(ask, headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            dropped = isinstance(error, DROPPED)
            failure = network_failure(error, ask.endpoint, self._wire.host, self._wire.read_timeout_s)
        # Raised out here, so that no traceback leads into httpx, whose request carries the tokens.
        if dropped:
            return failure
        raise failure
