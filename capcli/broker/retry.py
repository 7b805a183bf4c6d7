"""When a request is repeated: reads, logins and account switches only. A change is sent once.

- 429: after 1, 2 and 4 seconds, in which no process of this user sends anything.
- A 5xx, a Java class name as the code, or a connection that broke: once, after half a second.
- A lost session: after a new login; more than once only while other processes renew it too.
"""

import httpx

from capcli.broker.answers import UNAUTHORIZED
from capcli.domain.broker_codes import base_code

BACKOFF_S = (1.0, 2.0, 4.0)
"""Waits after a 429. The broker sends no Retry-After."""

GLITCH_S = 0.5
MOST_RENEWALS = 3

DROPPED = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
"""A connection that broke under a request, such as a kept one that the broker closed."""

# API page 2.5: the first three are measured, the last two are older names.
SESSION_LOST = frozenset(
    {
        "error.invalid.session.token",
        "error.null.client.token",
        "error.security.client-token-missing",
        "error.security.token-invalid",
        "error.security.account.token.invalid",
    }
)

_TOO_MANY, _SERVER_ERROR = 429, 500
_CLIENT_ERRORS = range(400, _SERVER_ERROR)


def is_busy(status: int) -> bool:
    return status == _TOO_MANY


def is_glitch(status: int, code: str | None) -> bool:
    """Whether a failure is temporary: 5xx, or a Java class name as the code (API page 4.1)."""
    return status >= _SERVER_ERROR or base_code(code).startswith(("java.", "javax."))


def is_session_lost(status: int, code: str | None) -> bool:
    """Whether the tokens are invalid: any 401 (API page 18.13), or the code with another status."""
    return status == UNAUTHORIZED or (status in _CLIENT_ERRORS and base_code(code) in SESSION_LOST)
