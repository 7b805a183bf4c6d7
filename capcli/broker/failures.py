"""Broker and network failures as capcli's errors, in one table. Broker text is only data."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import httpx
from msgspec import Struct

from capcli.broker.answers import OK, UNAUTHORIZED, clean, error_code, json_object
from capcli.broker.retry import SESSION_LOST, is_glitch
from capcli.domain.broker_codes import EPIC_UNKNOWN, NO_ACCOUNT, WATCHLIST_UNKNOWN, base_code
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    ConfigError,
    DealUnknown,
    EpicUnknown,
    LoginRefused,
    NameUnknown,
    NotTheBroker,
    RateLimited,
    ReadTimeout,
    TlsFailed,
    Unreachable,
    WatchlistUnknown,
)

HEALTH = "capcli health"
LOGIN = "capcli login"

PRICES_EMPTY = "error.prices.not-found"
SAME_ACCOUNT = "error.not-different.accountId"
UNKNOWN_ACCOUNT = frozenset({"error.invalid.accountId", "error.switch.invalid-accountId"})

_FORBIDDEN = 403
_CLIENT_ERRORS = range(400, 500)


class Meaning(Struct, frozen=True):
    """What an errorCode means, in plain words."""

    error: type[CapcliError]
    says: str
    next: str | None = HEALTH


_WRONG_PASSWORD = Meaning(
    LoginRefused,
    "Authentication failed: the broker refused the user or the password. CAP_API_PASSWORD is the API key's "
    "own password, the one typed when the key was made, not the login password.",
    LOGIN,
)
_WRONG_KEY = Meaning(
    LoginRefused,
    "401 Unauthorized: the API key is unknown, paused or expired. "
    "Generate a new key under Settings > API integrations.",
    LOGIN,
)
_NO_ACCOUNT = Meaning(
    LoginRefused,
    "Environment mismatch: this login has no account on this host. "
    "The key belongs to the other environment (demo or live); check CAP_ENV and --env.",
)
_EPIC = Meaning(EpicUnknown, "The broker has no market under this epic.", "capcli markets search TERM")
_DEAL = Meaning(DealUnknown, "The broker has no position or order under this deal id.", "capcli positions")
_WATCHLIST = Meaning(WatchlistUnknown, "The broker has no watchlist under this id.", "capcli watchlists")
_SESSION = Meaning(
    LoginRefused,
    "Session expired: the broker ended the session and refused the new one as well. "
    "Another program may be logging in with the same key.",
    LOGIN,
)

# Codes of API page 4.2; the second name of a pair is the one used before 2023.
TABLE: Mapping[str, Meaning] = MappingProxyType(
    {
        "error.invalid.details": _WRONG_PASSWORD,
        "error.security.invalid-details": _WRONG_PASSWORD,
        "error.null.api.key": _WRONG_KEY,
        "error.invalid.api.key": _WRONG_KEY,
        "error.security.api-key-missing": _WRONG_KEY,
        NO_ACCOUNT: _NO_ACCOUNT,
        "error.not-found.dealId": _DEAL,
        "error.positions.dealId.not-found": _DEAL,
        "error.workingorders.dealId.not-found": _DEAL,
        **dict.fromkeys(EPIC_UNKNOWN, _EPIC),
        **dict.fromkeys(WATCHLIST_UNKNOWN, _WATCHLIST),
        **dict.fromkeys(SESSION_LOST, _SESSION),
    }
)


def refused(endpoint: str, status: int, body: bytes) -> CapcliError:
    """Return the error for an answer to a read that is not 200."""
    code = error_code(body)
    facts = {"http_status": status, "broker_code": clean(code) if code else None}
    if is_glitch(status, code):
        why = clean(code) if code else f"status {status}"
        return Unreachable(
            f"Server not responding: {endpoint} failed at the broker ({why}), twice.", next=HEALTH, **facts
        )
    meaning = TABLE.get(base_code(code))
    if meaning is not None:
        return meaning.error(meaning.says, next=meaning.next, **facts)
    if status == UNAUTHORIZED:
        named = f" ({clean(code)})" if code else ""
        return LoginRefused(
            f"401 Unauthorized: the broker refused {endpoint}{named}, after a new login too.",
            next=LOGIN,
            **facts,
        )
    if json_object(body) is None or status not in _CLIENT_ERRORS:
        return not_json(endpoint, status)
    return BrokerRefused(f"The broker refused {endpoint}: {_why(status, code)}.", next=HEALTH, **facts)


def login_refused(status: int, body: bytes) -> CapcliError:
    """Return the error for a login without a 200."""
    code = error_code(body)
    if base_code(code) in TABLE or is_glitch(status, code) or status not in _CLIENT_ERRORS:
        return refused("the login", status, body)
    if json_object(body) is None:
        return not_json("the login", status)
    begins = "401 Unauthorized" if status == UNAUTHORIZED else "Authentication failed"
    return LoginRefused(
        f"{begins}: the broker refused the login ({_why(status, code)}).",
        next=LOGIN,
        http_status=status,
        broker_code=clean(code) if code else None,
    )


def not_json(endpoint: str, status: int) -> Unreachable:
    """Return the error for an answer that is not the broker's."""
    what = "a redirect" if status // 100 == 3 else "no JSON"  # noqa: PLR2004
    likely = "A proxy or captive portal between this computer and the broker is a likely cause"
    fix = "sign in to this network in a browser, or take HTTPS_PROXY and ALL_PROXY out of the environment"
    if status == _FORBIDDEN:
        likely += "; the broker's own gate may also block this network, a VPN or a country"
        fix += "; else try another network, without a VPN, and ask the broker's support"
    return NotTheBroker(
        f"Server not responding: the answer to {endpoint} is {what} (status {status}), so it is not the "
        f"API's. {likely}.",
        next=HEALTH,
        http_status=status,
        fix=fix,
    )


def session_expired() -> LoginRefused:
    """Return the error for a session that was lost again right after a new login."""
    return LoginRefused(_SESSION.says, next=_SESSION.next)


def rate_limited(endpoint: str, retry_after_s: int) -> RateLimited:
    """Return the error for repeated 429 answers."""
    return RateLimited(
        f"Rate limit exceeded: the broker keeps answering 429 to {endpoint}. "
        f"Wait {retry_after_s} s and try again.",
        next=HEALTH,
        retry_after_s=retry_after_s,
        fix=f"wait {retry_after_s} s",
    )


def account_unknown(wanted: str, known: tuple[str, ...]) -> ConfigError:
    """Return the error for an account that this login does not have."""
    there = ", ".join(clean(account, 32) for account in known) or "none"
    return ConfigError(
        f"Account {clean(wanted, 32)} is not one of this login's accounts ({there}). "
        "Set CAP_DEFAULT_ACCOUNT_ID or --account to one of them.",
        accounts=list(known),
    )


NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    # Raised for the answer to CONNECT alone (httpcore's http_proxy.py): the request waits behind it.
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""The exceptions that prove that no byte of the request left (order-safety, Classify)."""


def network_failure(
    error: httpx.HTTPError | httpx.InvalidURL, endpoint: str, host: str, timeout_s: float
) -> CapcliError:
    """Return the error for a read without an answer. httpx's own text is left out: it can quote a header."""
    if isinstance(error, NOT_SENT):
        kind, fix = (
            Unreachable,
            "check the network, HTTPS_PROXY and ALL_PROXY, and CAP_API_URL where it is set",
        )
        for cause in _causes(error):
            if isinstance(cause, socket.gaierror):
                kind, fix = (
                    NameUnknown,
                    "check this computer's network and its resolver (DNS), a VPN included",
                )
            elif isinstance(cause, ssl.SSLError):
                kind = TlsFailed
                fix = "name the authority of this network in SSL_CERT_FILE, or use another network"
        return kind(
            f"Server not responding: {host} cannot be reached ({connect_reason(error)}). Nothing was sent.",
            next=HEALTH,
            host=host,
            fix=fix,
        )
    if isinstance(error, httpx.TimeoutException):
        return ReadTimeout(
            f"Server not responding: no answer to {endpoint} within {timeout_s:g} s.", next=HEALTH, host=host
        )
    if isinstance(error, httpx.DecodingError):
        return not_json(endpoint, OK)
    return Unreachable(
        f"Server not responding: the connection to {host} broke during {endpoint} ({type(error).__name__}).",
        next=HEALTH,
        host=host,
    )


def connect_reason(error: BaseException) -> str:
    """Say why there was no connection, from the operating system's error below httpx's."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "DNS: the name is not known"
        if isinstance(cause, ssl.SSLError):
            reason = (
                getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "handshake failed"
            )
            return clean(f"TLS: {reason.replace('_', ' ').lower()}", 80)
        if isinstance(cause, OSError) and cause.strerror:
            return clean(cause.strerror, 80)
    if isinstance(error, httpx.TimeoutException):
        return "no connection in time"
    if isinstance(error, httpx.ProxyError):
        return clean(f"the proxy refused it: {error}", 80)
    return "the connection could not be made"


def _causes(error: BaseException) -> Iterator[BaseException]:
    # httpcore raises `from None`: `__cause__` is empty, `__context__` still has the error.
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        yield step
        step = step.__cause__ or step.__context__


def _why(status: int, code: str | None) -> str:
    return clean(code) if code else f"status {status}, no reason given"
