"""One HTTP exchange with the broker's host: address, timeouts, headers, clock. No retries, no sessions."""

import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

import httpx
from msgspec import Struct

from capcli import __version__
from capcli.broker.answers import error_code
from capcli.broker.proxies import Proxy, proxy_for
from capcli.broker.requests import Ask
from capcli.domain.broker_codes import base_code
from capcli.errors import ConfigError
from capcli.ports import PREFIX, Clock

CST = "CST"
SECURITY_TOKEN = "X-SECURITY-TOKEN"  # noqa: S105
API_KEY = "X-CAP-API-KEY"
CONNECT_S = 5.0
MUTATION_READ_S = 30.0
# httpcore's trace says so after the last write of a request (httpcore/_sync/http11.py).
_LAST_BYTE = ".send_request_body.complete"
_JSON = MappingProxyType({"content-type": "application/json"})


class Headers(dict[str, str]):
    """Request headers that hold secrets: they show in no traceback."""

    def __repr__(self) -> str:
        return "Headers(...)"


class Tokens(Struct, frozen=True):
    """The two session tokens, in headers both ways (API page 2.2)."""

    cst: str
    security_token: str

    def __repr__(self) -> str:
        return "Tokens(...)"

    @property
    def headers(self) -> Headers:
        return Headers({CST: self.cst, SECURITY_TOKEN: self.security_token})


class Reply(Struct, frozen=True):
    """What came back, read to the end."""

    status: int
    body: bytes
    tokens: Tokens | None
    broker_time: datetime | None

    def __repr__(self) -> str:
        return f"Reply(status={self.status})"

    @property
    def code(self) -> str:
        """Return its errorCode without what follows the colon; empty for none."""
        return base_code(error_code(self.body))


class Wire:
    """The broker's host. `transport` replaces the network (the paper broker, faults)."""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
        read_timeout_s: float = 10.0,
    ) -> None:
        self._root = base_url.rstrip("/") + PREFIX
        self._clock = clock
        self._transport = transport
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._seen: tuple[datetime, datetime] | None = None
        self._trust: ssl.SSLContext | None = None
        self.host = httpx.URL(base_url).netloc.decode("ascii")
        self.read_timeout_s = read_timeout_s

    def exchange(
        self,
        ask: Ask,
        headers: Headers,
        *,
        mutation: bool = False,
        left: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Send one request, once. Raises httpx's exceptions as they are.

        A mutation has its own read timeout of 30 s, which no setting shortens. `left` is called once the last
        byte of the request has left; on a transport that does not tell, when the exchange is over.
        """
        has_left = False

        def trace(event: str, _info: Mapping[str, Any]) -> None:
            nonlocal has_left
            if event.endswith(_LAST_BYTE):
                has_left = True
                left()

        read_s = MUTATION_READ_S if mutation else self.read_timeout_s
        try:
            response = self.open().request(
                ask.method,
                self._root + ask.path,
                params=ask.params or None,
                content=ask.body,
                headers=Headers({**headers, **_JSON}) if ask.body is not None else headers,
                timeout=httpx.Timeout(read_s, connect=CONNECT_S, pool=CONNECT_S),
                extensions={"trace": trace},
            )
            broker_time = date_of(response.headers.get("date"))
            if broker_time is not None:
                self._seen = (broker_time, self._clock())
            return Reply(response.status_code, response.content, tokens_of(response.headers), broker_time)
        finally:
            if not has_left:
                left()

    def broker_time(self) -> datetime | None:
        """Return the broker's clock: its last Date header, moved on by ours."""
        if self._seen is None:
            return None
        broker_time, ours = self._seen
        return broker_time + (self._clock() - ours)

    def open(self) -> httpx.Client:
        """Return the client, built at first use. Raises ConfigError for an unusable proxy or TLS set-up."""
        with self._lock:
            if self._client is None:
                self._client = self._build()
            return self._client

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _build(self) -> httpx.Client:
        # httpx's own transport is used with its default of no retries (they would only repeat connecting).
        # httpcore 1.0 hands a request to another connection only on ConnectionNotAvailable, raised before a
        # connection writes anything (http11.py, handle_request). A kept connection that the broker had
        # closed ends in an error here, never in a second POST.
        proxy = self.proxy
        try:
            return httpx.Client(
                verify=self._ssl_context(),
                transport=self._transport,
                proxy=None if proxy is None else proxy.url,
                trust_env=False,
                follow_redirects=False,
                http1=True,
                http2=False,
                headers={"user-agent": f"capcli/{__version__}", "accept": "application/json"},
            )
        except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
            cause = f" ({reason})" if (reason := getattr(error, "strerror", None)) else ""
            failure = ConfigError(
                f"The certificates for HTTPS cannot be loaded{cause}. Nothing was sent."
                " SSL_CERT_FILE and SSL_CERT_DIR name them where they are set"
                f"{f'; {proxy.shown} names a proxy' if proxy else ''}.",
                next="capcli health",
            )
        raise failure

    @property
    def proxy(self) -> Proxy | None:
        """Return the proxy for the host. Raises ConfigError for one that cannot be used."""
        return None if self._transport is not None else proxy_for(self._root)

    def _ssl_context(self) -> ssl.SSLContext:
        # Loading the CA bundle takes 20 to 34 ms, so it happens once and only for https. Elsewhere the
        # context has no CA at all: should TLS be spoken after all, it fails closed.
        if self._transport is None and self._root.startswith("https:"):
            return self.trust()
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def trust(self) -> ssl.SSLContext:
        """Return the TLS context of this process, loaded at the first use."""
        self._trust = self._trust or httpx.create_ssl_context()
        return self._trust


def tokens_of(headers: httpx.Headers) -> Tokens | None:
    """Return the tokens of an answer, if it has both."""
    cst, security_token = headers.get(CST), headers.get(SECURITY_TOKEN)
    return Tokens(cst, security_token) if cst and security_token else None


def date_of(text: str | None) -> datetime | None:
    """Return the Date header as aware UTC, None if there is none that can be read."""
    try:
        at = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, IndexError):
        return None
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
